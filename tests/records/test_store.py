"""Records appear whole or not at all; what is no record counts as missing and is left alone."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from benchmark.common import files
from benchmark.records import store, table
from benchmark.suites.unit import Unit

UNIT = Unit("coco-fs-1", "coop", "coop", 1, (), "miniature", 0, 3, "aa", "tiny", "ff")
RECORD = {
    "key": UNIT.key,
    "suite": "small",
    "scale": "miniature",
    "task": "coco-fs-1",
    "label": "coop",
    "method": "coop",
    "seed": 0,
    "episode": 3,
    "status": "done",
    "split_sha256": "aa",
    "n_classes": {"all": 2},
    "metrics": {"map": 12.5, "tail": None},
    "seconds": {"fit": 1.0},
    "per_class_ap": {"ant": 12.5, "bee": None},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("CIMLIC_LOCK_DIR", raising=False)
    return store.paths(tmp_path, "small", "miniature")


def test_names_on_disk(folder, tmp_path):
    path = store.write(folder, UNIT, RECORD)
    name = f"coco-fs-1_coop_s0_e03_{UNIT.key[:10]}.json"
    assert path == tmp_path / "small" / "miniature" / "records" / name
    assert os.listdir(path.parent) == [name]  # no temporary file is left
    assert json.loads(path.read_text()) == {"schema": 1, **RECORD}


def test_a_record_is_named_as_its_unit():
    assert store.stem(RECORD) == store.stem(UNIT) == f"coco-fs-1_coop_s0_e03_{UNIT.key[:10]}"
    plain = dataclasses.replace(UNIT, episode=None, seed=2)
    assert store.stem(plain) == f"coco-fs-1_coop_s2_{plain.key[:10]}"


def test_a_record_that_cannot_be_written_leaves_the_old_one(folder):
    path = store.write(folder, UNIT, RECORD)
    with pytest.raises(ValueError):
        store.write(folder, UNIT, RECORD | {"metrics": {"map": float("nan")}})
    assert json.loads(path.read_text())["metrics"]["map"] == 12.5
    assert len(os.listdir(path.parent)) == 1


def test_a_crash_before_the_replacement_leaves_the_old_record(folder, monkeypatch):
    path = store.write(folder, UNIT, RECORD)

    def crash(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError):
        store.write(folder, UNIT, RECORD | {"label": "new"})
    assert json.loads(path.read_text())["label"] == "coop"


@pytest.mark.parametrize(
    "content", ["", '{"schema": 1, "key": "a', "[]", "{}", '{"schema": 1, "key": 5}', "\x00"]
)
def test_what_is_no_record_is_missing_and_stays(folder, content, capsys):
    path = folder.record(UNIT)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    (path.parent / ".left-over.json.tmp").write_text("{")
    assert store.load(folder.path) == []
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and str(path) in lines[0] and "treated as missing" in lines[0]
    records = store.RecordStore(folder)
    records.scan()
    assert not records.settled(UNIT) and path.read_text() == content
    store.write(folder, UNIT, RECORD)
    records.scan()
    assert records.settled(UNIT)


def test_a_failure_is_kept_until_the_unit_succeeds(folder):
    failure = RECORD | {"status": "failed", "traceback": "..."}
    path = store.write(folder, UNIT, failure)
    assert path.name.endswith(".error.json")
    assert [r["status"] for r in store.load(folder.path)] == ["failed"]
    assert len(table.frame(folder.path)) == 0
    records = store.RecordStore(folder, store.outdated(folder))
    records.scan()
    assert not records.settled(UNIT)  # an earlier run's: to be tried again
    store.write(folder, UNIT, failure | {"traceback": "again"})
    records.scan()
    assert records.settled(UNIT)  # this run's
    store.write(folder, UNIT, RECORD)
    assert not path.exists()
    assert [r["status"] for r in store.load(folder.path)] == ["done"]


def test_outdated_records_count_as_absent_until_they_are_written_anew(folder):
    store.write(folder, UNIT, RECORD)
    records = store.RecordStore(folder, store.outdated(folder, {UNIT.key}))
    assert records.scan() == [] and not records.done
    store.write(folder, UNIT, RECORD)
    assert len(records.scan()) == 1 and UNIT.key in records.done
    assert records.scan() == []  # nothing changed


def test_a_claim_is_exclusive_and_freed(folder):
    path = folder.claim(UNIT)
    assert not files.is_claimed(path) and not path.exists()
    with files.claimed(path) as mine:
        assert mine and files.is_claimed(path)
        with files.claimed(path) as second:
            assert not second
        assert files.is_claimed(path)
    assert not files.is_claimed(path)


def test_locks_can_lie_elsewhere(folder, tmp_path, monkeypatch):
    assert folder.locks == folder.path / ".locks"
    monkeypatch.setenv("CIMLIC_LOCK_DIR", str(tmp_path / "locks"))
    assert folder.locks == tmp_path / "locks" / "small" / "miniature"
    files.check_lockable(folder.locks)


def test_frame_has_one_row_a_unit_and_flat_metrics(folder, tmp_path):
    store.write(folder, UNIT, RECORD)
    frame = table.frame(tmp_path)
    assert len(frame) == 1
    row = frame.iloc[0]
    assert row["map"] == 12.5 and row["seconds.fit"] == 1.0 and row["label"] == "coop"
    assert row["per_class_ap"] == {"ant": 12.5, "bee": None}
    assert json.loads(frame.drop(columns="per_class_ap").to_json())  # plain values
    assert table.frame(tmp_path / "nothing").empty


def test_frame_completes_older_records(folder, tmp_path):
    store.write(folder, UNIT, RECORD)
    other = dataclasses.replace(UNIT, preprocess="square")
    part = {"preprocess": "square", "restriction": "1 of 2 training images"}
    store.write(folder, other, RECORD | {"key": other.key} | part)
    frame = table.frame(tmp_path)
    assert sorted(frame["preprocess"]) == ["clip", "square"]
    assert frame.set_index("preprocess")["restriction"]["square"] == "1 of 2 training images"
    assert frame["restriction"].isna().sum() == 1 and frame["scores_sha256"].isna().all()
