"""Where and with what a record was made: commit, versions, device, host, date."""

from __future__ import annotations

import datetime
import platform
import subprocess
from importlib import metadata
from typing import Any

from benchmark.common import environment

_PACKAGES = (
    "torch",
    "torchvision",
    "open_clip_torch",
    "numpy",
    "scikit-learn",
    "pillow",
    "safetensors",
    "filelock",
)


def of_code() -> dict[str, Any]:
    """{"commit", "dirty", "versions", "host"}: the same for every unit of a run.

    Commit and dirty are None where the code lies in no git checkout of its own.
    """
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no") if commit else None
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
        "versions": versions,
        "host": platform.node(),
    }


def now() -> str:
    """The time in UTC, to the second: `2025-01-31T12:00:00Z`."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _git(*arguments: str) -> str | None:
    """git's answer about this checkout; None without git or where the code is in no checkout."""
    if not (environment.ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(environment.ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
