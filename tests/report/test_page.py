"""The page is self-contained and escaped, says what is missing, and shares what figures share."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser

from benchmark.report.grid import Stat, gather
from benchmark.report.page import html, inline_svg
from benchmark.report.tables import formats
from benchmark.report.tables.sections import Section
from benchmark.report.tables.table import Block, Entry, Table
from tests.helpers import report_page as fake
from tests.helpers import suite_records as fakes
from tests.helpers.report_page import HOSTILE, METHODS


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text outside of scripts and style sheets."""

    def __init__(self, text):
        super().__init__()
        self.found, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.found and self.found[-1][0] not in ("script", "style"):
            self.texts.append(data)


def test_nothing_is_asked_of_the_network(text):
    assert "://" not in text.replace("http://www.w3.org/2000/svg", "")  # a name, no address
    found = Elements(text).found
    addresses = [a[k] for _, a in found for k in ("src", "href", "xlink:href") if k in a]
    assert addresses and all(address.startswith(("#", "data:")) for address in addresses)
    assert not re.search(r"url\((?!#)|@import", text)
    policy = next(a["content"] for _, a in found if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; img-src data:;") and "'sha256-" in policy
    assert "script-src 'unsafe" not in policy


def test_every_name_is_escaped(text):
    elements = Elements(text)
    kinds = Counter(tag for tag, _ in elements.found)
    assert kinds["script"] == 2 and not kinds["img"]
    assert not any("onerror" in attributes for _, attributes in elements.found)
    joined = "".join(elements.texts)
    assert joined.count(HOSTILE) >= 5 and "49" not in joined.partition("{{")[2][:8]
    data = re.search(r'id="explorer-data">(.*?)</script>', text, re.S)[1]
    assert "<" not in data and HOSTILE in [m["label"] for m in json.loads(data)["methods"]]


def test_ids_are_unique_and_links_lead_somewhere(text):
    found = Elements(text).found
    ids = Counter(a["id"] for _, a in found if "id" in a)
    assert [name for name, n in ids.items() if n > 1] == []
    targets = {a["href"][1:] for _, a in found if a.get("href", "").startswith("#")}
    assert targets - set(ids) == set()
    inside = set(re.findall(r"url\(#([^)]+)\)", text))
    assert inside and inside - set(ids) == set()


def test_tables_are_there_with_their_files_and_marks(text, hostile):
    assert "Table I of the paper" in text and "Table II of the paper" in text
    for name in ("table_lt", "table_fs"):
        for kind in ("csv", "tex", "md"):
            assert f'download="{name}.{kind}"' in text
    mean = hostile.cell("voc-lt", "hpdval").stat("map").mean
    assert f'data-value="{mean:.8g}"' in text
    assert "Which differences are real" in text and "-0.50 to +5.25" in text


def test_gaps_and_reasons_are_said(tmp_path, drawn):
    units = fakes.units(("coop", "hpdval"), ("voc-lt",))
    records = [fakes.failed(units[0], "ValueError: <50% NaN>"), *map(fakes.record, units[2:])]
    results = fakes.store(tmp_path / "cimlic" / "miniature", records)
    text = fake.page(gather(units, results), drawn)
    assert "4 / 6" in text and "2 missing, 1 of them failed" in text
    assert "coop on VOC-LT: 2 of 3 units missing, of them 1 failed" in text
    assert "ValueError: &lt;50% NaN&gt;" in text


def test_no_record_at_all(tmp_path):
    text = fake.page(gather(fakes.units(), tmp_path / "cimlic" / "miniature"), {})
    assert "No unit has a result yet" in text and "0 / 144" in text


def test_the_paper_scale_is_not_called_miniature(tmp_path, drawn):
    grid = fake.grid(tmp_path / "cimlic" / "paper", METHODS, ("voc-lt",), dict, scale="paper")
    text = fake.page(grid, drawn)
    assert "Real COCO and VOC images" in text and "Miniature scale" not in text
    assert "--data-root DIR" in text


def test_the_same_records_give_the_same_bytes(hostile, drawn, text):
    assert fake.page(hostile, dict(drawn), fake.pairs()) == text


def entries(*rows):
    return tuple(tuple(row) for row in rows)


def sheets(grid, table):
    """The HTML tables of one Table, each from its start tag to its end."""
    page = html.render(grid, [Section("A table", table)], {}, formats.files(table, grid))
    return re.findall(r'<table class="sortable.*?</table>', page, re.S)


def test_sheets_stand_side_by_side_while_there_is_room(hostile):
    def table(columns):
        names = tuple(f"c{k}" for k in range(columns))
        row = [Entry(Stat(12.345, None, 1), rank=1, tied=True, mark="2")] * columns
        blocks = tuple(Block(n, names, entries(row)) for n in ("a", "b"))
        return Table("t", "caption", ("m",), blocks, (), stacked=True)

    [sheet] = sheets(hostile, table(4))
    assert re.findall(r'colspan="(\d+)" class="start">(\w)<', sheet) == [("4", "a"), ("4", "b")]
    assert sheet.count('scope="col"') == 8 + 1  # the method's
    field = re.search(r"<td.*?</td>", sheet[sheet.index("<tbody>") :])[0]
    assert 'data-value="12.345"' in field and "± –" in field
    assert re.search(r"<b>12.3[45]</b>", field)  # the best
    assert re.findall(r"<sup.*?>(.*?)</sup>", field) == ["†", "2"]
    captions = [re.findall(r"<caption>(.*?)</caption>", s) for s in sheets(hostile, table(9))]
    assert captions == [["a"], ["b"]]


def test_words_stand_left_and_counts_sort_by_number(hostile):
    rows = entries([Entry(word="higher"), Entry(word="3/10")], [Entry(word="-"), Entry(word="nan")])
    block = Block("", ("sign", "n"), rows)
    [sheet] = sheets(hostile, Table("t", "", ("a", "b"), (block,), (), stacked=False))
    heads = re.findall(r'<th scope="col" class="(\w+).*?<button type="button">(\w+)<', sheet)
    assert heads[1:] == [("text", "sign"), ("num", "n")] and "colspan" not in sheet
    fields = re.findall(r'<td.*?data-value="(.*?)">(.*?)</td>', sheet)
    assert fields == [("", "higher"), ("3", "3/10"), ("", "-"), ("", "nan")]


# -- figures ------------------------------------------------------------------------------------


def test_figures_share_their_glyphs(drawn):
    figures, sprite = inline_svg.figures(drawn)
    assert [f.name for f in figures] == ["groups_voc-lt", "groups_coco-lt", "fewshot"]
    whole = sprite + "".join(f.svg for f in figures)
    ids = re.findall(r'\bid="([^"]+)"', whole)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', whole))
    assert {a or b for a, b in used} <= set(ids) and used
    raw = sum(len(content) for name, (content, _) in drawn.items() if name.endswith("svg"))
    assert len(whole) < 0.6 * raw
    for part in ("<style", "<metadata", "<!--", "<?xml", "xmlns:"):
        assert part not in whole


def test_a_heavy_figure_becomes_a_picture(drawn, monkeypatch):
    monkeypatch.setattr(inline_svg, "LARGEST", 100)
    figures, sprite = inline_svg.figures(drawn)
    assert not sprite and all(f.source.startswith("data:image/") and not f.svg for f in figures)
