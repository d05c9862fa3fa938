"""What units cost, as far as records of earlier runs tell, and which ones to begin with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmark import records
from benchmark.units import Unit

Name = tuple[str, str, int, int | None]


def name(unit: Unit) -> Name:
    """What a unit is called across versions of the code: task, label, seed and episode."""
    return unit.task, unit.label, unit.seed, unit.episode


def known(folders: Iterable[records.Folder]) -> dict[Name, float]:
    """Seconds by unit, from the first of the folders that has its record.

    The stages that units share count where they may have to be trained: a base stage with a
    label's first episode of a task, a first stage with each unit.
    """
    found: dict[Name, float] = {}
    for folder in folders:
        if not folder.records.is_dir():
            continue
        for record in records.load(folder.records, failures=False):
            at = (record["task"], record["label"], record.get("seed"), record.get("episode"))
            found.setdefault(at, _seconds(record))
    return found


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
