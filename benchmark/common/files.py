"""Whole files and locks: atomic writing, times of files, what may be read and written, file locks.

Locks are the operating system's: freed when their holder dies, seen by every process and, where
the file system can, every machine.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import filelock

from benchmark.common.errors import InputError


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def file_times(folder: Path, ending: str = ".json") -> dict[str, int]:
    """Path -> mtime in ns of a folder's files of that ending; hidden and temporary ones not."""
    found = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(ending) and not entry.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):
                    found[entry.path] = entry.stat().st_mtime_ns
    return found


def check_readable(root: Path | None) -> None:
    """InputError if the data root is no folder whose content this user may list and enter."""
    try:
        if root is not None:
            with os.scandir(root) as entries:
                os.lstat(next(entries, root))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"--data-root {root}: no such folder; see --help") from None
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise InputError(f"--data-root {root}: {reason}; give this user access to it") from None


def check_writable(folder: Path, what: str) -> None:
    """InputError, which names the folder as `what`, if no file can be made in it."""
    probe = folder / f".probe-{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{what}: cannot be written ({reason}); name another folder") from None


def check_lockable(folder: Path) -> None:
    """InputError if the file system of the lock files has no locks."""
    try:
        with claimed(folder / ".probe.lock"):
            pass
    except (OSError, NotImplementedError) as error:
        remedy = "set CIMLIC_LOCK_DIR to a folder on a disk that can lock"
        raise InputError(f"{folder}: no lock can be taken ({error}); {remedy}") from None


def lock(path: Path) -> filelock.BaseFileLock:
    """A file lock, not yet taken; never a mere mark that a killed process would leave behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = inspect.signature(filelock.FileLock.__init__).parameters
    hard = {"fallback_to_soft": False} if "fallback_to_soft" in known else {}
    return filelock.FileLock(str(path), **hard)


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process got the lock file at once; it is held until the end of the block."""
    held = lock(path)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        held.release()


def is_claimed(path: Path) -> bool:
    """Whether some process holds the lock file. Makes no file."""
    if not path.exists():
        return False
    with claimed(path) as mine:
        return not mine


def lock_kind() -> str:
    """`UnixFileLock`, `WindowsFileLock` or, where nothing better works, `SoftFileLock`."""
    return filelock.FileLock.__name__
