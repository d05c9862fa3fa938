"""Whatever lies among records: one line, missing, left alone, and no reader waits for it."""

from __future__ import annotations

import gzip
import json
import os

import pytest

from benchmark.common.errors import InputError
from benchmark.records import reading, store, table
from benchmark.report import compare, grid
from tests.helpers import suite_records as fakes

UNIT, OTHER = fakes.unit("voc-lt", "coop"), fakes.unit("voc-lt", "coop", seed=1)
GOOD = fakes.record(UNIT)


@pytest.fixture
def folder(tmp_path):
    """A folder with the record of another unit."""
    made = store.paths(tmp_path, "cimlic", "miniature")
    fakes.store(made.path, [fakes.record(OTHER)])
    return made


def content(text: str | bytes):
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode())


def of(**changes):
    return content(json.dumps(GOOD | changes))


STRANGE = {
    "deep": content('{"a":' * 100_000),
    "deep list": content("[" * 5000 + "]" * 5000),
    "many digits": content(f'{{"schema": 1, "seed": {"9" * 5000}}}'),
    "too many for a float": of(seconds={"fit": 10**400}),
    "no number": of(metrics={"map": float("nan")}),
    "infinite": content(json.dumps(GOOD).replace('"seed": 0', '"seed": 1e999')),
    "failed in a plain file": of(status="failed"),
    "not UTF-8": content(b"\xff\xfe"),
    "too large": content(b" " * (2 * reading.MB) + json.dumps(GOOD).encode()),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a loop": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("gone"),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to a text": lambda path: path.symlink_to("/etc/passwd"),
}


def kept(path):
    """What must not change: not the time of reading."""
    found = os.lstat(path)
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_file_is_one_line_and_missing(folder, name, capsys, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST", reading.MB)
    path = folder.record(UNIT)
    STRANGE[name](path)
    before = kept(path)
    records = store.RecordStore(folder)
    records.scan()
    assert set(records.done) == {OTHER.key} and records.damaged == 1 and not records.failed
    assert [r["key"] for r in store.load(folder.path)] == [OTHER.key]
    assert list(table.frame(folder.path)["key"]) == [OTHER.key]
    cell = grid.gather([UNIT, OTHER], folder.path).cell("voc-lt", "coop")
    assert (len(cell.done), cell.missing) == (1, 1)
    assert "1 units in both" in compare.compare(folder.path, folder.path)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {path}: ") and line.endswith("; treated as missing")
    assert len(line) < len(str(path)) + 200 and line.isprintable()
    assert kept(path) == before


def test_done_in_an_error_file_is_no_record(folder, capsys):
    folder.error(UNIT).write_text(json.dumps(GOOD))
    assert len(store.load(folder.path)) == 1
    assert "'status' must be failed" in capsys.readouterr().err


def test_a_name_that_steers_the_terminal_is_shown_plain(folder, capsys):
    (folder.records / "a\x1b[2J\nb\udcff.json").write_text("")
    store.load(folder.path)
    (line,) = capsys.readouterr().err.splitlines()
    assert "/a b\ufffd.json" in line and "\x1b" not in line


def zeros(path):
    path.write_bytes(gzip.compress(bytes(5 * reading.MB)))


def blank(path):
    path.write_bytes(gzip.compress(b"\n" * 5 * reading.MB))


def many(path):
    line = json.dumps(GOOD).encode() + b"\n"
    path.write_bytes(gzip.compress(line * (4 * reading.MB // len(line))))


@pytest.mark.parametrize(
    "make, why",
    [
        (zeros, "more than 1 MB a line or 3 MB in all"),
        (blank, "more than 100 lines are no records"),
        (many, "more than 1 MB a line or 3 MB in all"),
        (os.mkfifo, "no regular file"),
        (lambda path: path.symlink_to(path.name), "symbolic links"),
        (lambda path: path.mkdir(), "no regular file"),
    ],
)
def test_strange_packed_records_are_one_line_and_missing(folder, make, why, capsys, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST", reading.MB)
    monkeypatch.setattr(reading, "LARGEST_PACKED", 3 * reading.MB)
    make(folder.packed)
    assert [r["key"] for r in store.load(folder.path)] == [OTHER.key]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {folder.packed}: ") and why in line


@pytest.mark.parametrize("label", ["../../../up", "/abs", "a\\b", "x" * 300, "é" * 200, "..", ""])
def test_a_record_names_one_file_in_its_folder(folder, label):
    record = fakes.record(UNIT, label=label)
    name = f"{store.stem(record)}{reading.ERROR}"
    assert not set(name) & set("/\\\0") and len(os.fsencode(name)) < 255
    assert name.endswith(f"_s0_{UNIT.key[:10]}{reading.ERROR}")


@pytest.mark.parametrize("part", ["", "cimlic", "cimlic/miniature", "cimlic/miniature/records"])
def test_a_file_in_the_place_of_a_folder_is_bad_input(tmp_path, part):
    place = tmp_path / "results" / part
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("")
    with pytest.raises(InputError, match="name another --results-dir"):
        store.RecordStore(store.paths(tmp_path / "results", "cimlic", "miniature")).scan()


def test_a_folder_that_may_not_be_listed_is_told_of_and_the_others_are_read(folder, monkeypatch):
    closed, told = folder.path.parent.parent / "closed", []
    closed.mkdir()
    listed = os.scandir

    def scandir(path):
        if os.fspath(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(closed))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert len(store.load(closed.parent, complain=told.append)) == 1
    assert told == [f"{closed}: cannot be listed (Permission denied); treated as missing"]


def test_a_folder_that_may_not_be_listed_names_its_owner(folder, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(InputError, match="Permission denied") as error:
        store.load(folder.records)
    assert folder.path.owner() in str(error.value)
