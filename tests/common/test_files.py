"""Files from elsewhere are opened without waiting; locks of other accounts are one line."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import filelock
import pytest

from benchmark.common import files, processes
from benchmark.common.errors import InputError
from benchmark.runner import launcher


def test_only_regular_files_are_read(tmp_path):
    (tmp_path / "file").write_bytes(b"1234")
    (tmp_path / "link").symlink_to("file")
    assert files.content(tmp_path / "file", 4) == files.content(tmp_path / "link", 4) == b"1234"
    with pytest.raises(OSError, match="larger than"):
        files.content(tmp_path / "file", 3)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("pipe", "loop", ".", "none", "/dev/zero"):
        with pytest.raises(OSError):
            files.content(tmp_path / name, 4)


def test_times_are_of_whatever_has_the_ending(tmp_path):
    (tmp_path / "a.json").write_text("")
    (tmp_path / "b.json").mkdir()
    (tmp_path / "c.json").symlink_to("c.json")
    (tmp_path / "d.json").symlink_to("none")
    (tmp_path / ".e.json").write_text("")
    assert {Path(path).name[0] for path in files.file_times(tmp_path)} == set("abcd")
    assert files.file_times(tmp_path / "none") == {}


def test_a_lock_of_another_account_is_one_line_that_names_it(tmp_path, monkeypatch):
    path = tmp_path / "x.lock"
    path.touch()

    def refused(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    with pytest.raises(InputError, match="cannot be locked") as error, files.claimed(path):
        pass
    assert path.owner() in str(error.value) and "\n" not in str(error.value)
    assert files.is_claimed(path) is None


def test_a_folder_in_the_place_of_a_lock_is_one_line(tmp_path):
    (tmp_path / "x.lock").mkdir()
    with (
        pytest.raises(InputError, match="x.lock: a folder where"),
        files.claimed(tmp_path / "x.lock"),
    ):
        pass


def test_an_owner_without_a_name_is_a_number(tmp_path, monkeypatch):
    def nameless(self):
        raise KeyError(self)

    assert files.owner(tmp_path / "not" / "there") == tmp_path.owner()
    monkeypatch.setattr(Path, "owner", nameless)
    assert files.owner(tmp_path) == f"user {tmp_path.stat().st_uid}"


def test_locks_that_are_not_relied_on_are_not_taken(tmp_path, monkeypatch):
    path = tmp_path / "new" / "a.lock"
    for word, second in (("sure", False), ("unsure", False), ("none", True)):
        monkeypatch.setenv("CIMLIC_LOCKS", word)
        with files.claimed(path) as one, files.claimed(path) as two:
            assert (one, two) == (True, second), word
    monkeypatch.setenv("CIMLIC_LOCKS", "some")
    with pytest.raises(InputError, match="CIMLIC_LOCKS 'some': must be one of sure"):
        files.lock(path)


def test_where_nothing_locks_a_lease_keeps_others_from_what_is_being_built(tmp_path, monkeypatch):
    """Until its holder lets go, or is dead on a machine that cannot be asked."""
    monkeypatch.setenv("CIMLIC_LOCKS", "none")
    monkeypatch.setattr(files, "_LEASE", 0.4)
    path, mark = tmp_path / "a.lock", tmp_path / "a.lease"
    with files.lock(path):
        text = mark.read_text()
        with processes.pool(1) as pool:
            assert pool.submit(_claimed_anyway, path, 0.4).result() is False
    assert not mark.exists()
    mark.write_text(text.replace(f"host={socket.gethostname()}", "host=elsewhere"))
    with files.claimed(path, or_lease=True) as mine:
        assert mine


def _claimed_anyway(path, lease):
    """Whether another process gets it, which waits longer than a lease lasts."""
    files._LEASE = lease
    with files.claimed(path, or_lease=True) as mine:
        return mine


def test_whether_a_lock_keeps_another_process_out_is_tried(tmp_path, monkeypatch):
    assert launcher.locks_exclude(tmp_path)
    monkeypatch.setenv("CIMLIC_LOCKS", "none")
    assert not launcher.locks_exclude(tmp_path)

    def no_locks(self, *_, **__):
        raise NotImplementedError

    monkeypatch.setenv("CIMLIC_LOCKS", "unsure")
    monkeypatch.setattr(filelock.FileLock, "acquire", no_locks)
    assert not launcher.locks_exclude(tmp_path)
    assert not list(tmp_path.iterdir())
