"""Our test curves beside the logged ones: whose, of which epochs, and where there is nothing."""

from __future__ import annotations

import csv
import io

import pytest

from benchmark import report
from benchmark.report.grid import Stat, gather
from benchmark.report.tables import agreement, beside_curves, beside_published, formats
from tests.helpers import suite_records as fakes
from tests.helpers.small_numbers import written

OPENAI = "ViT-B-16-quickgelu:openai"


def made(folder, curves, task="coco-lt", label="lmclip", scale="paper", **changes):
    """(units, grid) of one label's records, a seed for each curve; an `oracle` of None without."""
    units = fakes.units([label], [task], seeds=len(curves), scale=scale)
    records = []
    for unit, curve in zip(units, curves, strict=True):
        best = curve and {"map": max(curve), "epoch": 1, "stage": "all", "curve": curve}
        given = {"oracle": best or None, "oracle_reason": None, "backbone": OPENAI} | changes
        records.append(fakes.record(unit, **given))
    return units, gather(units, fakes.store(folder, records))


def only(grid):
    """The one table, and its rows by (label, epoch, scores): {column: entry}."""
    ((_, table),) = beside_curves.sections(grid)
    (block,) = table.blocks
    rows = zip(table.codes, block.rows, strict=True)
    return table, {texts: dict(zip(block.columns, row, strict=True)) for texts, row in rows}


def test_one_epoch_shows_the_first_row_and_dashes(tmp_path):
    _, grid = made(tmp_path, [[66.16]])
    table, rows = only(grid)
    assert table.name == "beside_curve_coco-lt"
    assert [epoch for _, epoch, _ in rows] == ["1", "2", "5", "10", "20", "38", "50"]
    words = [entry.word for entry in rows["lmclip", "1", "raw"].values()]
    assert rows["lmclip", "1", "raw"]["measured"].stat == Stat(66.16, None, 1)
    assert words[1:] == ["1", "67.16", "-1.00", "-"]
    for epoch, theirs in (("2", "68.32"), ("38", "74.33"), ("50", "74.28")):
        later = [(e.stat, e.word) for e in rows["lmclip", epoch, "raw"].values()]
        assert later == [(None, word) for word in ("-", "-", theirs, "-", "-")]
    assert "epochs here: 1)" in table.caption and OPENAI in table.caption
    assert "logged" in table.caption and "softmax" in table.notes[0]


def test_seeds_of_different_length_count_where_they_go(tmp_path):
    _, grid = made(tmp_path, [[87.0, 88.0], [88.0, 90.0, 1.0, 1.0, 91.0], None], task="voc-lt")
    table, rows = only(grid)
    assert [epoch for _, epoch, _ in rows] == ["1", "2", "5", "10", "18", "22"]
    first, fifth = rows["lmclip", "1", "raw"], rows["lmclip", "5", "raw"]
    assert first["measured"].stat == Stat(87.5, pytest.approx(0.5**0.5), 2)
    assert (first["logged"].word, first["gap"].word, first["in 2 std"].word) == (
        "87.40", "+0.10", "yes",
    )  # fmt: skip
    assert fifth["measured"].stat == Stat(91.0, None, 1) and fifth["gap"].word == "+0.74"
    assert "epochs here: 2 or 5)" in table.caption


def test_the_authors_ranking_stands_below_the_raw_one(tmp_path):
    best = {"map": 60.0, "curve": [60.0], "curve_softmax": [67.0]}
    _, grid = made(tmp_path, [[60.0]], oracle=best)
    _, rows = only(grid)
    assert [scores for _, epoch, scores in rows if epoch == "1"] == ["raw", "softmax"]
    gaps = [rows["lmclip", "1", scores]["gap"].word for scores in ("raw", "softmax")]
    assert gaps == ["-7.16", "-0.16"]


NOTHING = {
    "miniature": {"scale": "miniature"},
    "another task": {"task": "coco-lt-dev"},
    "another method": {"label": "coop"},
    "another backbone": {"backbone": "RN50-quickgelu:openai"},
    "no oracle": {"oracle": None},
    "an oracle without a curve": {"oracle": {"map": 60.0, "epoch": 1}},
    "an epoch that is missing": {"oracle_reason": "all, epoch 1: predict: NaN"},
}


@pytest.mark.parametrize("changes", NOTHING.values(), ids=NOTHING)
def test_there_is_nothing_without_such_a_record(tmp_path, changes):
    _, grid = made(tmp_path, [[60.0]], **changes)
    assert list(beside_curves.sections(grid)) == []


def test_the_report_has_it_as_all_tables(tmp_path, no_figures):
    units, grid = made(tmp_path, [[66.16], [67.16]])
    page = report.write(units, tmp_path).read_text()
    folder = tmp_path / "report"
    assert "Beside logged test curves: COCO-LT" in page
    markdown, tex = ((folder / f"beside_curve_coco-lt.{x}").read_text() for x in ("md", "tex"))
    assert "| lmclip | 1 | raw | 66.66 ± 0.71 | 2 | 67.16 | -0.50 | yes |" in markdown
    assert "\\label{tab:beside-curve-coco-lt}" in tex
    rows = list(csv.DictReader(io.StringIO((folder / "beside_curve_coco-lt.csv").read_text())))
    assert len(rows) == 7 and (rows[0]["method"], rows[0]["epoch"]) == ("lmclip", "1")
    assert rows[0]["measured_mean"] == "66.660000" and rows[6]["measured_mean"] == ""
    assert [row["logged"] for row in rows[1:3]] == ["68.32", "68.88"]


def test_a_method_that_only_logs_tell_of_has_no_printed_columns(tmp_path):
    _, grid = made(tmp_path, [[66.16]])
    ((title, table),) = beside_published.sections(grid)
    assert title.startswith("Beside LM-CLIP's logs") and "(logged)" in table.caption
    (block,) = table.blocks
    assert block.columns == ("measured", "n", "logged", "gap to log", "log in 2 std")
    total, softmax, head = block.rows[:3]
    assert [row[2].word for row in (total, softmax, head)] == ["74.33", "74.33", "63.12"]
    marked = [note for note in table.notes if note[1:2] in total[2].mark.split(",")]
    assert len(marked) == 3 and any("above it L_bal (75.11)" in note for note in marked)
    assert any("best on the test images" in note for note in marked)
    assert "printed" not in formats.markdown(table)


def test_the_order_of_rows_that_are_only_logged_counts(tmp_path, monkeypatch):
    rows = {"theirs": {"labels": ["t"]}, "variant": {"labels": ["v"]}}
    log = {"log": "c", "task": "voc-lt", "values": {"total": 50.0}, "rows": ["other/variant"]}
    path = written(tmp_path, (("tables", "other", "rows"), rows), (("runs", "files", 0), log))
    data = beside_published.reading.load(path)
    monkeypatch.setattr(agreement.reading, "load", lambda: data)
    units = fakes.units(["t", "v"], ["voc-lt"], seeds=1)
    records = [fakes.record(u, metrics={"map": 9.0 + (u.label == "v")}) for u in units]
    table = agreement.order(gather(units, fakes.store(tmp_path, records)))
    (entries,) = table.blocks[0].rows
    assert [entry.word for entry in entries] == ["2", "-1.00", "-", "-", "v", "t"]
