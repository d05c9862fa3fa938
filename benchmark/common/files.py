"""Whole files and locks: atomic writing, times of files, what may be read and written, file locks.

Locks are the operating system's: freed when their holder dies, seen by every process and, where
the file system can, every machine.
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import filelock

from benchmark.common.errors import InputError

_AT_ONCE = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"))


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
    """Path -> mtime in ns of a folder's entries of that ending; hidden and temporary ones not.

    Also of what is no file, or a link that leads nowhere: who reads it hears of that.
    """
    found = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(ending) and not entry.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):
                    found[entry.path] = _time(entry)
    return found


def _time(entry: os.DirEntry) -> int:
    try:
        return entry.stat().st_mtime_ns
    except OSError:
        return entry.stat(follow_symlinks=False).st_mtime_ns


def opened(path: Path | str) -> BinaryIO:
    """A regular file, open for reading; OSError for a folder, a pipe, a device or a socket.

    Never waits for a writer, as opening a pipe would.
    """
    handle = os.open(path, os.O_RDONLY | _AT_ONCE)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise OSError(errno.EINVAL, "no regular file")


def content(path: Path | str, most: int) -> bytes:
    """A regular file's bytes; OSError as `opened`, and where it has more than `most` of them."""
    with opened(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most // 10**6} MB")
        return file.read()


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
    """Whether this process got the lock file at once; it is held until the end of the block.

    InputError where another account's lock file or folder keeps this one out.
    """
    try:
        held = lock(path)
        held.acquire(timeout=0)
    except filelock.Timeout:
        yield False
        return
    except PermissionError as error:
        reason = f"cannot be locked ({error.strerror or error}): it belongs to {owner(path)}"
        remedy = "let one account compute here, or give each its own --results-dir and CIMLIC_CACHE"
        raise InputError(f"{path}: {reason}; {remedy}") from None
    try:
        yield True
    finally:
        held.release()


def is_claimed(path: Path) -> bool | None:
    """Whether some process holds the lock file; None where this account cannot tell. Makes none."""
    try:
        if not path.exists():
            return False
        with claimed(path) as mine:
            return not mine
    except (OSError, InputError):
        return None


def owner(path: Path) -> str:
    """Whose a path is, or the folder where it would be: the account's name, else its number."""
    for at in (path, *path.parents):
        with contextlib.suppress(OSError, NotImplementedError):
            try:
                return at.owner()
            except KeyError:  # an account that this machine has no name for
                return f"user {at.stat().st_uid}"
    return "another account"


def lock_kind() -> str:
    """`UnixFileLock`, `WindowsFileLock` or, where nothing better works, `SoftFileLock`."""
    return filelock.FileLock.__name__
