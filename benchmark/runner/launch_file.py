"""What all jobs of an array are told, and its file in the launch folder: JSON, checked if read."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmark.clip.backbone import Backbone
from benchmark.common import files
from benchmark.common.errors import InputError
from benchmark.records.store import ResultsFolder
from benchmark.runner.job import Job
from benchmark.suites.unit import Unit

NAME = "plan.json"
_LARGEST = 10**9  # bytes
_NOT_TOLD = {"devices", "origin"}  # each machine sees for itself


@dataclass(frozen=True)
class Launch:
    """What all jobs of an array are told.

    job      its units have no record yet; which devices there are, each machine sees for itself
    device   as --device has it
    workers  as --workers has it
    count    how many jobs there are
    limit    seconds that a job may take
    notice   seconds before that at which a job is warned
    locks    how far locks are relied on, see `environment.locks`
    """

    job: Job
    device: str
    workers: int | None
    count: int
    limit: float
    notice: float
    locks: str
    environment: Mapping[str, str] = field(default_factory=dict)


def write(launch: Launch, folder: Path) -> None:
    """Put it where the jobs look for it; ValueError for a value that JSON does not have."""
    told = _parts(launch) | {"job": _told(launch.job)}
    with files.atomic(folder / NAME) as temporary:
        temporary.write_text(json.dumps(told, allow_nan=False, default=_plain), encoding="utf-8")


def read(folder: Path) -> Launch:
    """The launch of this folder; InputError where this machine cannot see it, or it is damaged."""
    path = folder / NAME
    try:
        told = json.loads(files.content(path, _LARGEST))
        return Launch(**told | {"job": _job(told["job"])})
    except OSError as error:
        reason = f"cannot be read on {platform.node()} ({error.strerror or error})"
        remedy = "name a --results-dir on a disk that all machines share"
        raise InputError(f"{path}: {reason}; {remedy}") from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        reason = f"no plan of this version of the code ({error})"
        raise InputError(f"{path}: {reason}; submit the jobs anew") from None


def _parts(value: Any) -> dict[str, Any]:
    """A dataclass's fields by name, as they are."""
    return {one.name: getattr(value, one.name) for one in fields(value)}


def _told(job: Job) -> dict[str, Any]:
    """The job's fields for JSON: a unit with its key, as a check; costs, whose names are tuples, as
    a list."""
    told = {name: value for name, value in _parts(job).items() if name not in _NOT_TOLD}
    units = [asdict(unit) | {"key": unit.key} for unit in job.units]
    costs = [[list(name), seconds] for name, seconds in job.costs.items()]
    backbone = asdict(job.backbone)
    return told | {"units": units, "costs": costs, "backbone": backbone, "folder": job.folder.path}


def _job(told: dict[str, Any]) -> Job:
    """The job again, with the types that its fields have."""
    weights = told["backbone"]["weights"]
    backbone = {name: _tuples(value) for name, value in told["backbone"].items()}
    return Job(
        **told
        | {
            "units": tuple(map(_unit, told["units"])),
            "folder": ResultsFolder(Path(told["folder"])),
            "cache": Path(told["cache"]),
            "root": Path(told["root"]),
            "backbone": Backbone(**backbone | {"weights": weights and Path(weights)}),
            "plugins": tuple(map(Path, told["plugins"])),
            "foreign": frozenset(told["foreign"]),
            "costs": {tuple(name): seconds for name, seconds in told["costs"]},
            "share": _tuples(told["share"]),
            "first": frozenset(told["first"]),
        }
    )


def _unit(told: dict[str, Any]) -> Unit:
    """The unit, whose key must come out as where it was planned."""
    key = told.pop("key")
    unit = Unit(**{name: _tuples(value) for name, value in told.items()})
    if unit.key != key:
        raise ValueError(f"another key for {unit.text}")
    return unit


def _tuples(value: Any) -> Any:
    """Lists, which JSON has in the place of tuples, as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """For JSON: a path as text, a set as a sorted list."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} {value!r}")
