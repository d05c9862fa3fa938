"""Metrics again from stored scores, without training: `run_all.py --report --recompute`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.common import files
from benchmark.records import store
from benchmark.records.record import metric_fields
from benchmark.records.scores import FIELD, path_of, read_metadata, read_scores, read_truth
from benchmark.suites.unit import Unit

TOLERANCE = 1e-6  # percent points: what another version of a library may change


@dataclass(frozen=True)
class Outcome:
    """`same`, `replaced` and `without` count records; `wrong` has a line for each mismatch;
    `damaged` counts files and packed lines that are no records, which reading them told of."""

    same: int
    replaced: int
    without: int
    wrong: tuple[str, ...]
    damaged: int = 0

    @property
    def text(self) -> str:
        """One line of what was done, before those of what is wrong."""
        said = [f"{self.same} records agree with their scores"]
        said += [f"{self.replaced} were replaced (same numbers or new ones)"] * bool(self.replaced)
        said += [f"{self.without} have no stored scores"] * bool(self.without)
        said += [f"{len(self.wrong)} numbers DO NOT AGREE: kept as recorded"] * bool(self.wrong)
        said += [f"{self.damaged} are NO RECORDS"] * bool(self.damaged)
        return f"recomputed: {', '.join(said)}"


def recompute(folder: store.ResultsFolder, units: Sequence[Unit]) -> Outcome:
    """Compute the metrics of the units' done records again; replace what is equal up to rounding.

    A record is written anew where its numbers differ in the last digits, by less than 1e-6, or
    where it lacks a metric that came later. Where a number differs by more, or the scores are not
    those that the record names, it stays, and the outcome's `wrong` says so.
    """
    records = store.RecordStore(folder)
    records.scan()
    same = replaced = without = 0
    wrong: list[str] = []
    for unit in {unit.key: unit for unit in units}.values():
        record = records.done.get(unit.key)
        if record is None or record["status"] != "done":
            continue
        fields, problems = again(folder.path, record)
        if fields is None and not problems:
            without += 1
        elif problems:
            wrong += (f"{store.stem(record)}: {problem}" for problem in problems)
        elif fields == {name: record[name] for name in fields}:
            same += 1
        else:
            replaced += 1
            # Two labels may share a unit; the file has the name of the one it was computed for.
            own = replace(unit, label=record["label"])
            with files.claimed(folder.claim(unit)) as mine:
                if mine:  # otherwise a worker computes the unit, and then writes a newer record
                    store.write(folder, own, record | fields)
    return Outcome(same, replaced, without, tuple(wrong), records.damaged)


def again(folder: Path, record: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
    """`metrics`, `per_class_ap` and `n_classes` from the stored scores, None without any; and a
    line for each number that is not what the record says.

    folder   results/<suite>/<scale>, in which the record lies
    """
    if not record.get(FIELD) or not os.path.isfile(path_of(folder, record)):
        return None, []
    about, scores, truth = (
        part(folder, record) for part in (read_metadata, read_scores, read_truth)
    )
    if about is None or scores is None or truth is None:
        return None, ["the stored scores are damaged, or are not those of the record"]
    if about["split_sha256"] != record["split_sha256"]:
        return None, ["the scores are of another split"]
    found = metric_fields(scores, truth, about["kind"])
    counted = {**record["n_classes"], "absent": found.pop("absent")}
    fields = {**found, "n_classes": counted}
    return fields, [*_differences(record, fields)]


def _differences(record: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[str]:
    for part, new in fields.items():
        old = record[part]
        for name in old:
            if not _equal(old[name], new.get(name)):
                yield f"{part} {name}: recorded {old[name]}, from the scores {new.get(name)}"


def _equal(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new
    return abs(old - new) <= TOLERANCE
