"""A process with a fitted method: it trains a unit's method, then scores pictures when asked to."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common import processes
from benchmark.common.errors import InputError
from benchmark.common.text import one_line
from benchmark.runner import unit_process
from benchmark.runner.job import Job
from benchmark.suites.unit import Unit

if TYPE_CHECKING:
    import numpy as np

    from benchmark.runner.executor import Fitted

_PAUSE = 0.3  # seconds between two looks at a stage that another process is building


class FittedProcess:
    """One from outside; it ends with this object, and with Python."""

    def __init__(self, job: Job, unit: Unit) -> None:
        maker = processes.computing()
        self.unit = unit
        self.pipe, there = maker.Pipe()
        needed = replace(job, units=(), costs={})
        self.process = maker.Process(target=_serve, args=(there, needed, unit))
        self.process.start()
        there.close()
        self.end = Finalize(self, _end, (self.pipe, self.process), exitpriority=10)
        self.asked, self.lock = 0, threading.Lock()

    def about(self) -> dict[str, Any]:
        """Train the method, the first time; `record`, `class_names` and `kind` of its scores.

        InputError for what cannot be, RuntimeError for whatever else the method raises: here and
        in `scores`.
        """
        return self._ask(None)

    def scores(self, files: Sequence[str]) -> np.ndarray:
        """Of pictures by their full paths, (N, C) float32."""
        return self._ask(files)

    def _ask(self, files: Sequence[str] | None) -> Any:
        with self.lock:
            if not self.end.still_active():
                raise InputError(f"{self.unit.text}: this fitted method was closed; fit it again")
            self.asked += 1
            number = None
            try:
                self.pipe.send((self.asked, files))
                while number != self.asked:  # an interrupted caller has not heard the last answer
                    number, error, found = self.pipe.recv()
            except (EOFError, ConnectionError):
                self.process.join()
                died = processes.Died(self.process.exitcode)
                raise RuntimeError(f"{self.unit.text}: {died}; too little memory?") from None
        if error is not None:
            raise error
        return found


def _end(pipe: Connection, process: BaseProcess) -> None:
    pipe.close()
    processes.end(process)


def _serve(pipe: Connection, job: Job, unit: Unit) -> None:
    """What the process does until nobody holds the other end."""
    scorer = None
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            number, files = pipe.recv()
            error = found = None
            try:
                scorer = scorer or Scorer(job, unit)
                found = scorer.about() if files is None else scorer.scores(files)
            except InputError as fault:
                error = fault
            except (Exception, SystemExit, KeyboardInterrupt) as fault:  # the last two its own
                error = RuntimeError(one_line(f"{unit.text}: {type(fault).__name__}: {fault}"))
                error.add_note("".join(traceback.format_exception(fault)))
            pipe.send((number, error, found))


class Scorer:
    """One inside: what was trained, just as the unit of a run trains it, and what it is asked."""

    def __init__(self, job: Job, unit: Unit) -> None:
        device, foreign = job.devices[0], unit.method in job.foreign
        self.suite, self.unit = job.suite, unit
        self.workspace = unit_process.workspace_of(job, device, foreign)
        self.fitted = _patiently(self._fit)

    def _fit(self) -> Fitted:
        from benchmark.method.base import refusal
        from benchmark.runner import executor

        self.workspace.settle({})
        task = self.workspace.task(self.unit)
        method = self.workspace.classes[self.unit.method](**dict(self.unit.hyperparameters))
        reason = refusal(method, task)
        if reason is not None:
            raise InputError(f"{self.unit.text}: the method does not take this task: {reason}")
        return executor.fit(self.workspace, self.unit, task, method)

    def about(self) -> dict[str, Any]:
        """What the record of the unit says before anything is scored, and of the scores."""
        from benchmark.records import record

        task, fitted = self.fitted.task, self.fitted
        described = record.described(self.unit, task)
        known = {"suite": self.suite, "status": "fitted", "curve": fitted.curve}
        known |= {"seconds": described["seconds"] | fitted.seconds}
        return {
            "record": {**described, **known, **self.workspace.provenance()},
            "class_names": task.class_names,
            "kind": fitted.method.scores,
        }

    def scores(self, files: Sequence[str]) -> np.ndarray:
        """Each time as if it were the first. What is made of the pictures is kept nowhere: the
        cache is for pictures that units share, and finds them by their paths below a data root."""
        from benchmark.data.images import ImageList
        from benchmark.runner.oracle import untouched

        run = self.fitted.run
        kept = run.store
        with (
            untouched(self.fitted.method, run),
            tempfile.TemporaryDirectory(prefix="cimlic-", ignore_cleanup_errors=True) as folder,
        ):
            how = self.unit.preprocess, run.precision.half_features
            run.store = self.workspace.new_store(Path(folder), *how)
            try:
                found = self.fitted.scores(ImageList(Path(), tuple(files)))
            finally:
                run.store = kept
        run.clip.check_frozen()
        return found


def _patiently(step: Callable[[], Any]) -> Any:
    """What it returns once no other process is building what it needs."""
    from benchmark.runner.checkpoints import Busy

    while True:
        with contextlib.suppress(Busy):
            return step()
        time.sleep(_PAUSE)
