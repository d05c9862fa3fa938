"""Arrays on disk: room reserved first, a digest last, checked before use, opened copy-on-write.

An .npy file with 32 bytes more at its end, the seal: a digest of the file's name and content. It
tells a file that was cut, zeroed by a power failure, changed, or written for another name.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import os
import stat
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmark.common import environment, files

_SEAL = 32  # bytes
_PART = 16 * 2**20  # bytes read at a time


@contextlib.contextmanager
def building(path: Path, shape: tuple[int, ...], dtype: type) -> Iterator[np.ndarray]:
    """A memory-mapped array to fill, which takes its name on disk, read-only, when it is whole.

    DiskFull before anything is filled in, if there is no room for it.
    """
    with files.atomic(path, read_only=True, first=True) as temporary:
        array = np.lib.format.open_memmap(temporary, "w+", dtype, shape)
        size = temporary.stat().st_size
        files.reserve(temporary, size + _SEAL)
        yield array
        array.flush()
        with temporary.open("rb+") as file:
            file.seek(size)
            file.write(_digest(temporary, size, path.name))


def is_whole(path: Path) -> bool:
    """Whether the file is as it was written, under this name; read once a process and state."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    state = (found.st_ino, found.st_size, found.st_mtime_ns)
    return stat.S_ISREG(found.st_mode) and _is_sealed(path, *state)


@functools.cache
def _is_sealed(path: Path, inode: int, size: int, mtime: int) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(max(0, size - _SEAL))
            return file.read() == _digest(path, size - _SEAL, path.name)
    except OSError:
        return False


def _digest(file: Path, size: int, name: str) -> bytes:
    """32 bytes of the file's first `size` ones and a name, by threads: files are tens of GB.

    CRC-32 of each part, several times as fast as a cryptographic hash: it is for accidents. Read,
    not mapped: a bad sector is an OSError instead of the process's death.
    """

    def checksum(start: int) -> int:
        with file.open("rb") as opened:
            opened.seek(start)
            return zlib.crc32(opened.read(min(_PART, size - start)))

    with ThreadPoolExecutor(min(8, environment.cores())) as pool:
        sums = list(pool.map(checksum, range(0, size, _PART)))
    return hashlib.sha256(json.dumps([name, size, sums]).encode()).digest()


def opened(path: Path) -> np.ndarray:
    """A new map of the array: what is written into it is seen by nobody else, and not kept."""
    try:
        return np.load(path, mmap_mode="c")
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        return np.load(path, mmap_mode="r")  # more than the system would promise to a writer
