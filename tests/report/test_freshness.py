"""A report that would be the same is left as it is, and any other is written anew."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmark import report
from benchmark.common.errors import InputError
from benchmark.report import freshness
from benchmark.suites.tables import ReportLayout, TableSpec
from tests.helpers import suite_records as fakes

SPEC = TableSpec("losses", "Losses", "Table III", ("loss",), {"coop": ("BCE",)})


@pytest.fixture
def made(tmp_path, monkeypatch, no_figures):
    """(units, results folder, how often a report was made) of a report that is there."""
    units = fakes.units(("zeroshot", "coop", "hpdval"), ("voc-lt", "coco-fs-1"), episodes=2)
    results = fakes.store(tmp_path / "cimlic" / "miniature", [fakes.record(u) for u in units])
    calls, real = [], report._drawn

    def counted(*arguments):
        calls.append(1)
        return real(*arguments)

    monkeypatch.setattr(report, "_drawn", counted)
    report.write(units, results)
    assert len(calls) == 1
    return units, results, calls


def test_the_same_report_is_not_made_again(made):
    units, results, calls = made
    folder = results / "report"
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert report.write(units, results) == folder / "report.md"
    assert len(calls) == 1
    assert before == {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}
    report.write(units, results, anew=True)
    assert len(calls) == 2


def record_of(results):
    return sorted((results / "records").glob("*.json"))[0]


def changed_record(results):
    """One number, with the file's size and time as they were."""
    path = record_of(results)
    at, text = path.stat(), path.read_text()
    record = json.loads(text)
    record["provenance"]["host"] = "g"
    path.write_text(json.dumps(record))
    assert path.stat().st_size == at.st_size and path.read_text() != text
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))


def packed_record(results):
    (results / "records.jsonl.gz").write_bytes(gzip.compress(b"{}\n"))


def stored_scores(results):
    (results / "scores").mkdir()
    (results / "scores" / "some.safetensors").write_bytes(b"scores")


def significance(results):
    (results / "report" / "significance.json").write_text("{}")


def edited(name):
    def change(results):
        with (results / "report" / name).open("a") as file:
            file.write(" ")

    return change


def gone(name):
    return lambda results: (results / "report" / name).unlink()


@pytest.mark.parametrize(
    "change",
    [
        changed_record,
        lambda results: record_of(results).unlink(),
        packed_record,
        stored_scores,
        significance,
        edited("report.md"),
        edited("index.html"),
        edited("table_lt.csv"),
        gone("table_lt.tex"),
        gone("summary.txt"),
        gone(freshness.FILE),
        lambda results: (results / "report" / freshness.FILE).write_text("[]"),
        lambda results: (results / "report" / freshness.FILE).write_text("{"),
    ],
)
def test_what_lies_on_disk_counts(made, change):
    units, results, calls = made
    change(results)
    report.write(units, results)
    assert len(calls) == 2
    report.write(units, results)
    assert len(calls) == 2


@pytest.mark.parametrize(
    "layout",
    [
        ReportLayout((SPEC,)),
        ReportLayout(general=frozenset({"coop"})),
        ReportLayout(titles={"coop": "CoOp"}),
    ],
)
def test_the_layout_and_its_titles_count(made, layout):
    units, results, calls = made
    page = report.write(units, results, layout).read_text()
    assert len(calls) == 2 and ("CoOp" in page) == bool(layout.titles)


def test_units_and_their_labels_count(made):
    units, results, calls = made
    report.write(units[:-1], results)
    report.write([replace(u, label=f"{u.label}-2") for u in units], results)
    assert len(calls) == 3


def test_pictures_and_their_folder_count(made, tmp_path, monkeypatch):
    from benchmark.report.page import explorer

    units, results, calls = made
    root = tmp_path / "images"
    (root / "VOC").mkdir(parents=True)
    monkeypatch.setattr(explorer, "folders", lambda *_: [root / "VOC"])
    for _ in range(2):
        report.write(units, results, images=root)
    assert len(calls) == 2
    (root / "VOC" / "new.jpg").write_bytes(b"")
    os.utime(root / "VOC", ns=(1, 1))  # whatever the clock's steps are
    report.write(units, results, images=root)
    assert len(calls) == 3


def test_the_folders_of_test_images_are_known(tmp_path):
    from benchmark.report.page import explorer
    from tests.helpers import report_page

    grid, task = report_page.world(tmp_path / "root")
    found = explorer.folders(grid, tmp_path / "none", tmp_path / "root")
    wanted = {(tmp_path / "root" / path).parent for path in task.test.images.paths}
    assert set(found) == wanted and explorer.folders(grid, tmp_path / "none", None) == []


@pytest.mark.parametrize("what", ["code", "versions"])
def test_code_and_libraries_count(made, monkeypatch, tmp_path, what):
    units, results, calls = made
    if what == "code":
        (tmp_path / "code").mkdir()
        (tmp_path / "code" / "bars.py").write_text("")
        monkeypatch.setattr(freshness, "_CODE", tmp_path / "code")
    else:
        monkeypatch.setattr(freshness, "metadata", SimpleNamespace(version=lambda name: "0"))
    report.write(units, results)
    assert len(calls) == 2


def test_the_code_of_a_report_is_among_what_counts():
    names = dict(freshness._code())
    for name in ("report/figures/bars.py", "report/page/templates/page.html", "suites/tables.py",
                 "published/published.yaml", "report/figures/figures.mplstyle"):  # fmt: skip
        assert name in names


def test_a_failed_report_is_not_taken_for_whole(made, monkeypatch):
    units, results, calls = made
    changed_record(results)

    def broken(*_):
        raise InputError("no room")

    monkeypatch.setattr(report, "_replace", broken)
    with pytest.raises(InputError):
        report.write(units, results)
    monkeypatch.undo()
    assert not freshness.fresh(
        results / "report", freshness.digest(units, results, report.PLAIN, None)
    )
