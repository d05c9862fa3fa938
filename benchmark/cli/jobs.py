"""What the commands that compute units share: folders in order, the images, the workers' job."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.runner import devices

if TYPE_CHECKING:
    from benchmark.records.store import ResultsFolder
    from benchmark.runner.job import Job
    from benchmark.suites.plan import Choice, Plan
    from benchmark.suites.unit import Unit

TIMEOUT = "a unit that takes longer is ended and recorded as failed (default: no limit)"


def check_workers(flags: argparse.Namespace) -> None:
    """InputError for a number of workers, a time limit or a device that cannot be."""
    if flags.workers is not None and flags.workers < 1:
        raise InputError(f"--workers {flags.workers}: must be 1 or more")
    if flags.unit_timeout is not None and not flags.unit_timeout > 0:
        raise InputError(f"--unit-timeout {flags.unit_timeout:g}: must be more than 0 seconds")
    devices.check_device(flags.device)


def check_folders(folder: ResultsFolder, results: Path, lockable: bool = True) -> None:
    """InputError for folders that cannot be written or, where asked for, locked.

    results   as --results-dir has it
    """
    from benchmark.common import files

    files.check_writable(folder.records, f"--results-dir {results}")
    files.check_writable(environment.cache(), "$CIMLIC_CACHE")
    if lockable:
        files.check_lockable(folder.locks)


def job(
    flags: argparse.Namespace,
    choice: Choice,
    made: Plan,
    units: Iterable[Unit],
    left: int | None,
    **more: Any,
) -> Job:
    """The job of the workers that the flags ask for, no more of them than units `left` to run.

    left   None: it computes on other machines, which see for themselves what devices they have
    more   the fields of a Job that commands differ in: its suite and folder, what is stale
    """
    from benchmark.records import provenance
    from benchmark.runner.job import Job

    units = tuple(units)
    cache = environment.cache()
    places = ()
    if left is not None:
        places = devices.worker_devices(flags.device, flags.workers, left)
    return Job(
        units=units,
        cache=cache,
        root=_data_root(choice, units, cache),
        backbone=made.backbone,
        plugins=choice.plugins,
        foreign=frozenset(name for name, method in made.known.methods.items() if method.foreign),
        timeout=flags.unit_timeout,
        devices=places,
        origin=provenance.of_code(),
        shuffle=int.from_bytes(os.urandom(4), "big"),
        **more,
    )


def _data_root(choice: Choice, units: Sequence[Unit], cache: Path) -> Path:
    """The folder with the images, checked: the user's, or the miniature, rendered if need be."""
    from benchmark.data import tasks

    if choice.data_root is None:
        from benchmark.miniature import build

        return build.ensure(cache, any(unit.task in tasks.DEVELOPMENT for unit in units))
    for name, first in {unit.task: unit.episode for unit in reversed(units)}.items():
        tasks.check_files(tasks.load(name, choice.scale, choice.data_root, first))
    return choice.data_root
