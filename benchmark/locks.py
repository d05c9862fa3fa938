"""Locks between processes and machines: the operating system's, freed when their holder dies."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import filelock

from benchmark.errors import InputError


def lock(path: Path) -> filelock.BaseFileLock:
    """The one kind of lock in use: the operating system's, freed when its process dies."""
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


def check(folder: Path) -> None:
    """InputError if the file system of the lock files has no locks."""
    try:
        with claimed(folder / ".probe.lock"):
            pass
    except (OSError, NotImplementedError) as error:
        remedy = "set CIMLIC_LOCK_DIR to a folder on a disk that can lock"
        raise InputError(f"{folder}: no lock can be taken ({error}); {remedy}") from None


def kind() -> str:
    """`UnixFileLock`, `WindowsFileLock` or, where nothing better works, `SoftFileLock`."""
    return filelock.FileLock.__name__
