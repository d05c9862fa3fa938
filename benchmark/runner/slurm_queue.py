"""What Slurm says of jobs, by its own command `squeue`; nothing where there is none."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from typing import NamedTuple

_GONE = "Invalid job id"  # what squeue says of jobs that ended minutes ago
_NEVER = (
    "BadConstraints",
    "PartitionTimeLimit",
    "PartitionNodeLimit",
    "InvalidAccount",
    "InvalidQOS",
)
_SECONDS = 60  # after which a controller that does not answer counts as out of reach


class Queued(NamedTuple):
    """A job that has not ended: `1234_5`, `RUNNING`, how long it ran, its node or what it waits
    for."""

    id: str
    state: str
    elapsed: str
    place: str

    @property
    def is_hopeless(self) -> bool:
        """Whether it waits in vain, such as for more time than its partition gives."""
        return self.state == "PENDING" and self.place.strip("()") in _NEVER


def is_there() -> bool:
    """Whether this machine can ask Slurm."""
    return shutil.which("squeue") is not None


def queued(ids: Iterable[str]) -> list[Queued] | None:
    """The jobs of these arrays that have not ended; None where Slurm cannot be asked just now."""
    numbers = ",".join(dict.fromkeys(found.partition("_")[0] for found in ids))
    if not numbers or not is_there():
        return None
    command = ["squeue", "--noheader", "--array", "--jobs", numbers, "--format", "%i|%T|%M|%R"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if asked.returncode:
        return [] if _GONE in asked.stderr else None
    rows = (line.split("|", 3) for line in asked.stdout.splitlines())
    return [Queued(*map(str.strip, row)) for row in rows if len(row) == 4]


def seconds(text: str) -> int | None:
    """A time limit as Slurm writes it, `30`, `30:00`, `4:00:00`, `2-12` or `2-12:00:00`; None for
    any other text. A number alone is minutes, after days hours."""
    if not re.fullmatch(r"(\d+-)?\d+(:\d+){0,2}", text):
        return None
    days, dash, rest = text.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if dash or len(parts) == 3:
        hours, minutes, rest_seconds = (*parts, 0, 0)[:3]
    else:
        hours, (minutes, rest_seconds) = 0, (*parts, 0)[:2]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + rest_seconds
