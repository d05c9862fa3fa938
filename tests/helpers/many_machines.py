"""A cluster that computes nothing: machines walk a suite's units by the clock of a simulation.

`python -m tests.helpers.many_machines UNITS MACHINES` prints what docs/cluster.md says of it. The
walk, the claims and the files are the real ones, on this machine's disk; only the seconds are not.
"""

from __future__ import annotations

import heapq
import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from benchmark.common import files
from benchmark.records import listing, store
from benchmark.records.listing import Listing
from benchmark.runner import workers
from benchmark.runner.job import Job
from benchmark.suites.unit import Unit

MEAN = 60.0  # simulated seconds of a unit
LATENCY = 0.002  # seconds that a shared disk is assumed to take for each thing asked of it
_SPREAD = {f"method {n}": 0.1 * 1.5**n for n in range(10)}  # label -> seconds, before scaling


class _Process:
    """A unit's process that does nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def begin(self, *_: object) -> None:
        pass

    def end(self) -> None:
        pass


@dataclass
class Cost:
    """What a simulated run cost.

    asked     what was asked of the shared disk, by kind: stats, listings, claims
    computed  how often a unit was computed, all in all
    finished  simulated seconds until the last unit was done; `least` of them had to be
    looking   seconds of this machine's processor in which workers looked for work
    """

    units: int
    machines: int
    asked: Counter[str]
    computed: int
    finished: float
    least: float
    looking: float

    def per_unit(self, *kinds: str) -> float:
        return sum(self.asked[kind] for kind in kinds or self.asked) / self.computed

    @property
    def share(self) -> float:
        """Of the workers' time, what they spend looking, if the disk takes LATENCY an answer."""
        looking = self.looking + LATENCY * self.asked.total()
        return looking / (looking + MEAN * self.computed)


def units(count: int) -> list[Unit]:
    """So many units of ten methods, as many seeds as it takes."""
    return [
        Unit("voc-lt", label, label, 1, (), "miniature", at, None, "s" * 64, "t", "f" * 64)
        for label in _SPREAD
        for at in range(count // len(_SPREAD))
    ]


def simulate(folder: Path, count: int, machines: int) -> Cost:
    """Let so many machines of one worker each compute so many units that nobody knows the cost of.

    A unit's seconds are its method's, times a factor between a half and one and a half; no two
    machines begin at the same moment.
    """
    plan, dice = units(count), random.Random(0)
    scale = MEAN / (sum(_SPREAD.values()) / len(_SPREAD))
    seconds = {unit: scale * _SPREAD[unit.label] * dice.uniform(0.5, 1.5) for unit in plan}
    place = store.paths(folder, "simulated", "miniature")
    place.records.mkdir(parents=True)
    job = Job(tuple(plan), "simulated", place, folder, folder, None, devices=("cpu",))
    cost = Cost(len(plan), machines, Counter(), 0, 0.0, sum(seconds.values()) / machines, 0.0)
    with ExitStack() as patches:
        now = _install(patches, cost)
        walks = [
            workers.Walk(replace(job, share=(number, machines)), Listing(place, {}))
            for number in range(machines)
        ]
        events = [(dice.uniform(0, MEAN), number) for number in range(machines)]
        heapq.heapify(events)
        while events:
            now[0], number = heapq.heappop(events)
            walk, worker = walks[number], walks[number].workers[0]
            if worker.unit:
                place.record(worker.unit).touch()
                worker.free(True)
                cost.computed, cost.finished = cost.computed + 1, now[0]
            began = time.process_time()
            walk._give(worker)
            cost.looking += time.process_time() - began
            if worker.unit:
                heapq.heappush(events, (now[0] + seconds[worker.unit], number))
            elif worker.left:
                heapq.heappush(events, (worker.rests_until, number))
    return cost


def _install(patches: ExitStack, cost: Cost) -> list[float]:
    """Put the simulation's clock and its counters in their places; the clock, to be set."""
    now = [0.0]

    def counting(kind: str, function):
        def counted(*arguments):
            cost.asked[kind] += 1
            return function(*arguments)

        return counted

    clock = mock.Mock(monotonic=lambda: now[0])
    disk = mock.Mock(stat=counting("stat", os.stat), listdir=counting("listing", os.listdir))
    claims = mock.Mock(claimed=counting("claim", files.claimed))
    for target, name, value in (
        (workers, "time", clock),
        (workers, "UnitProcess", _Process),
        (workers, "files", claims),
        (listing, "os", disk),
    ):
        patches.enter_context(mock.patch.object(target, name, value))
    return now


def main() -> None:
    count, machines = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        cost = simulate(Path(folder), count, machines)
    each = ", ".join(f"{cost.per_unit(kind):.2f} {kind}s" for kind in sorted(cost.asked))
    print(
        f"{cost.units} units, {cost.machines} machines: {cost.computed} computed; a unit: {each}; "
        f"looking {100 * cost.share:.2f} % of the time; "
        f"done after {cost.finished:.0f} s, at least {cost.least:.0f} s"
    )


if __name__ == "__main__":
    main()
