"""Runs units: claim, re-check, compute, write; failures isolated; one worker or many."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common import files
from benchmark.common.errors import InputError
from benchmark.records import store
from benchmark.runner.checkpoints import Busy
from benchmark.runner.progress import Progress
from benchmark.runner.schedule import order
from benchmark.suites.unit import Unit

if TYPE_CHECKING:
    from benchmark.clip.backbone import Backbone
    from benchmark.runner.workspace import Workspace

PAUSE = 0.3  # seconds between two looks at units that others are computing


@dataclass(frozen=True)
class Job:
    """All that a worker must know; it travels to spawned processes."""

    units: tuple[Unit, ...]
    suite: str
    folder: store.ResultsFolder
    cache: Path
    root: Path  # the data root
    backbone: Backbone
    plugins: tuple[Path, ...] = ()
    devices: tuple[str, ...] = ("cpu",)  # one a worker
    stale: Mapping[str, int] = field(default_factory=dict)  # files that count as absent
    origin: Mapping[str, Any] = field(default_factory=dict)  # provenance.of_code()
    shuffle: int = 0  # differs between processes, so that claims rarely collide
    oracle: bool = False  # evaluate each epoch; records without that count as absent
    plain: bool = False  # encode prompts the slow way
    costs: Mapping[tuple, float] = field(default_factory=dict)  # seconds, see schedule.py


def run(job: Job) -> store.RecordStore:
    """Compute the job's units that have no record; return the records as they stand then."""
    records = store.RecordStore(job.folder, job.stale, job.oracle)
    records.scan()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products
    with Progress(job.units, records, len(job.devices)):
        if len(job.devices) == 1:
            work(job, 0)
        else:
            _spawn(job)
    return records


def _spawn(job: Job) -> None:
    """One process a device; a killed worker's unit is taken up by the others."""
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_worker, args=(job, index, os.getpid()), name=f"worker {index + 1}")
        for index in range(len(job.devices))
    ]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
    for worker in workers:
        if worker.exitcode == 2:
            raise SystemExit(2)  # it has said why
        if worker.exitcode:
            hint = " (killed: too little memory? use fewer --workers)"
            more = hint if worker.exitcode == -signal.SIGKILL else ""
            print(f"warning: {worker.name} ended with {worker.exitcode}{more}", file=sys.stderr)


def _worker(job: Job, index: int, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and ends its workers
    try:
        work(job, index, parent)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def work(job: Job, index: int, parent: int | None = None) -> None:
    """Walk the units until each is done, failed in this run, or given up with a dead parent.

    A unit that another process has claimed, or whose base state another is building, is passed
    over and looked at again later: should that process die, its lock is free.
    """
    records = store.RecordStore(job.folder, job.stale, job.oracle, complain=lambda line: None)
    left = order(job.units, job.costs, index, len(job.devices), job.shuffle)
    workspace = None
    while left:
        records.scan()
        waiting = []
        for unit in left:
            if parent is not None and os.getppid() != parent:
                return
            if records.settled(unit):
                continue
            with files.claimed(job.folder.claim(unit)) as mine:
                if mine:
                    records.scan()  # inside the claim: it may have been done a moment ago
                    if records.settled(unit):
                        continue
                    workspace = workspace or _workspace(job, index)
                if not mine or not one(job, unit, workspace):
                    waiting.append(unit)
        if len(waiting) == len(left):
            time.sleep(PAUSE)
        left = waiting


def _workspace(job: Job, index: int) -> Workspace:
    from benchmark.runner.workspace import Workspace  # brings torch: only with something to compute

    names = ("backbone", "cache", "root", "plugins", "stale", "origin", "oracle", "plain")
    settings = {name: getattr(job, name) for name in names}
    return Workspace(device=job.devices[index], results=job.folder.path, **settings)


def one(job: Job, unit: Unit, workspace: Workspace) -> bool:
    """Compute and record a claimed unit, whatever comes of it; False if it has to wait."""
    from benchmark.records import record  # brings scikit-learn
    from benchmark.runner.executor import execute

    head = {"key": unit.key, "suite": job.suite}
    try:
        store.write(job.folder, unit, head | execute(workspace, unit))
    except Busy:
        return False
    except Exception as error:
        store.write(job.folder, unit, head | record.failed(unit, error, job.origin))
    return True
