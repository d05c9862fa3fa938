"""Whole files and locks: atomic writing, room for it, times of files, what may be read and written.

Locks are the operating system's: freed when their holder dies, seen by every process and, where
the file system can, every machine.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import filelock

from benchmark.common import environment
from benchmark.common.errors import DiskFull, InputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # the disk's, the user's, the process's end
_CANNOT_RESERVE = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}  # some network disks
_ABANDONED = 3600  # seconds without a write after which a temporary file is nobody's
_LEASE = 120  # seconds

_AT_ONCE = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"))


@contextlib.contextmanager
def atomic(path: Path, read_only: bool = False, first: bool = False) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block succeeds.

    first   what is there by then stays: it is the same, and others may be reading it, which on a
            network disk would end with the file

    It is synced before that, so that no crash leaves a name with half a content; the folder is
    not: a crash may undo the renaming, and the file is then absent as before. DiskFull if there
    is no room.
    """
    with room(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            if read_only:
                temporary.chmod(temporary.stat().st_mode & ~0o222)
            if not (first and path.exists()):
                os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def room(folder: Path) -> Iterator[None]:
    """DiskFull, which names the folder, for an OSError that says that there is no room."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        remedy = "make room there, then the same command goes on from here"
        raise DiskFull(f"disk full: {folder} ({error.strerror}); {remedy}") from None


def reserve(path: Path, size: int) -> None:
    """Make the file `size` bytes long and its room sure; OSError if there is none.

    Who writes through a memory map is killed (SIGBUS) where the disk is found full later.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                if error.errno not in _CANNOT_RESERVE:
                    raise


def remove_leftovers(*paths: Path) -> None:
    """Remove temporary files of `paths`, in one folder, that killed processes left.

    Whoever else might write them must be kept out: the lock of what they belong to is held. Where
    that may not keep out other machines, young ones are left.
    """
    names = tuple(f".{path.name}." for path in paths)
    sure = environment.locks() == "sure"
    with contextlib.suppress(OSError), os.scandir(paths[0].parent) as entries:
        for entry in entries:
            ours = entry.name.endswith(".tmp") and entry.name.startswith(names)
            if ours and (sure or _is_abandoned(Path(entry.path))):
                os.unlink(entry.path)


def _is_abandoned(temporary: Path) -> bool:
    return time.time() - temporary.stat().st_mtime > _ABANDONED


def sweep(folder: Path) -> None:
    """Remove temporary files of entries that nobody builds, for those that nobody wants again.

    An entry `x.npy` is built by who holds `x.lock`. Young ones are kept: where locks do not reach
    from one machine to another, somebody may be writing them.
    """
    for temporary in folder.glob(".*.tmp"):
        path = folder / temporary.name[1:].rsplit(".", 2)[0]
        with contextlib.suppress(OSError, InputError):
            if _is_abandoned(temporary):
                with claimed(path.with_suffix(".lock")) as mine:
                    if mine:
                        temporary.unlink()


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


def check_no_link(folder: Path) -> None:
    """InputError for a folder of a report that is a link: in a results folder from elsewhere it
    may lead to any folder of the user's, where writing would replace and remove files."""
    if folder.is_symlink():
        raise InputError(f"{folder}: is a link, through which no report is written; remove it")


def check_lockable(folder: Path) -> None:
    """InputError if the file system of the lock files has no locks."""
    if error := lock_error(folder):
        remedy = "set CIMLIC_LOCK_DIR to a folder on a disk that can lock"
        raise InputError(f"{folder}: no lock can be taken ({error}); {remedy}")


def lock_error(folder: Path) -> Exception | None:
    """What comes of taking a lock in the folder, if its file system has none."""
    try:
        with claimed(folder / ".probe.lock"):
            return None
    except (OSError, NotImplementedError) as error:
        return error


def lock(path: Path) -> contextlib.AbstractContextManager:
    """A file lock, not yet taken; never a mere mark that a killed process would leave behind.

    Where `environment.locks` says that none excludes, a lease takes its place: a mark beside it
    that its holder renews, and that counts no longer once it was seen unchanged for _LEASE seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if environment.locks() == "none":
        return filelock.SoftFileLease(path.with_suffix(".lease"), lease_duration=_LEASE)
    return filelock.FileLock(path, fallback_to_soft=False)


@contextlib.contextmanager
def claimed(path: Path, or_lease: bool = False) -> Iterator[bool]:
    """Whether this process got the lock file at once; it is held until the end of the block.

    Where `environment.locks` says "none", everybody gets it; with `or_lease`, who gets the lease in
    its place, for which it waits so long that a dead holder's has ended. InputError where another
    account's lock file or folder keeps this one out.
    """
    lease = environment.locks() == "none"
    if lease and not or_lease:
        yield True
        return
    try:
        held = lock(path)
        with room(path.parent):
            held.acquire(timeout=1.5 * _LEASE if lease else 0)
    except filelock.Timeout:
        yield False
        return
    except IsADirectoryError:
        raise InputError(f"{path}: a folder where a lock file belongs; remove it") from None
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
