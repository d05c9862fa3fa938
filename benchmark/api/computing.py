"""Units of a selection to records: by which means, what is left to compute, what came of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.common.text import one_line
from benchmark.runner import devices

if TYPE_CHECKING:
    from benchmark.api.selection import Selection
    from benchmark.records.store import RecordStore, ResultsFolder
    from benchmark.runner.job import Job
    from benchmark.suites.plan import Choice, Plan
    from benchmark.suites.unit import Unit


@dataclass(frozen=True)
class Means:
    """Processes, where they compute, seconds that a unit may take; InputError for what cannot be.

    None: one process a GPU, else one a core; no limit.
    """

    workers: int | None = None
    device: str = "auto"
    timeout: float | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers {self.workers}: must be 1 or more")
        if self.timeout is not None and not self.timeout > 0:
            raise InputError(f"--unit-timeout {self.timeout:g}: must be more than 0 seconds")
        devices.check_device(self.device)


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
    choice: Choice,
    made: Plan,
    means: Means,
    units: Iterable[Unit],
    left: int | None,
    **more: Any,
) -> Job:
    """The job of the workers that are asked for, no more of them than units `left` to run.

    left   None: it computes on other machines, which see for themselves what devices they have
    more   the fields of a Job that callers differ in: its suite and folder, what is stale
    """
    from benchmark.records import provenance
    from benchmark.runner.job import Job

    units = tuple(units)
    cache = environment.cache()
    places = ()
    if left is not None:
        places = devices.worker_devices(means.device, means.workers, left)
    return Job(
        units=units,
        cache=cache,
        root=_data_root(choice, units, cache),
        backbone=made.backbone,
        plugins=choice.plugins,
        foreign=frozenset(name for name, method in made.known.methods.items() if method.foreign),
        timeout=means.timeout,
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


@dataclass(frozen=True)
class Work:
    """A selection's units, and the records by which they are done: see `begun`.

    units   by key: two labels may name the same unit
    left    those without a record
    taken   how many records were taken over from other suites of the results folder
    """

    chosen: Selection
    records: RecordStore
    units: dict[str, Unit]
    left: tuple[Unit, ...]
    options: dict[str, bool] = field(default_factory=dict)  # of the job: oracle, plain
    taken: int = 0

    def job(self, means: Means, elsewhere: bool = False) -> Job:
        """What is to be computed; `elsewhere`: by other machines, so that only what is left is."""
        from benchmark.runner import schedule

        records, units, stale = self.records, [*self.units.values()], self.records.stale
        if elsewhere:
            units, stale = self.left, {**stale, **records.uncounted(self.left)}
        return job(
            *(self.chosen.choice, self.chosen.made, means, units),
            left=None if elsewhere else len(self.left),
            suite=self.chosen.made.suite.name,
            folder=records.folder,
            stale=stale,
            costs=schedule.known([records.folder, self.chosen.reference]),
            **self.options,
        )

    def compute(self, job: Job, progress: TextIO | None = None) -> Work:
        """The work as it stands once all units are done or have failed.

        progress   where it is shown, by default on stderr
        InputError for what no unit can be computed with.
        """
        from benchmark.runner import workers

        return replace(self, records=workers.run(job, progress), left=())


def begun(
    chosen: Selection,
    *,
    oracle: bool = False,
    plain: bool = False,
    force: bool = False,
    lockable: bool = True,
) -> Work:
    """The work on a selection, before anything is computed; InputError for folders as they are.

    force      records that are there count as absent, and so do the stages that units share;
               without it what another suite of the same results folder has is taken over, but not
               of methods of plugins, whose code may have changed under the same version
    lockable   whether the records' folder must be one that can lock; where none can be taken,
               nothing is taken over
    """
    from benchmark.common import files
    from benchmark.records import store

    folder, units = chosen.folder, {unit.key: unit for unit in chosen.made.units}
    check_folders(folder, chosen.results, lockable)
    stale = store.outdated(folder, units.keys() if force else ())
    if force:
        stale |= files.file_times(environment.cache() / "states", ".safetensors")
    records = store.RecordStore(folder, stale, oracle)
    records.scan()
    left = [unit for key, unit in units.items() if key not in records.done]
    taken = 0
    if left and not force and (lockable or not files.lock_error(folder.locks)):
        from benchmark.records import taken_over

        shipped = [unit for unit in left if not chosen.made.known.methods[unit.method].foreign]
        taken = taken_over.take_over(folder, chosen.made.suite.name, shipped, oracle)
        records.scan()
        left = [unit for unit in left if unit.key not in records.done]
    return Work(chosen, records, units, tuple(left), {"oracle": oracle, "plain": plain}, taken)


def bad_input(units: Iterable[Unit], records: RecordStore) -> list[str]:
    """What was wrong with the input of units that failed for it, each message once."""
    failed = [records.failed.get(unit.key, {}) for unit in units if unit.key not in records.done]
    wrong = (one_line(f.get("error")) for f in failed if f.get("kind") == "input")
    return list(dict.fromkeys(wrong))
