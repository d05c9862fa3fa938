"""Arrays on disk: damage is told from content, a map is its reader's own, a full disk is a line."""

import errno
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest

from benchmark.common import arrays, environment
from benchmark.common.errors import DiskFull

ROWS = np.arange(12_000, dtype=np.float32).reshape(300, 40)
FILL = """
import sys
from pathlib import Path
from benchmark.common import arrays, environment
from benchmark.common.errors import DiskFull
folder = Path(sys.argv[1])
try:
    with arrays.building(folder / "big.npy", (8, 2**20), "uint8") as array:
        array[:] = 1
except DiskFull as error:
    print(error, list(folder.iterdir()))
"""


@pytest.fixture
def path(tmp_path):
    """A whole entry, written in parts smaller than it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_PART", 4096)
        yield written(tmp_path / "rows.npy")


def written(path, rows=ROWS):
    with arrays.building(path, rows.shape, rows.dtype) as array:
        array[:] = rows
    return path


def changed(path, content):
    path.chmod(0o644)
    path.write_bytes(content)


def test_what_was_written_is_read_and_may_not_be_written_to(path):
    assert arrays.is_whole(path) and np.array_equal(arrays.opened(path), ROWS)
    assert np.array_equal(np.load(path), ROWS), "a plain .npy file for everybody else"
    assert path.stat().st_mode & 0o222 == 0
    assert [file.name for file in path.parent.iterdir()] == ["rows.npy"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[: len(b) // 2] + bytes(len(b) - len(b) // 2),  # as a power cut leaves it
        lambda b: b[:128] + b[128:-32][::-1] + b[-32:],
        lambda b: b[:128] + b[4096:8192] + b[128 + 4096 :],
        lambda b: b[:9000] + bytes([b[9000] ^ 1]) + b[9001:],
        lambda b: b[:-1],
        lambda b: b[:-32],
        lambda b: b + b"\0",
        lambda b: b[:40],
        lambda b: b"",
        lambda b: b"no array at all\n" * 9,
    ],
)
def test_damage_is_found_although_the_file_was_whole_before(path, damage):
    assert arrays.is_whole(path)
    changed(path, damage(path.read_bytes()))
    assert not arrays.is_whole(path)


def test_a_file_of_another_name_is_no_entry_and_nor_is_what_is_no_file(path, tmp_path):
    other = written(tmp_path / "other.npy", ROWS + 1)
    changed(path, other.read_bytes())
    assert arrays.is_whole(other) and not arrays.is_whole(path)
    os.mkfifo(tmp_path / "fifo.npy")
    (tmp_path / "folder.npy").mkdir()
    assert not any(arrays.is_whole(tmp_path / f"{name}.npy") for name in ("fifo", "folder", "no"))


def test_a_file_is_read_once_while_it_stays_as_it_is(path, monkeypatch):
    assert arrays.is_whole(path)
    monkeypatch.setattr(arrays, "_digest", lambda *_: 1 / 0)
    assert arrays.is_whole(path)
    os.utime(path, ns=(0, 1))
    with pytest.raises(ZeroDivisionError):
        arrays.is_whole(path)


def test_writing_into_a_map_is_seen_by_nobody_else(path):
    before, first = path.read_bytes(), arrays.opened(path)
    first /= 2
    assert np.array_equal(first, ROWS / 2)
    assert np.array_equal(arrays.opened(path), ROWS) and path.read_bytes() == before


def test_a_map_that_the_system_will_not_promise_memory_for_is_read_only(path, monkeypatch):
    real = np.load

    def load(file, mmap_mode):
        if mmap_mode == "c":
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return real(file, mmap_mode=mmap_mode)

    monkeypatch.setattr(np, "load", load)
    found = arrays.opened(path)
    assert np.array_equal(found, ROWS) and not found.flags.writeable


def test_a_full_disk_is_said_before_anything_is_filled_in(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    one_line = r"^disk full: \S+ \(No space .*make room there[^\n]*$"
    entry = arrays.building(tmp_path / "x.npy", (9,), np.uint8)
    with pytest.raises(DiskFull, match=one_line), entry:
        pytest.fail("filled in")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_cannot_reserve_is_written_to_all_the_same(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    assert arrays.is_whole(written(tmp_path / "rows.npy"))


def test_a_limit_on_file_sizes_is_a_full_disk(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FILL, tmp_path],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)),
        cwd=environment.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.startswith("disk full:"), done
    assert done.stdout.endswith("[]\n")


def test_a_really_full_disk_does_not_kill_the_process(tmp_path):
    """On a small disk in memory, which only the child sees."""
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=2m none '{tmp_path}'"
    usable = shutil.which("unshare") and subprocess.run([*own, "sh", "-c", mount]).returncode == 0
    if not usable:
        pytest.skip("no disk can be mounted here")
    child = f"{mount} && exec '{sys.executable}' -c \"$FILL\" '{tmp_path}'"
    done = subprocess.run(
        [*own, "sh", "-c", child],
        env=os.environ | {"FILL": FILL},
        cwd=environment.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.startswith("disk full:"), done
    assert done.stdout.endswith("[]\n")


def test_of_two_that_build_one_array_at_once_the_first_stays(tmp_path):
    """As where no lock keeps them apart: whoever reads it goes on reading the same file."""
    path = tmp_path / "a.npy"
    with arrays.building(path, (4,), np.float32) as late:
        late[:2] = 1  # half
        with arrays.building(path, (4,), np.float32) as early:
            early[:] = 1
        assert arrays.is_whole(path)
        read, inode = arrays.opened(path), path.stat().st_ino
        late[2:] = 1
    assert arrays.is_whole(path) and path.stat().st_ino == inode and read.all()
    assert list(tmp_path.iterdir()) == [path]
