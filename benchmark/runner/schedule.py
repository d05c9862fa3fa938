"""In which order workers look at units, and what units cost by the records of earlier runs."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Mapping, Sequence

from benchmark.records import store
from benchmark.suites.unit import Unit

Name = tuple[str, str, int, int | None]


def name(unit: Unit) -> Name:
    """What a unit is called across versions of the code: task, label, seed and episode."""
    return unit.task, unit.label, unit.seed, unit.episode


def known(folders: Iterable[store.ResultsFolder]) -> dict[Name, float]:
    """Seconds by unit, from the first of the folders that has its record.

    The stages that units share count where they may have to be trained: a base stage with a
    label's first episode of a task, a first stage with each unit.
    """
    found: dict[Name, float] = {}
    for folder in folders:
        for record in store.load(folder.records, failures=False):
            at = (record["task"], record["label"], record.get("seed"), record.get("episode"))
            found.setdefault(at, _seconds(record))
    return found


def expected(units: Iterable[Unit], records: Iterable[Mapping]) -> dict[Name, float]:
    """Seconds by unit: the mean of what its method took on its task, whatever its settings."""
    took: dict[tuple[str, str], list[float]] = {}
    for record in records:
        took.setdefault((record["task"], record["method"]), []).append(_seconds(record))
    known = {at: statistics.fmean(seconds) for at, seconds in took.items()}
    return {name(u): known[u.task, u.method] for u in units if (u.task, u.method) in known}


def _seconds(record: dict) -> float:
    seconds = record.get("seconds") or {}
    parts = ["fit", "predict", "shared", *(["base"] if record.get("episode") == 1 else [])]
    return sum(seconds.get(part) or 0.0 for part in parts)


def longest_first(units: Sequence[Unit], seconds: Mapping[Name, float], worker: int) -> list[Unit]:
    """Units by falling cost; before them the most costly one of this worker's own data set.

    Those of unknown cost come first: they may be long.
    """
    ordered = sorted(units, key=lambda unit: -seconds.get(name(unit), float("inf")))
    first: dict[str, Unit] = {}
    for unit in ordered:
        first.setdefault(unit.split_sha256, unit)
    begin = list(first.values())[worker % len(first)]
    return [begin, *(unit for unit in ordered if unit is not begin)]


def order(
    units: Sequence[Unit], costs: Mapping[Name, float], worker: int, workers: int, shuffle: int
) -> list[Unit]:
    """The units in the order in which one of the workers looks at them.

    A lone worker keeps the suite's order, in which units of one data set and setting stay
    together (they share features), in there those of one task and method (they share a base
    state). Of several, each begins with other data. Where it is known what units cost, the
    costly ones come first, so that the last ones are short and none idles long at the end;
    otherwise workers start at different places of one round, shuffled by the seed `shuffle`.
    """
    if workers > 1 and costs:
        return longest_first(units, costs, worker)
    groups: dict[str, dict[tuple, list[Unit]]] = {}
    for unit in units:
        group = groups.setdefault(unit.split_sha256, {})
        group.setdefault((unit.task, unit.label), []).append(unit)
    rounds = [list(group.values()) for group in groups.values()]
    if workers > 1:
        dice = random.Random(shuffle)
        dice.shuffle(rounds)
        for blocks in rounds:
            dice.shuffle(blocks)
        turned = _rotated(rounds, worker, workers)
        rounds = [_rotated(blocks, worker, workers) for blocks in turned]
    return [unit for blocks in rounds for block in blocks for unit in block]


def share_first(
    units: Sequence[Unit],
    costs: Mapping[Name, float],
    share: tuple[int, int],
    worker: int,
    workers: int,
) -> list[Unit]:
    """The units in the order in which a worker of one machine among several looks at them.

    share    the machine's number, from 0, and how many there are: every so-many-th unit is its
             own, of the costly ones as many as of the cheap ones
    worker   of `workers` on this machine, who divide its share likewise

    Then come the units of the others on this machine, and those of other machines in an order that
    no other has: who has done his share meets nobody, and without locks hardly anybody.
    """
    number, count = share
    ordered = sorted(units, key=lambda unit: -costs.get(name(unit), float("inf")))
    own = ordered[number::count]
    beside = [unit for at, unit in enumerate(own) if at % workers != worker]
    others = [unit for at, unit in enumerate(ordered) if at % count != number]
    random.Random(f"{number} {worker}").shuffle(others)
    return [*own[worker::workers], *beside, *others]


def _rotated(blocks: list, worker: int, workers: int) -> list:
    start = worker * len(blocks) // workers
    return blocks[start:] + blocks[:start]
