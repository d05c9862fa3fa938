"""Keeps freed memory in the process, so that a training step finds that of the step before."""

from __future__ import annotations

import contextlib
import ctypes
import platform

_TRIM, _MAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h
_LARGEST = 32 * 1024**2  # bytes: more it does not take from the heap


def keep() -> bool:
    """Whether that could be arranged: with glibc, from now on, for what is not larger than 32 MiB.

    Otherwise it may give the heap's free end back and ask for it again step after step, and the
    system fills each page with zeros anew.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_MAP, _LARGEST) and mallopt(_TRIM, 2**31 - 1))
    return False
