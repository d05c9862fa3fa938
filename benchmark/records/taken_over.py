"""What other suites of the same results folder have computed: taken over, not computed again.

A unit's key knows neither suite nor label, so one record is as good as the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmark.common import files
from benchmark.records import reading, store
from benchmark.records.scores import copy_scores
from benchmark.records.store import ResultsFolder
from benchmark.suites.unit import Unit

Found = tuple[Path, dict[str, Any]]  # the folder of a suite and scale, and a record there


def take_over(folder: ResultsFolder, suite: str, units: Iterable[Unit], oracle: bool) -> int:
    """Copy what is known of these units elsewhere into the folder, with scores; how many.

    suite    the name that the folder's records have
    oracle   only records with --oracle will do

    Left alone: a unit that another process has claimed, and records without their stored scores.
    """
    missing = {unit.key: unit for unit in units}
    found = {record["key"]: (place, record) for place, record in _others(folder, missing, oracle)}
    return sum(_copied(folder, suite, missing[key], *each) for key, each in found.items())


def _others(folder: ResultsFolder, keys: Iterable[str], oracle: bool) -> Iterator[Found]:
    """Records of these keys in the folders of other suites; only files named like them are read."""
    keys = set(keys)
    endings = {key[:10] for key in keys}
    results, scale = folder.path.parent.parent, folder.path.name
    for path in sorted(results.glob(f"*/{scale}/records/*.json")) if keys else ():
        place = path.parent.parent
        if place == folder.path or path.stem[-10:] not in endings:
            continue
        for _, record in reading.read(str(path), complain=lambda line: None):
            known = record["key"] in keys and record["status"] == "done"
            if known and (not oracle or store.has_oracle(record)):
                yield place, record


def _copied(
    folder: ResultsFolder, suite: str, unit: Unit, place: Path, record: dict[str, Any]
) -> bool:
    own = record | {"suite": suite, "label": unit.label}
    with files.claimed(folder.claim(unit)) as mine:
        if not mine or not copy_scores(place, record, folder.path, own):
            return False
        store.write(folder, unit, own)
    return True
