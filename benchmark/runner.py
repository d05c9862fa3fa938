"""Runs units: claim, re-check, compute, write; failures isolated; one worker or many."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import costs, locks, provenance, records
from benchmark.errors import InputError
from benchmark.progress import Progress
from benchmark.states import Busy
from benchmark.units import Unit

if TYPE_CHECKING:
    from benchmark.backbones import Backbone
    from benchmark.compute import Lab

GIB = 1024**3
WORKER_BYTES = 1.5 * GIB  # what one CPU worker may need
MOST_WORKERS = 8
PAUSE = 0.3  # seconds between two looks at units that others are computing


@dataclass(frozen=True)
class Job:
    """All that a worker must know; it travels to spawned processes."""

    units: tuple[Unit, ...]
    suite: str
    folder: records.Folder
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
    costs: Mapping[tuple, float] = field(default_factory=dict)  # seconds, see costs.py


def run(job: Job) -> records.Shelf:
    """Compute the job's units that have no record; return the records as they stand then."""
    shelf = records.Shelf(job.folder, job.stale, job.oracle)
    shelf.scan()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products
    with Progress(job.units, shelf, len(job.devices)):
        if len(job.devices) == 1:
            work(job, 0)
        else:
            _spawn(job)
    return shelf


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
    shelf = records.Shelf(job.folder, job.stale, job.oracle, complain=lambda line: None)
    left = order(job, index)
    lab = None
    while left:
        shelf.scan()
        waiting = []
        for unit in left:
            if parent is not None and os.getppid() != parent:
                return
            if shelf.settled(unit):
                continue
            with locks.claimed(job.folder.claim(unit)) as mine:
                if mine:
                    shelf.scan()  # inside the claim: it may have been done a moment ago
                    if shelf.settled(unit):
                        continue
                    lab = lab or _lab(job, index)
                if not mine or not one(job, unit, lab):
                    waiting.append(unit)
        if len(waiting) == len(left):
            time.sleep(PAUSE)
        left = waiting


def _lab(job: Job, index: int) -> Lab:
    from benchmark.compute import Lab  # brings torch: only once there is something to compute

    return Lab(
        backbone=job.backbone,
        device=job.devices[index],
        cache=job.cache,
        root=job.root,
        plugins=job.plugins,
        stale=job.stale,
        origin=job.origin,
        oracle=job.oracle,
        plain=job.plain,
        results=job.folder.path,
    )


def one(job: Job, unit: Unit, lab: Lab) -> bool:
    """Compute and record a claimed unit, whatever comes of it; False if it has to wait."""
    head = {"key": unit.key, "suite": job.suite}
    try:
        record = head | lab.compute(unit)
        records.write(job.folder, unit, record)
    except Busy:
        return False
    except Exception as error:
        failure = {
            "scale": unit.scale,
            "task": unit.task,
            "label": unit.label,
            "method": unit.method,
            "seed": unit.seed,
            "episode": unit.episode,
            "status": "failed",
            **_reason(error),
            "traceback": traceback.format_exc(),
            "provenance": {**job.origin, "utc": provenance.now()},
        }
        records.write_error(job.folder, unit, head | failure)
    return True


def _reason(error: Exception) -> dict[str, str]:
    """Bad input that only shows while a unit computes, such as a cut-off image, is the user's to
    mend: its message stands as it is, and `kind` makes the exit code 2."""
    bad_input = isinstance(error, InputError)
    text = str(error) if bad_input else f"{type(error).__name__}: {error}"
    return {"kind": "input" if bad_input else "error", "error": " ".join(text.split())[:500]}


def order(job: Job, index: int) -> list[Unit]:
    """The units in the order in which this worker looks at them.

    A lone worker keeps the suite's order, in which units of one data set and setting stay
    together (they share features), in there those of one task and method (they share a base
    state). Of several, each begins with other data. Where the job knows what units cost, the
    costly ones come first, so that the last ones are short and none idles long at the end;
    otherwise workers start at different places of one shuffled round.
    """
    count = len(job.devices)
    if count > 1 and job.costs:
        return costs.longest_first(job.units, job.costs, index)
    groups: dict[tuple, dict[tuple, list[Unit]]] = {}
    for unit in job.units:
        group = groups.setdefault((unit.split_sha256,), {})
        group.setdefault((unit.task, unit.label), []).append(unit)
    rounds = [list(group.values()) for group in groups.values()]
    if count > 1:
        dice = random.Random(job.shuffle)
        dice.shuffle(rounds)
        for blocks in rounds:
            dice.shuffle(blocks)
        start = index * len(rounds) // count
        rounds = rounds[start:] + rounds[:start]
        rounds = [_rotated(blocks, index, count) for blocks in rounds]
    return [unit for blocks in rounds for block in blocks for unit in block]


def _rotated(blocks: list, index: int, count: int) -> list:
    start = index * len(blocks) // count
    return blocks[start:] + blocks[:start]


def devices(choice: str, workers: int | None, units: int) -> tuple[str, ...]:
    """The device of each worker, no more workers than units; InputError for a device not there.

    By default one worker a GPU; on the CPU one a core, at most 8, if the memory suffices.
    """
    if choice == "cpu":
        gpus = 0
    else:
        import torch

        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if choice == "cpu" or (choice == "auto" and not gpus):
        count = workers or min(cores(), MOST_WORKERS, max(1, int(memory() / WORKER_BYTES)))
        return ("cpu",) * max(1, min(count, units))
    _, _, number = choice.partition(":")
    if not gpus or (number and int(number) >= gpus):
        raise InputError(f"--device {choice}: not there ({gpus} CUDA devices found); try auto")
    named = [int(number)] if number else list(range(gpus))
    count = max(1, min(workers or len(named), units))
    return tuple(f"cuda:{named[i % len(named)]}" for i in range(count))


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> float:
    """Free bytes: the machine's or, if less, the container's; infinity where nothing tells."""
    free = float("inf")
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(float(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable"))
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            lines = (group / "memory.stat").read_text().splitlines()
            used = next(float(x.split()[1]) for x in lines if x.startswith("anon "))
            free = min(free, float(limit) - used)
    except (OSError, StopIteration, ValueError):
        pass
    return free
