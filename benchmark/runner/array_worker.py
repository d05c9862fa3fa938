"""One job of an array on a cluster: computes its share of a launch, then what nobody has begun."""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.common import files
from benchmark.common.errors import InputError
from benchmark.records import provenance
from benchmark.records.listing import Listing
from benchmark.runner import devices, launch_file
from benchmark.runner.job import Job
from benchmark.runner.progress import clock
from benchmark.runner.workers import Walk

if TYPE_CHECKING:
    from submitit.core.utils import DelayedSubmission

PATIENCE = 600.0  # seconds that a job waits for what others compute before it frees its place
_GRACE = 120  # seconds in which it does nothing, once asked to end
_EARLY = 60  # seconds by which Slurm may warn too early
_ARRIVED, _REFUSED = "arrived-", "refused-"


def arrivals(folder: Path) -> list[str]:
    """What each job that has begun said of itself: `4 worker(s) on cpu of node7`."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob(f"{_ARRIVED}*.json"))]


def refusals(folder: Path) -> list[str]:
    """The lines with which jobs refused their input, each once."""
    found = (json.loads(path.read_text()) for path in sorted(folder.glob(f"{_REFUSED}*.json")))
    return list(dict.fromkeys(found))


class _Ended(BaseException):
    """A request to end came."""


def _end(number: int, frame: object) -> None:
    raise _Ended


@dataclass
class ArrayWorker:
    """What a job of an array runs: a call with the job's number.

    folder   the launch's, on the disk that all machines share
    struck   keys of units in whose middle this job's time was over before; it begins with them
    in_vain  whether its time was over before it had begun any
    """

    folder: Path
    struck: frozenset[str] = frozenset()
    in_vain: bool = False

    def __call__(self, number: int) -> None:
        """Compute; returns when nothing is left, or only what others have held on to for long.

        A request to end puts back what is being computed at once. By then Slurm has decided what
        comes next: it requeues the job, or warns it to do so, or takes it away.
        """
        self.began = time.time()
        before = signal.signal(signal.SIGTERM, _end)
        try:
            self._compute(number)
        except _Ended:
            time.sleep(_GRACE)
        finally:
            signal.signal(signal.SIGTERM, before)

    def _compute(self, number: int) -> None:
        try:
            self.launch = launch_file.read(self.folder)
            os.environ.update(self.launch.environment, CIMLIC_LOCKS=self.launch.locks)
            job = self._job(number)
            here = f"{devices.named(job.devices)} of {platform.node()}"
            print(f"job {number + 1} of {self.launch.count}: {here}", flush=True)
            self._say(f"{_ARRIVED}{number}", here)
            self.walk = Walk(job, Listing(job.folder, job.stale))
            self.walk.to_the_end()
            print(f"nothing left to begin; {self.walk.begun} units were begun here")
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            self._say(f"{_REFUSED}{number}", str(error))

    def checkpoint(self, number: int) -> DelayedSubmission | None:
        """What goes on in this job's place, asked for by a warning that its end is near.

        Its units are put back with their claims. One that this job has begun with, and that had
        its whole time, is too long for it if that was the second try: it has failed. None where
        going on would lead nowhere, as a second time not even one unit was begun.
        """
        from submitit.core.utils import DelayedSubmission

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        walk = getattr(self, "walk", None)
        struck, in_vain = self.struck, False
        if walk is not None and self._is_late():
            in_vain = not walk.begun
            if in_vain and self.in_vain:
                return None
            for unit, was_first in walk.computing().items():
                if was_first and unit.key in self.struck:
                    walk.fail(unit, TimeoutError(self._too_long()))
            struck = struck if in_vain else frozenset(unit.key for unit in walk.computing())
        return DelayedSubmission(ArrayWorker(self.folder, struck, in_vain), number)

    def _is_late(self) -> bool:
        """Whether the time limit is the reason to end, and not that the machine is wanted back."""
        taken = time.time() - float(os.environ.get("SLURM_JOB_START_TIME") or self.began)
        return taken + self.launch.notice + _EARLY >= 0.9 * self.launch.limit

    def _too_long(self) -> str:
        remedy = "give jobs a longer limit (--slurm time=)"
        return f"not done in two jobs of {clock(self.launch.limit)} each; {remedy}"

    def _job(self, number: int) -> Job:
        """The launch's job as this machine computes it."""
        launch = self.launch
        for path in (*launch.job.plugins, launch.job.root):
            if not path.exists():
                where = f"not there on {platform.node()}"
                raise InputError(f"{path}: {where}; put it on a disk that all machines share")
        files.check_writable(launch.job.cache, "$CIMLIC_CACHE")
        units = len(launch.job.units)
        return replace(
            launch.job,
            devices=devices.worker_devices(launch.device, launch.workers, units),
            origin=provenance.of_code(),
            share=(number, launch.count),
            first=self.struck,
            patience=PATIENCE,
        )

    def _say(self, name: str, text: str) -> None:
        with files.atomic(self.folder / f"{name}.json") as temporary:
            temporary.write_text(json.dumps(text))
