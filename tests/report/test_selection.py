"""Where there are too many methods, units or classes, figures show some of them and say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmark import report
from benchmark.records import store
from benchmark.report import PLAIN, selection
from benchmark.report.figures import bars, cost, draw, gains, loss_curves, style
from benchmark.report.grid import gather
from benchmark.report.page import explorer
from tests.helpers import large_suites as large
from tests.helpers import suite_records as fakes

MANY = 80
TASKS = ("voc-lt", "voc-fs-1")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """(units, results folder, grid) of MANY methods, one seed or episode of each."""
    results = tmp_path_factory.mktemp("many") / "cimlic" / "miniature"
    units = fakes.units(large.methods(MANY), TASKS, seeds=1, episodes=1)
    fakes.store(results, [fakes.record(u) for u in units])
    return units, results, gather(units, results)


def best(grid, task):
    return max(grid.labels, key=lambda label: grid.cell(task, label).stat("headline").mean)


def test_a_grid_of_few_methods_stays_as_it_is(tmp_path):
    units = fakes.units(large.methods(selection.ROOM + 3), ("voc-lt",), seeds=1)
    results = fakes.store(tmp_path, [fakes.record(u) for u in units[: selection.ROOM]])
    grid = gather(units, results)  # three methods have no result: none is left out for them
    assert selection.shown(grid) is grid


def test_the_papers_methods_and_the_best_of_each_task_are_shown(many):
    grid = many[2]
    shown = selection.shown(grid)
    assert len(shown.labels) == selection.ROOM and shown.among == MANY
    assert {*fakes.METHODS, *(best(grid, task) for task in TASKS)} <= set(shown.labels)
    assert list(shown.labels) == [label for label in grid.labels if label in shown.labels]
    assert {label for _, label in shown.cells} == set(shown.labels)


def test_the_papers_methods_are_shown_under_whatever_label(tmp_path):
    names = [*large.methods(MANY)[4:], "mine"]
    units = [
        replace(u, method="zeroshot") if u.label == "mine" else u
        for u in fakes.units(names, ("voc-lt",), seeds=1)
    ]
    grid = gather(units, fakes.store(tmp_path, [fakes.record(u) for u in units]))
    assert "mine" in selection.shown(grid).labels
    assert [drawn.name for drawn in gains.figures(selection.shown(grid), "voc-lt")]


def test_figures_of_a_selection_say_so(many):
    shown = selection.shown(many[2])
    for drawn in (*bars.groups_of(shown, "voc-lt"), *bars.few_shot(shown)):
        assert (
            f"{selection.ROOM} of {MANY} methods (the paper's and the best of each task)"
            in drawn.caption
        )
        assert len(drawn.figure.legends[0].get_texts()) == selection.ROOM
        words = [text.get_text() for axes in drawn.figure.axes for text in axes.texts]
        assert any(f"{selection.ROOM} of {MANY} methods" in text for text in words)
    (whole,) = bars.few_shot(many[2].on(TASKS))
    assert "methods (" not in whole.caption


def test_the_page_explores_as_many_methods_as_have_looks_of_their_own(many, monkeypatch):
    monkeypatch.setattr(draw, "_kinds", lambda *parts: ())
    units, results, _ = many
    folder = report.write(units, results).parent
    page = (folder / "index.html").read_text()
    assert f"These are {style.LOOKS} of {MANY} methods" in page
    rows = fakes.rows((folder / "table_lt.csv").read_text())
    assert len(rows) == MANY  # tables have them all


def test_a_report_reads_its_records_once(many, monkeypatch):
    monkeypatch.setattr(draw, "_kinds", lambda *parts: ())
    calls, load = [], store.load

    def counted(*given, **named):
        calls.append(given)
        return load(*given, **named)

    monkeypatch.setattr(store, "load", counted)
    report.write(*many[:2], anew=True)
    assert len(calls) == 1


def test_a_drawing_process_gets_no_more_than_its_figure_shows(many):
    _, results, grid = many
    lists = {}
    for function, (part, *more) in draw._kinds(grid, grid, PLAIN, results, None):
        assert not more or {task for task, _ in part.cells} == {more[0]}
        fields = {name for cell in part.cells.values() for record in cell.done for name in record}
        lists[function] = fields & {*draw.LISTS}
    assert not lists[bars.groups_of] | lists[bars.few_shot] | lists[cost.figures]
    assert lists[loss_curves.figures] == {*draw.LISTS}


def test_of_many_units_some_have_a_line_of_loss_and_all_count(tmp_path):
    units = fakes.units(("coop",), ("voc-lt",), seeds=loss_curves.LINES + 5)
    grid = gather(units, fakes.store(tmp_path, [fakes.record(u) for u in units]))
    (drawn,) = loss_curves.figures(grid, "voc-lt")
    assert f"single seeds or episodes (the first {loss_curves.LINES})" in drawn.caption
    (axes,) = (axes for axes in drawn.figure.axes if axes.axison)
    *thin, _, mean = axes.lines
    assert len(thin) == loss_curves.LINES
    every = [[point["loss"] for point in fakes.record(u)["curve"]] for u in units]
    np.testing.assert_allclose(mean.get_ydata(), np.mean(every, axis=0))


def test_of_many_classes_gains_show_some_and_speak_of_all(tmp_path):
    count = gains.CLASSES + 30
    counts = {f"class {n:03d}": count - n for n in range(count)}
    records = {
        "zeroshot": dict.fromkeys(counts, 50.0),
        "coop": {name: 60.0 if n < 100 else 40.0 for n, name in enumerate(counts)},
    }
    units = fakes.units(records, ("voc-lt",), seeds=1)
    stored = [fakes.record(u, per_class_ap=records[u.label], train_counts=counts) for u in units]
    (drawn,) = gains.figures(gather(units, fakes.store(tmp_path, stored)), "voc-lt")
    assert f"AP of {gains.CLASSES} of {count} classes, evenly spread less that" in drawn.caption
    (axes,) = drawn.figure.axes
    assert len(axes.collections[0].get_paths()) == gains.CLASSES
    assert f"better in 100 of {count} classes" in axes.get_title("left")
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert names[0].startswith("class 000 ") and names[-1].startswith(f"class {count - 1} ")


def test_a_full_page_reads_no_more_pictures(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(explorer, "thumbnail", lambda path: read.append(path) or "x" * 400)
    album = explorer.Album(tmp_path, left=1000)
    found = [album.add(f"{n}.jpg") for n in range(1000)]
    assert found[:3] == [0, 1, None] and album.add("0.jpg") == 0
    assert len(read) == 2 + explorer._MISSES
