"""The page in headless Chromium: sorting, filtering, explorer, keyboard, widths, contrast."""

from __future__ import annotations

import pytest

from benchmark.report.grid import stat
from tests.helpers import browser
from tests.helpers import report_page as fake
from tests.helpers.report_page import HOSTILE, METHODS

CONTRAST = """
const channels = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const f = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
};
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const c = channels(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
  }
  return [255, 255, 255];
};
const low = [];
for (const e of document.body.querySelectorAll("*")) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || e.closest("svg, script, .sprite") || !e.checkVisibility()) continue;
  const a = light(channels(getComputedStyle(e).color)), b = light(behind(e));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 120)}`);
}
return low;
"""


@pytest.fixture(scope="module")
def address(text, tmp_path_factory):
    path = tmp_path_factory.mktemp("html") / "index.html"
    path.write_text(text, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def seen(chromium, address):
    """The page, loaded anew at 1280 pixels; the test fails if the console had to say anything."""
    browser.resize(chromium, 1280)
    emulate(chromium, prefers_reduced_motion="reduce")  # clicks need not wait for a scroll
    browser.errors(chromium)
    chromium.get(address)
    yield chromium
    assert browser.errors(chromium) == []
    assert chromium.execute_script("return window.hacked") is None


def one(driver, selector):
    return driver.find_element("css selector", selector)


def order(driver, table="#table-lt table"):
    """The first texts of the rows that are to be seen, from the top."""
    script = """return [...document.querySelectorAll(arguments[0] + " tbody tr")]
        .filter((row) => !row.hidden).map((row) => row.cells[0].textContent)"""
    return driver.execute_script(script, table)


def emulate(driver, **features):
    named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": named})


def test_a_head_sorts_by_numbers_and_back(seen, hostile):
    before = order(seen)
    head = seen.find_elements("css selector", "#table-lt thead tr:last-child th")[1]
    task = one(seen, "#table-lt .heads th").text.lower()
    means = {x: hostile.cell(task, x).stat("map").mean for x in hostile.labels}
    best = sorted(means, key=means.get, reverse=True)
    button = head.find_element("css selector", "button")
    states = []
    for _ in range(3):
        button.click()
        states.append((head.get_attribute("aria-sort"), order(seen)))
    assert states == [("descending", best), ("ascending", best[::-1]), ("none", before)]
    assert one(seen, "#said").get_attribute("textContent") == "original order"


def test_sorting_by_keyboard(seen):
    heads = seen.find_elements("css selector", "#table-fs thead tr:last-child th")
    seen.execute_script("arguments[0].focus()", heads[0].find_element("css selector", "button"))
    seen.switch_to.active_element.send_keys("\ue007")  # Enter
    assert heads[0].get_attribute("aria-sort") == "ascending"
    assert order(seen, "#table-fs table") == sorted([*METHODS, HOSTILE], key=str.lower)
    seen.switch_to.active_element.send_keys("\ue004")  # Tab leads to the next head
    seen.switch_to.active_element.send_keys(" ")
    assert [h.get_attribute("aria-sort") for h in heads[:2]] == ["none", "descending"]


def test_every_control_is_reached_by_tab_and_shows_it(seen):
    reached = set()
    seen.execute_script("document.activeElement.blur()")
    for _ in range(200):
        seen.switch_to.active_element.send_keys("\ue004")
        found = seen.execute_script(
            "const e = document.activeElement, s = getComputedStyle(e);"
            "e.dataset.reached = 1; return [e.tagName, s.outlineStyle]"
        )
        if found[0] == "BODY":
            break
        assert found[1] != "none", found
        reached.add(found[0])
    assert {"A", "BUTTON", "INPUT", "SELECT", "SUMMARY", "DIV", "PRE"} <= reached
    left = seen.execute_script(
        "return [...document.querySelectorAll('a, button:not(:disabled), input, select, summary')]"
        ".filter((e) => e.checkVisibility() && !e.dataset.reached).map((e) => e.outerHTML)"
    )
    assert left == []


def test_the_filter_keeps_rows_with_all_words(seen):
    field = one(seen, "#table-lt .filter")
    field.send_keys("HP val")
    assert order(seen) == ["hpdval"]
    field.send_keys("x")
    assert order(seen) == [] and one(seen, "#table-lt .none").is_displayed()
    field.clear()
    field.send_keys("o")
    field.send_keys("\ue003")  # Backspace
    assert len(order(seen)) == 4 and not one(seen, "#table-lt .none").is_displayed()


def choose(driver, select, text):
    from selenium.webdriver.support.ui import Select

    Select(one(driver, select)).select_by_visible_text(text)


def test_the_explorer_shows_a_class(seen, hostile):
    choose(seen, "#ex-task", "COCO-LT")
    choose(seen, "#ex-task", "VOC-LT")
    choose(seen, "#ex-class", "sheep (5)")
    assert one(seen, "#ex-name").text == "sheep"
    assert one(seen, "#ex-chips").text.split("\n") == ["VOC-LT", "tail", "5 training images"]
    lines = [row.text for row in seen.find_elements("css selector", "#ex-aps tbody tr")]
    for label in METHODS:
        found = stat(r["per_class_ap"]["sheep"] for r in hostile.cell("voc-lt", label).done)
        line = next(x for x in lines if x.startswith(label))
        assert f"{found.mean:.2f}" in line
    one(seen, "#ex-next").click()
    assert one(seen, "#ex-name").text == "cow"
    assert not one(seen, "#ex-next").is_enabled() and one(seen, "#ex-prev").is_enabled()
    assert "No images in this page" in one(seen, "#ex-images-note").text


def test_the_explorer_takes_names_as_they_are(seen):
    one(seen, "#ex-find").send_keys("onerror")
    assert one(seen, "#ex-name").text == HOSTILE
    assert "64 training images" in one(seen, "#ex-chips").text
    assert seen.find_elements("css selector", "#explorer img") == []
    assert HOSTILE in one(seen, "#ex-legend").text
    one(seen, "#ex-legend button").click()
    assert one(seen, "#ex-legend button").get_attribute("aria-pressed") == "false"


def test_a_click_in_the_overview_chooses_a_class(seen):
    choose(seen, "#ex-task", "VOC-LT")
    seen.execute_script(
        """const svg = document.querySelector("#ex-overview svg"), r = svg.getBoundingClientRect();
        svg.dispatchEvent(new MouseEvent("click",
            { clientX: r.right - 12, clientY: r.top + 50, bubbles: true }))"""
    )
    assert one(seen, "#ex-name").text == "cow"


def test_images_of_a_class_are_shown(chromium, tmp_path):
    grid, _ = fake.world(tmp_path)
    path = tmp_path / "index.html"
    path.write_text(fake.page(grid, {}, images=tmp_path), encoding="utf-8")
    chromium.get(path.as_uri())
    images = chromium.find_elements("css selector", "#ex-images img")
    assert images and all(i.get_attribute("alt").startswith("test image with") for i in images)
    assert all(chromium.execute_script("return arguments[0].naturalWidth", i) for i in images)
    assert browser.errors(chromium) == []


def test_one_figure_of_a_kind_at_a_time_and_all_on_paper(seen):
    def shown():
        figures = seen.find_elements("css selector", ".plot")
        return [f.get_attribute("id") for f in figures if f.is_displayed()]

    assert shown() == ["figure-groups-voc-lt", "figure-fewshot"]
    seen.find_elements("css selector", ".choice button")[1].click()
    assert shown() == ["figure-groups-coco-lt", "figure-fewshot"]
    seen.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert len(shown()) == 3
    assert not one(seen, "#table-lt .tools").is_displayed()
    assert not one(seen, ".contents").is_displayed()


@pytest.mark.parametrize("width", [320, 400, 768, 1280, 1920])
def test_the_page_itself_never_scrolls_sideways(seen, width):
    browser.resize(seen, width)
    wide = seen.execute_script(
        """return [...document.querySelectorAll("body *")].filter((e) => !e.closest("svg, .sprite")
            && e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1
            && !e.closest(".scroll, pre, .plot > div, .skip, .hidden"))
            .map((e) => e.outerHTML.slice(0, 90))"""
    )
    assert wide == []
    root = "document.scrollingElement"
    assert seen.execute_script(f"return {root}.scrollWidth - {root}.clientWidth") == 0
    assert seen.execute_script(f"{root}.scrollLeft = 50; return {root}.scrollLeft") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(seen, scheme):
    emulate(seen, prefers_color_scheme=scheme)
    colour = "return getComputedStyle(document.body).backgroundColor"
    assert (seen.execute_script(colour) == "rgb(252, 252, 250)") == (scheme == "light")
    assert seen.execute_script(CONTRAST) == []


def test_no_motion_where_none_is_wanted_and_no_request(seen):
    emulate(seen)
    behaviour = "return getComputedStyle(document.documentElement).scrollBehavior"
    assert seen.execute_script(behaviour) == "smooth"
    emulate(seen, prefers_reduced_motion="reduce")
    assert seen.execute_script(behaviour) == "auto"
    script = """return performance.getEntriesByType("resource").map((e) => e.name)
        .filter((name) => !name.startsWith("data:"))"""
    assert seen.execute_script(script) == []
