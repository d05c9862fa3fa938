"""The environment: folders (repository, cache, data root, locks), cores, free memory.

The only file that reads the CIMLIC_ variables. Brings nothing heavy.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmark.common.errors import InputError

ROOT = Path(__file__).resolve().parents[2]  # of the repository
GIB = 1024**3


def cache() -> Path:
    """$CIMLIC_CACHE or ~/.cache/cimlic: rendered images, features, base states, method cards."""
    return Path(os.environ.get("CIMLIC_CACHE") or "~/.cache/cimlic").expanduser().resolve()


def data_root(flag: str | None = None) -> Path | None:
    """--data-root, or $CIMLIC_DATA_ROOT, or None: the miniature."""
    given = flag or os.environ.get("CIMLIC_DATA_ROOT")
    return Path(given).expanduser().resolve() if given else None


def given_data_root(flag: str | None = None) -> Path:
    """The same; InputError if there is none, for commands that the miniature is no use to."""
    root = data_root(flag)
    if root is None:
        raise InputError("--data-root: name the folder with COCO and VOC; see docs/paper-scale.md")
    return root


def lock_dir() -> Path | None:
    """$CIMLIC_LOCK_DIR, for results on a network disk that cannot lock; or None: beside them."""
    given = os.environ.get("CIMLIC_LOCK_DIR")
    return Path(given).expanduser() if given else None


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> float:
    """Free bytes: the machine's or, if less, the container's; infinity where nothing tells."""
    free = float("inf")
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(float(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable"))
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            lines = (group / "memory.stat").read_text().splitlines()
            used = next(float(x.split()[1]) for x in lines if x.startswith("anon "))
            free = min(free, float(limit) - used)
    except (OSError, StopIteration, ValueError):
        pass
    return free
