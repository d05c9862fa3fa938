"""Packed records, one a line: read by the same functions as files, which beat them."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import shutil

import pandas
import pytest

from benchmark.cli.pack_records import main
from benchmark.common.errors import InputError
from benchmark.records import reading, recompute, store, table
from benchmark.records.pack import pack
from benchmark.report import grid
from benchmark.runner import schedule
from benchmark.suites.unit import Unit
from tests.records import test_scores as scored

UNITS = tuple(
    Unit("coco-fs-1", label, "coop", 1, (), "miniature", 0, episode, label, "tiny", "ff")
    for label, episode in (("coop", 2), ("coop", 10), ("abc-é", 1))
)
FIRST, SECOND, THIRD = UNITS


def record(unit: Unit, **changes) -> dict:
    return {
        "key": unit.key, "suite": "small", "scale": "miniature", "task": unit.task,
        "label": unit.label, "method": unit.method, "seed": 0, "episode": unit.episode,
        "status": "done", "metrics": {"map": 100 / 3, "tail": None}, "per_class_ap": {"é\n": 1e-17},
        "split_sha256": "aa", "n_classes": {"all": 1}, "curve": [],
        "seconds": {"fit": 0.1, "predict": 2.0},
    } | changes  # fmt: skip


def make(results, *units: Unit, **changes) -> store.ResultsFolder:
    """A folder with a record file of each unit."""
    folder = store.paths(results, "small", "miniature")
    for unit in units:
        store.write(folder, unit, record(unit, **changes))
    return folder


def packed(tmp_path, *units: Unit, **changes) -> store.ResultsFolder:
    """A folder with the same records, packed."""
    source = make(tmp_path / "source", *units, **changes)
    path, count = pack(source.path, tmp_path / "to")
    assert count == len(units) and path == tmp_path / "to/small/miniature/records.jsonl.gz"
    return store.ResultsFolder(path.parent)


def scanned(folder: store.ResultsFolder, **how) -> store.RecordStore:
    found = store.RecordStore(folder, **how)
    found.scan()
    return found


def test_a_line_says_what_its_file_says_and_lines_are_sorted(tmp_path):
    folder = packed(tmp_path, *UNITS)
    lines = gzip.decompress(folder.packed.read_bytes()).decode().splitlines()
    source = store.paths(tmp_path / "source", "small", "miniature")
    files = [source.record(unit) for unit in (THIRD, FIRST, SECOND)]
    assert files == sorted(files) and len(lines) == 3
    for line, path in zip(lines, files, strict=True):
        assert line == line.strip() and line.startswith('{"schema":1,')
        assert list(json.loads(line).items()) == list(json.loads(path.read_text()).items())
    assert sorted(os.listdir(folder.path)) == ["records.jsonl.gz"]  # and no temporary file


def test_every_reader_gets_the_same_of_both(tmp_path):
    folder = packed(tmp_path, *UNITS)
    source = store.paths(tmp_path / "source", "small", "miniature")
    store.write(source, SECOND, record(SECOND, status="skipped", reason="too few"))
    pack(source.path, tmp_path / "to")
    expected = store.load(source.path)
    assert [r["status"] for r in expected] == ["done", "done", "skipped"]
    for place in (tmp_path / "to", folder.path.parent, folder.path, folder.records):
        assert store.load(place) == expected
        pandas.testing.assert_frame_equal(table.frame(place), table.frame(source.path))
    assert scanned(folder).done == scanned(source).done
    assert (
        schedule.known([folder]) == schedule.known([source]) and len(schedule.known([folder])) == 3
    )
    assert grid.gather(UNITS, folder.path) == grid.gather(UNITS, source.path)
    assert not folder.records.exists()


def test_a_record_file_beats_the_line_of_its_key(tmp_path):
    folder = packed(tmp_path, *UNITS)
    before = scanned(folder)
    store.write(folder, FIRST, record(FIRST, reason="newer"))
    os.utime(folder.packed, ns=(1 << 62, 1 << 62))  # whichever is the younger file
    for found in (before, store.RecordStore(folder)):
        found.scan()
        assert {key: r.get("reason") for key, r in found.done.items()} == {
            FIRST.key: "newer", SECOND.key: None, THIRD.key: None,
        }  # fmt: skip
    loaded = store.load(folder.path)
    assert [(r["label"], r["episode"], r.get("reason")) for r in loaded] == [
        ("abc-é", 1, None), ("coop", 2, "newer"), ("coop", 10, None),
    ]  # fmt: skip


def test_a_failure_hides_no_line_and_a_damaged_file_neither(tmp_path, capsys):
    folder = packed(tmp_path, FIRST, SECOND)
    store.write(folder, FIRST, record(FIRST, status="failed"))
    folder.record(SECOND).write_text("{")
    assert [r["status"] for r in store.load(folder.path)] == ["done", "done"]
    assert set(scanned(folder).done) == {FIRST.key, SECOND.key}
    assert capsys.readouterr().err.count("treated as missing") == 1


@pytest.mark.parametrize(
    "damage",
    [b"", b'{"schema":1,"key":"a', b"[]", b"<<<<<<< ours", b"\xff\xfe", b'{"schema":2}', b"\x00"],
)
def test_a_damaged_line_is_told_of_and_missing_and_the_others_count(tmp_path, damage, capsys):
    folder = packed(tmp_path, *UNITS)
    first, second, third = gzip.decompress(folder.packed.read_bytes()).splitlines()
    content = gzip.compress(b"\n".join([first, damage, third]))  # and the last line has no end
    folder.packed.write_bytes(content)
    assert [r["key"] for r in store.load(folder.path)] == [THIRD.key, SECOND.key]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {folder.packed}:2: ") and "treated as missing" in line
    found = scanned(folder)
    assert set(found.done) == {THIRD.key, SECOND.key} and not found.settled(FIRST)
    assert folder.packed.read_bytes() == content
    store.write(folder, FIRST, record(FIRST))
    assert len(store.load(folder.path)) == 3


@pytest.mark.parametrize("cut", [slice(40), slice(0), slice(-8), slice(1, None)])
def test_a_damaged_file_is_told_of_in_one_line(tmp_path, cut, capsys):
    folder = packed(tmp_path, *UNITS)
    folder.packed.write_bytes(folder.packed.read_bytes()[cut])
    assert store.load(folder.path) == []
    told = capsys.readouterr().err.splitlines()
    assert [line.startswith(f"warning: {folder.packed}: ") for line in told] == [True] * len(told)
    assert bool(told) == (cut != slice(0))  # an empty file has no records


def test_only_a_changed_file_is_read_again(tmp_path, monkeypatch):
    folder = packed(tmp_path, FIRST)
    found, reads, read = store.RecordStore(folder), [], reading.read
    monkeypatch.setattr(reading, "read", lambda path, tell: reads.append(path) or read(path, tell))
    assert [r["key"] for r in found.scan()] == [FIRST.key] and found.scan() == []
    assert reads == [str(folder.packed)]
    make(tmp_path / "source", SECOND)
    pack(tmp_path / "source/small/miniature", tmp_path / "to")
    os.utime(folder.packed, ns=(1, 1))
    found.scan()
    assert set(found.done) == {FIRST.key, SECOND.key}
    assert reads.count(str(folder.packed)) == 2


def test_force_counts_the_lines_of_its_units_as_absent(tmp_path):
    folder = packed(tmp_path, *UNITS)
    store.write(folder, THIRD, record(THIRD, status="failed"))
    assert list(store.outdated(folder)) == [str(folder.error(THIRD))]
    stale = store.outdated(folder, {FIRST.key, THIRD.key})
    found = scanned(folder, stale=stale)
    assert set(found.done) == {SECOND.key} and not found.failed
    store.write(folder, FIRST, record(FIRST))
    found.scan()
    assert set(found.done) == {FIRST.key, SECOND.key}
    store.write(folder, SECOND, record(SECOND))
    old = store.outdated(folder, {SECOND.key})
    assert len(old) == 3  # the file, the line that it beats, and the failure
    assert SECOND.key not in scanned(folder, stale=old).done


def test_a_file_without_an_oracle_beats_the_line_with_one(tmp_path):
    folder = packed(tmp_path, FIRST, SECOND, oracle={"map": 1.0})
    assert set(scanned(folder, oracle=True).done) == {FIRST.key, SECOND.key}
    store.write(folder, FIRST, record(FIRST, oracle=None))
    assert set(scanned(folder, oracle=True).done) == {SECOND.key}


def test_a_recomputed_record_becomes_a_file(tmp_path):
    folder = store.paths(tmp_path / "to", "small", "miniature")
    unit = dataclasses.replace(FIRST, task="voc-lt", episode=None)
    bare, task = scored.made(key=unit.key, label=unit.label)
    full = record(unit, **bare) | scored.write_scores(
        folder.path, bare, task, "logits", scored.SCORES
    )
    truth = scored.read_truth(folder.path, full)
    fields = scored.metric_fields(scored.SCORES, truth, "logits")
    older = {name: value for name, value in fields["metrics"].items() if name != "var"}
    counted = {"n_classes": {"absent": fields.pop("absent")}}
    source = store.paths(tmp_path / "source", "small", "miniature")
    store.write(source, unit, full | fields | counted | {"metrics": older})
    path, _ = pack(source.path, tmp_path / "to")
    before = path.read_bytes()
    assert recompute.recompute(folder, [unit]).replaced == 1 and path.read_bytes() == before
    assert json.loads(folder.record(unit).read_text())["metrics"] == fields["metrics"]
    assert [r["metrics"] for r in store.load(folder.path)] == [fields["metrics"]]
    assert recompute.recompute(folder, [unit]).same == 1


def test_packing_again_takes_the_files_in(tmp_path):
    folder = packed(tmp_path, *UNITS)
    store.write(folder, SECOND, record(SECOND, reason="newer"))
    before = store.load(folder.path)
    pack(folder.path, tmp_path / "to")
    shutil.rmtree(folder.records)
    assert store.load(folder.path) == before and before[-1]["reason"] == "newer"


def test_significance_goes_along(tmp_path):
    source = make(tmp_path / "source", FIRST)
    source.report.mkdir()
    for name in ("significance.json", "report.md"):
        (source.report / name).write_text(name)
    path, _ = pack(source.path, tmp_path / "to")
    (kept,) = (path.parent / "report").iterdir()
    assert kept.name == kept.read_text() == "significance.json"


@pytest.mark.parametrize(
    "case, told",
    [
        ("nothing", "no records there"),
        ("failures", "no records there"),
        ("all results", "no records there"),
        ("two suites", "records of 2 suites or scales"),
        ("damaged", "mend or remove it first"),
        ("own files", "would beat packed records"),
    ],
)
def test_what_cannot_be_packed_is_one_line_and_nothing_is_written(tmp_path, capsys, case, told):
    folder = packed(tmp_path, FIRST)
    before = folder.packed.read_bytes()
    source = make(tmp_path / "source", FIRST, SECOND)
    wanted = source.path
    if case == "nothing":
        wanted = tmp_path / "none"
    elif case == "failures":
        shutil.rmtree(source.records)
        store.write(source, FIRST, record(FIRST, status="failed"))
    elif case == "all results":
        wanted = tmp_path / "source"
    elif case == "two suites":
        store.write(source, THIRD, record(THIRD, suite="other"))
    elif case == "damaged":
        source.record(SECOND).write_text("{")
    else:
        store.write(folder, FIRST, record(FIRST))
    assert main([str(wanted), "--to", str(tmp_path / "to")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and told in line
    assert folder.packed.read_bytes() == before


def test_a_crash_leaves_the_old_lines(tmp_path, monkeypatch):
    folder = packed(tmp_path, FIRST)
    before = folder.packed.read_bytes()
    source = make(tmp_path / "source", SECOND)

    def crash(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError):
        pack(source.path, tmp_path / "to")
    assert folder.packed.read_bytes() == before and os.listdir(folder.path) == ["records.jsonl.gz"]


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path):
    source = make(tmp_path / "source", FIRST)
    (tmp_path / "to").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        pack(source.path, tmp_path / "to")


def report_of(folder):
    """A report's files; what it was made of is in other files where records are packed."""
    return {p.name: p.read_bytes() for p in (folder / "report").glob("[!.]*")}


def test_a_run_goes_on_from_packed_records(world, monkeypatch, capsys):
    only = ("--methods", "prior")
    assert world.run(*only)[0] == 0
    fits, folder = world.computed(), world.records.parent
    shutil.rmtree(folder / "scores")  # a reference has none
    assert world.run(*only, "--report")[0] == 0
    pages = report_of(folder)
    assert main([str(folder), "--to", str(world.results / "reference")]) == 0
    assert "records.jsonl.gz: 4 records" in capsys.readouterr().out
    other = ("--results-dir", world.results / "reference", *only)
    monkeypatch.setattr("benchmark.api.selection.HOME", world.folder)
    assert "identical in 2 of 2" in world.run(*only, "--report")[1]
    assert "4 units: 4 done" in world.run(*other, "--status")[1]
    assert world.run(*other, "--report")[0] == 0
    reference = world.results / "reference/tiny/miniature"
    assert report_of(reference) == pages
    assert world.run(*other)[0] == 0 and world.computed() == fits  # nothing to compute
    code, out, _ = world.run(*other, "--seeds", "0", "--tasks", "voc-lt", "--force")
    assert code == 0 and "1 units, 1 to run" in out and len(world.computed()) == len(fits) + 1
    assert len(os.listdir(reference / "records")) == 1 and len(store.load(reference)) == 4
