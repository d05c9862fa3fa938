"""Has units computed: claims each, hands it to a process, and answers for whatever comes of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from multiprocessing import connection
from signal import SIGKILL, SIGTERM, SIGUSR2
from typing import TextIO

from benchmark.common import files
from benchmark.common.processes import Died
from benchmark.records import store
from benchmark.records.listing import Listing
from benchmark.runner import unit_process
from benchmark.runner.job import Job
from benchmark.runner.progress import Progress
from benchmark.runner.schedule import order, share_first
from benchmark.runner.unit_process import WAITS, UnitProcess
from benchmark.suites.unit import Unit

PAUSE = 0.3  # seconds between two looks at units that others are computing
LONGER, LONGEST = 1.25, 200  # by what each is longer than the one before, up to so many times
TRIES = 4  # claims in vain between two pauses: of many machines each leaves the disk in peace
_FROM_OUTSIDE = (-SIGKILL, -SIGTERM, -SIGUSR2)  # no fault of the unit, unless it happens again


def run(job: Job, progress: TextIO | None = None) -> store.RecordStore:
    """Compute the job's units that have no record; return the records as they stand then.

    progress   where it is shown, by default on stderr
    InputError for what no unit can be computed with, and for a full disk.
    """
    records = store.RecordStore(job.folder, job.stale, job.oracle)
    records.scan()
    own = store.RecordStore(job.folder, job.stale, job.oracle, complain=_in_silence)
    with Progress(job.units, records, len(job.devices), progress):
        Walk(job, own).to_the_end()
    return records


class _Worker:
    """A place for a process: what is left for it to look at, what is being computed in it.

    A unit of a shipped method goes to a process that is kept for the next one; a unit of a plugin's
    to a fresh one, which ends with it. So nothing that it does to its process, to a library or to
    the shared CLIP is there for another unit; after a failure no process goes on.
    """

    def __init__(self, job: Job, index: int) -> None:
        self.job, self.device = job, job.devices[index]
        self.left = _order(job, index)
        self.rest, self.rests_until = PAUSE, 0.0
        self.begun = 0  # units
        self.in_vain = 0  # units in a row that had to wait for what another process builds
        self.kept: UnitProcess | None = None
        self.process: UnitProcess | None = None  # the one that is computing `unit`
        self.unit: Unit | None = None
        self.claim = ExitStack()  # the unit's, held until its outcome is recorded

    def begin(self, unit: Unit, claim: ExitStack, broken: Mapping[str, Exception]) -> None:
        foreign = unit.method in self.job.foreign
        if foreign or self.kept is None:
            self.process = UnitProcess(self.job, self.device, plugins=foreign)
        else:
            self.process = self.kept
        self.kept = self.kept if foreign else self.process
        self.unit, self.claim = unit, claim
        self.rest, self.begun = PAUSE, self.begun + 1
        self.process.begin(unit, broken)

    def pause(self) -> None:
        """Look for no unit for a while, each time in vain for longer."""
        self.rests_until = time.monotonic() + self.rest
        self.rest = min(LONGER * self.rest, LONGEST * PAUSE)

    def free(self, goes_on: bool) -> None:
        """The unit is settled or put back; its process is kept for shipped methods if it can be."""
        if self.process is not self.kept or not goes_on:
            self.kept = None if self.process is self.kept else self.kept
            self.process.end()
        self.unit = self.process = None
        self.claim.close()

    def end(self) -> None:
        for process in {self.kept, self.process} - {None}:
            process.end()
        self.claim.close()


def _order(job: Job, index: int) -> list[Unit]:
    """The job's units as one of its workers looks at them."""
    places = len(job.devices)
    if job.share is None:
        return order(job.units, job.costs, index, places, job.shuffle)
    found = share_first(job.units, job.costs, job.share, index, places)
    return sorted(found, key=lambda unit: unit.key not in job.first)


class Walk:
    """One walk through a job's units, until each is done or has failed.

    A unit that another command has claimed, or whose base state is just being built, is passed over
    and looked at again later: should that command die, its lock is free. With a job's `patience`
    the walk ends when there has been nothing but such units for so long.
    """

    def __init__(self, job: Job, records: store.RecordStore | Listing) -> None:
        self.job, self.records = job, records
        self.workers = [_Worker(job, index) for index in range(len(job.devices))]
        self.broken: dict[str, Exception] = {}  # stages that failed, see Workspace
        self.killed: set[str] = set()  # units whose process was killed once
        self.idle_since: float | None = None

    @property
    def begun(self) -> int:
        """How many units have been begun."""
        return sum(worker.begun for worker in self.workers)

    def computing(self) -> dict[Unit, bool]:
        """The units that are being computed, and whether each is the first of its worker."""
        return {worker.unit: worker.begun == 1 for worker in self.workers if worker.unit}

    def fail(self, unit: Unit, error: Exception) -> None:
        """End a unit that is being computed; it has failed."""
        self._failed(next(worker for worker in self.workers if worker.unit == unit), error)

    def to_the_end(self) -> None:
        try:
            while self._unfinished() and not self._out_of_patience():
                self.records.scan()
                for worker in self.workers:
                    if worker.unit is None and time.monotonic() >= worker.rests_until:
                        self._give(worker)
                self._await()
        finally:
            for worker in self.workers:
                worker.end()

    def _unfinished(self) -> bool:
        return any(worker.unit or worker.left for worker in self.workers)

    def _out_of_patience(self) -> bool:
        if any(worker.unit for worker in self.workers):
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = time.monotonic()
        patience, since = self.job.patience, self.idle_since
        return None not in (patience, since) and time.monotonic() - since > patience

    def _give(self, worker: _Worker) -> None:
        """Hand it the first unit that it can claim; without any it rests."""
        taken = {other.unit.key for other in self.workers if other.unit}
        passed, tries = [], 0
        while worker.left and worker.unit is None and tries < TRIES:
            unit = worker.left.pop(0)
            if self.records.settled(unit):
                continue
            if unit.key in taken:
                passed.append(unit)
                continue
            tries += 1
            claim = ExitStack()
            if not claim.enter_context(files.claimed(self.job.folder.claim(unit))):
                passed.append(unit)
                continue
            if self.records.settled_now(unit):  # inside the claim: perhaps done a moment ago
                claim.close()
            else:
                claim.enter_context(self.job.folder.held(unit))
                worker.begin(unit, claim, self.broken)
        worker.left += passed
        if worker.unit is None:
            worker.pause()

    def _await(self) -> None:
        """Wait for answers, no longer than until something else is to be done, and hear them."""
        busy = {worker.process.pipe: worker for worker in self.workers if worker.unit}
        for pipe in connection.wait(list(busy), self._patience()):
            self._hear(busy.pop(pipe))
        for worker in busy.values():
            if self.job.timeout and time.monotonic() - worker.process.began > self.job.timeout:
                limit = f"it had no end after {self.job.timeout:g} s (--unit-timeout)"
                self._failed(worker, TimeoutError(limit))

    def _patience(self) -> float | None:
        """Seconds until a unit has had its time, or an idle worker has rested; None: any number."""
        ends = [worker.rests_until for worker in self.workers if not worker.unit and worker.left]
        busy = [worker.process for worker in self.workers if worker.unit]
        if self.job.timeout:
            ends += [process.began + self.job.timeout for process in busy]
        if ends:
            return max(0.0, min(ends) - time.monotonic())
        return None if busy else 0.0

    def _hear(self, worker: _Worker) -> None:
        try:
            answer = worker.process.answer()
        except Died as death:
            if death.code not in _FROM_OUTSIDE or worker.unit.key in self.killed:
                self._failed(worker, ChildProcessError(str(death)))
                return
            self.killed.add(worker.unit.key)
            why = f"{death} (too little memory? use fewer --workers); tried once more"
            print(f"warning: {worker.unit.text}: {why}", file=sys.stderr)
            worker.left.append(worker.unit)
            worker.free(goes_on=False)
            return
        self.broken |= answer.broken
        waits = answer.outcome == WAITS
        worker.in_vain = worker.in_vain + 1 if waits else 0
        if waits:
            worker.left.append(worker.unit)
            if worker.in_vain >= len(worker.left):
                worker.in_vain = 0
                worker.pause()
        worker.free(answer.goes_on)

    def _failed(self, worker: _Worker, error: Exception) -> None:
        """Record that the unit failed, which its process cannot do, and end that."""
        from benchmark.records import record  # brings scikit-learn

        worker.process.end()
        fields = record.failed(worker.unit, error, self.job.origin)
        unit_process.write(self.job, worker.unit, fields)
        worker.free(goes_on=False)


def _in_silence(line: str) -> None:
    """What the progress's records have complained of is not said twice."""
