"""The environment: folders (repository, cache, data root, locks), cores, free memory.

The only file that reads the CIMLIC_ variables. Brings nothing heavy.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmark.common.errors import InputError

ROOT = Path(__file__).resolve().parents[2]  # of the repository
GIB = 1024**3
LOCKS = ("sure", "unsure", "none")


def expanded(given: str, what: str) -> Path:
    """The path with its ~ replaced; InputError, which `what` begins, if it is empty or no path."""
    if not given.strip():
        raise InputError(f"{what}: is empty, which names nothing; give a path, or leave it out")
    try:
        return Path(given).expanduser()
    except RuntimeError as error:  # ~nobody
        raise InputError(f"{what} {given}: {error}; write the whole path") from None


def absolute(given: str, what: str) -> Path:
    """The same from the root on, links followed; InputError also where that cannot be done."""
    try:
        return expanded(given, what).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # too long, links in a circle, a NUL
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{what} {given}: no path ({reason}); name another") from None


def _variable(name: str) -> Path | None:
    """The path in an environment variable, None where it is not set; InputError if it is empty."""
    given = os.environ.get(name)
    return None if given is None else absolute(given, f"${name}")


def cache() -> Path:
    """$CIMLIC_CACHE or ~/.cache/cimlic: rendered images, features, base states, method cards."""
    return _variable("CIMLIC_CACHE") or absolute("~/.cache/cimlic", "$CIMLIC_CACHE")


def data_root(flag: str | None = None) -> Path | None:
    """--data-root, or $CIMLIC_DATA_ROOT, or None: the miniature."""
    return _variable("CIMLIC_DATA_ROOT") if flag is None else absolute(flag, "--data-root")


def given_data_root(flag: str | None = None) -> Path:
    """The same; InputError if there is none, for commands that the miniature is no use to."""
    root = data_root(flag)
    if root is None:
        raise InputError(
            "--data-root: name the folder with the images; see docs/paper-scale.md or own-data.md"
        )
    return root


def lock_dir() -> Path | None:
    """$CIMLIC_LOCK_DIR, for results on a network disk that cannot lock; or None: beside them."""
    return _variable("CIMLIC_LOCK_DIR")


def locks() -> str:
    """How far file locks are relied on, $CIMLIC_LOCKS; jobs of a cluster are told by who started
    them, as they share folders with other machines.

    "sure" (the default)   whoever holds a lock has what it is for to himself
    "unsure"               locks are taken, but no fresh file of others is cleared away for it
    "none"                 none is taken: a unit may be computed twice, but each result appears
                           whole; what is built for the cache is kept apart by leases
    """
    given = os.environ.get("CIMLIC_LOCKS", LOCKS[0])
    if given not in LOCKS:
        raise InputError(f"$CIMLIC_LOCKS {given!r}: must be one of {', '.join(LOCKS)}")
    return given


def ours() -> dict[str, str]:
    """The CIMLIC_ variables that are set, for processes on machines that do not inherit them."""
    return {name: value for name, value in os.environ.items() if name.startswith("CIMLIC_")}


def cores() -> int:
    """The cores that this process may use; in a Slurm job no more than Slurm gave it."""
    found = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    given = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return min(found, int(given)) if given.isdecimal() and int(given) else found


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
