"""A process that computes one unit after another: what it does, and the end that is held of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from benchmark.common import processes
from benchmark.common.errors import DiskFull, InputError
from benchmark.records import store
from benchmark.runner.job import Job
from benchmark.suites.unit import Unit

if TYPE_CHECKING:
    from benchmark.runner.workspace import Workspace

RECORDED, WAITS, REFUSED = "recorded", "waits", "refused"


@dataclass(frozen=True)
class Answer:
    """What came of a unit.

    outcome   RECORDED, whatever it came to; WAITS, not begun: another process is just building what
              it needs; REFUSED: no unit at all can be computed or recorded, `text` says why
    broken    stages that failed, see `Workspace.broken`
    goes_on   whether the process can compute another unit
    """

    outcome: str
    text: str = ""
    broken: Mapping[str, Exception] = field(default_factory=dict)
    goes_on: bool = True


class UnitProcess:
    """A process on a device that computes units of a job, one at a time.

    plugins   whether it knows methods of plugins and installed packages: shipped ones never share
              a process with them
    """

    def __init__(self, job: Job, device: str, plugins: bool = False) -> None:
        maker = processes.computing()
        self.pipe, there = maker.Pipe()
        needed = replace(job, units=(), costs={})
        self.process = maker.Process(target=_serve, args=(there, needed, device, plugins))
        self.process.start()
        there.close()

    def begin(self, unit: Unit, broken: Mapping[str, Exception]) -> None:
        """Let it compute a unit; once `pipe` can be read, `answer` has what came of it."""
        self.began = time.monotonic()
        with contextlib.suppress(ConnectionError):  # it is dead: `answer` will say so
            self.pipe.send((unit, broken))

    def answer(self) -> Answer:
        """What came of the unit; processes.Died, and InputError for what stops every unit."""
        try:
            found = self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            raise processes.Died(self.process.exitcode) from None
        if found.outcome == REFUSED:
            raise InputError(found.text)
        return found

    def end(self) -> None:
        """End it, in the middle of a unit too."""
        self.pipe.close()
        processes.end(self.process)


def _serve(pipe: Connection, job: Job, device: str, plugins: bool) -> None:
    """What the process does until nobody holds the other end."""
    workspace = None
    with contextlib.suppress(EOFError):
        while True:
            unit, broken = pipe.recv()
            try:
                workspace = workspace or workspace_of(job, device, plugins)
                answer = computed(job, unit, workspace, broken)
            except InputError as error:
                answer = Answer(REFUSED, str(error))
            pipe.send(answer)


def workspace_of(job: Job, device: str, plugins: bool) -> Workspace:
    """What a process keeps between units; InputError for weights or plugins that cannot be."""
    from benchmark.runner.workspace import Workspace  # brings torch

    names = ("backbone", "cache", "root", "stale", "origin", "oracle", "plain")
    settings = {name: getattr(job, name) for name in names}
    known = job.plugins if plugins else None
    return Workspace(device=device, results=job.folder.path, plugins=known, **settings)


def computed(job: Job, unit: Unit, workspace: Workspace, broken: Mapping[str, Exception]) -> Answer:
    """Compute and record a claimed unit, whatever comes of it.

    InputError where no record can be written, or a disk is full: no other unit would fare better.
    """
    from benchmark.records import record  # brings scikit-learn
    from benchmark.runner.checkpoints import Busy
    from benchmark.runner.executor import execute

    workspace.settle(broken)
    try:
        found = execute(workspace, unit)
    except Busy:
        return Answer(WAITS)
    except DiskFull:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # the last two are its own
        found = record.failed(unit, error, job.origin)
    write(job, unit, found)
    return Answer(RECORDED, broken=workspace.broken, goes_on=found["status"] != "failed")


def write(job: Job, unit: Unit, fields: Mapping[str, Any]) -> None:
    """Store the unit's record or failure; InputError where it cannot be written."""
    try:
        store.write(job.folder, unit, {"key": unit.key, "suite": job.suite, **fields})
    except DiskFull:
        raise
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        raise InputError(f"{job.folder.path}: {reason}; then the same command goes on") from None
