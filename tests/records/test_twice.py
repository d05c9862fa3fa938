"""Two records of one unit: one rule says which counts, for every reader, and a line says so."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from benchmark.records import store, table
from benchmark.records.pack import pack
from benchmark.report import compare, grid
from tests.helpers import suite_records as fakes

UNIT, OTHER = fakes.unit("voc-lt", "coop"), fakes.unit("voc-lt", "coop", seed=1)


def put(folder: store.ResultsFolder, name: str, value: float, time: int, unit=UNIT) -> str:
    """A record file of the unit with this mAP and, in seconds, this time; its path."""
    record = fakes.record(unit)
    record["metrics"]["map"] = value
    path = folder.records / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    os.utime(path, (time, time))
    return str(path)


@pytest.fixture
def folder(tmp_path):
    return store.paths(tmp_path / "results", "cimlic", "miniature")


def maps(folder) -> list[float]:
    """The unit's mAP as each reader has it."""
    records = store.RecordStore(folder)
    records.scan()
    cell = grid.gather([UNIT], folder.path).cell("voc-lt", "coop")
    (side,) = compare.sides(folder.path)
    return [
        *(r["metrics"]["map"] for r in records.done.values()),
        *(r["metrics"]["map"] for r in store.load(folder.path)),
        *table.frame(folder.path.parents[1])["map"],
        *(r["metrics"]["map"] for r in cell.done),
        *(r["metrics"]["map"] for r in side.records),
    ]


@pytest.mark.parametrize("times", [(20, 10), (10, 20)])
def test_the_newer_file_counts_for_every_reader_and_a_line_names_both(folder, times, capsys):
    paths = [put(folder, name, t, t) for name, t in zip(("aa.json", "bb.json"), times, strict=True)]
    assert maps(folder) == [20.0] * 5
    old, new = paths if times == (10, 20) else paths[::-1]
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"warning: {old}: an older record of the unit of {new}; treated as missing"


def test_an_older_copy_that_comes_later_does_not_count(folder):
    put(folder, "aa.json", 20.0, 20)
    records = store.RecordStore(folder)
    assert len(records.scan()) == 1
    put(folder, "copy.json", 10.0, 10)
    assert records.scan() == [] and records.done[UNIT.key]["metrics"]["map"] == 20.0
    put(folder, "aa.json", 30.0, 5)  # the same file, rewritten
    assert records.done[UNIT.key]["metrics"]["map"] == 20.0
    assert len(records.scan()) == 1 and records.done[UNIT.key]["metrics"]["map"] == 30.0


def test_the_newer_one_decides_whether_there_is_an_oracle(folder):
    best = {"map": 50.0, "epoch": 1}
    fakes.store(folder.path, [fakes.record(UNIT, oracle=best)])
    path = folder.records / f"{store.stem(UNIT)}.json"
    os.utime(path, (10, 10))
    records = store.RecordStore(folder, oracle=True)
    assert len(records.scan()) == 1
    put(folder, "new.json", 20.0, 20)
    assert records.scan() == [] and not records.done


def test_two_lines_of_one_unit_are_told_of_and_a_file_beside_a_line_is_not(folder, capsys):
    put(folder, "aa.json", 10.0, 10)
    target, _ = pack(folder.path, folder.path.parents[1])
    put(folder, "aa.json", 20.0, 1)
    assert maps(folder) == [20.0] * 5 and not capsys.readouterr().err
    (folder.records / "aa.json").unlink()
    target.write_bytes(target.read_bytes() * 2)  # two members of a gzip file, one after the other
    assert maps(folder) == [10.0] * 5
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{target}:1: an older record of the unit of {target}:2" in line


def test_a_copy_of_a_folder_counts_once(folder, capsys):
    put(folder, "aa.json", 10.0, 10)
    put(folder, "bb.json", 40.0, 10, OTHER)
    results = folder.path.parents[1]
    copy = store.paths(results / "copy", "cimlic", "miniature")
    put(copy, "aa.json", 20.0, 20)
    put(copy, "bb.json", 30.0, 5, OTHER)
    assert sorted(r["metrics"]["map"] for r in store.load(results)) == [20.0, 40.0]
    assert len(table.frame(results)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all(f"{folder.path}" in x and f"{copy.path}" in x for x in lines)


def test_suites_and_scales_are_apart(folder):
    results = folder.path.parents[1]
    record = fakes.record(UNIT)
    fakes.store(folder.path, [record])
    fakes.store(results / "paper" / "miniature", [record | {"suite": "paper"}])
    assert len(table.frame(results)) == 2


def test_the_reference_counts_only_where_it_is_asked_for(folder):
    put(folder, "aa.json", 10.0, 10)
    results = folder.path.parents[1]
    reference = store.paths(results / "reference", "cimlic", "miniature")
    put(reference, "bb.json", 40.0, 10, OTHER)
    assert list(table.frame(results)["map"]) == list(table.frame(results.parent)["map"]) == [10.0]
    assert sorted(table.frame(results, reference=True)["map"]) == [10.0, 40.0]
    assert len(store.load(results)) == 1 and len(store.load(results, reference=True)) == 2
    for place in (results / "reference", reference.path.parent, reference.path, reference.records):
        assert list(table.frame(place)["map"]) == [40.0]


def test_units_with_other_settings_under_one_label_are_told_apart(folder):
    longer = (("epochs", 20), ("lr", 0.01))
    units = [UNIT, OTHER, fakes.unit("voc-lt", "coop", hyperparameters=longer)]
    units += [fakes.unit("voc-lt", "coop", precision="bf16")]
    fakes.store(folder.path, [fakes.record(u, precision=u.precision) for u in units])
    by = ["suite", "scale", "task", "label", "settings"]
    counts = table.frame(folder.path).groupby(by)["map"].count()
    assert sorted(counts) == [1, 1, 2]
    old = fakes.record(UNIT)
    del old["preprocess"]  # from before there was a choice
    assert table.settings(old) == table.settings(fakes.record(OTHER))


def test_a_failure_goes_with_the_record_of_another_folder(folder):
    results = folder.path.parents[1]
    fakes.store(folder.path, [fakes.failed(UNIT, "x")])
    assert [r["status"] for r in store.load(results)] == ["failed"]
    fakes.store(results / "copy" / "cimlic" / "miniature", [fakes.record(UNIT)])
    assert [r["status"] for r in store.load(results)] == ["done"]
    shutil.rmtree(results / "copy")
