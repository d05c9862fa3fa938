"""Temporary files of killed processes go away, those of living ones stay."""

import errno
import os
import time

import pytest

from benchmark.common import files
from benchmark.common.errors import DiskFull


def left(folder, name, age=0.0):
    """A temporary file as a process killed `age` seconds ago leaves it."""
    path = folder / f".{name}.0123456789ab.tmp"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_those_of_an_entry_are_removed_and_no_others(tmp_path):
    own, other, longer = (left(tmp_path, name) for name in ("a.npy", "a1.npy", "aa.npy"))
    files.remove_leftovers(tmp_path / "a.npy")
    assert not own.exists() and other.exists() and longer.exists()
    files.remove_leftovers(tmp_path / "new" / "a.npy")  # nothing there yet


def test_a_sweep_leaves_what_is_young_or_being_built(tmp_path):
    old, young, held = left(tmp_path, "a.npy", 9e4), left(tmp_path, "b.npy"), tmp_path / "c.npy"
    building = left(tmp_path, held.name, 9e4)
    with files.claimed(held.with_suffix(".lock")) as mine:
        assert mine
        files.sweep(tmp_path)
    assert not old.exists() and young.exists() and building.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_is_one_line_and_leaves_no_file(number, tmp_path):
    one_line = pytest.raises(DiskFull, match="^disk full: .*; make room there[^\n]*$")
    with one_line, files.atomic(tmp_path / "new" / "x.json") as temporary:
        temporary.write_bytes(b"half")
        raise OSError(number, os.strerror(number))
    assert not list((tmp_path / "new").iterdir())


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(PermissionError), files.atomic(tmp_path / "x.json"):
        raise PermissionError(errno.EACCES, "no")


def test_what_a_killed_worker_left_of_a_unit_goes_when_it_is_computed(world):
    chosen = ("--tasks", "voc-lt", "--seeds", "0", "--methods", "prior")
    assert world.run(*chosen)[0] == 0
    (record,) = world.records.glob("*.json")
    (scores,) = (world.records.parent / "scores").glob("voc-lt_*")
    record.unlink()
    for path in (record, record.with_name(f"{record.stem}.error.json"), scores):
        left(path.parent, path.name)
    other = left(record.parent, "other.json")
    assert world.run(*chosen)[0] == 0
    assert record.exists() and list(world.results.rglob(".*.tmp")) == [other]


def test_where_locks_may_not_reach_other_machines_young_ones_are_left(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMLIC_LOCKS", "unsure")
    old, young = left(tmp_path, "a.npy", 9e4), tmp_path / ".a.npy.ba9876543210.tmp"
    young.write_bytes(b"half")
    files.remove_leftovers(tmp_path / "a.npy")
    assert young.exists() and not old.exists()


def test_what_was_built_first_stays(tmp_path):
    path = tmp_path / "a.npy"
    with files.atomic(path, first=True) as mine:
        mine.write_bytes(b"mine")
        path.write_bytes(b"theirs")
    assert path.read_bytes() == b"theirs" and list(tmp_path.iterdir()) == [path]
