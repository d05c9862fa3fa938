"""Records as one pandas table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common.identity import canonical
from benchmark.records import store
from benchmark.records.fields import LATER, SETTINGS

if TYPE_CHECKING:
    import pandas

NESTED = ("oracle", "n_classes", "seconds", "provenance")


def frame(folder: Path | str, reference: bool = False) -> pandas.DataFrame:
    """The records below a folder as a table: one row a unit that is done or skipped.

    Metrics become columns of their name (`map`, `tail`); other nested fields `seconds.fit`;
    per_class_ap, train_counts, curve and hyperparameters stay one column each. Fields that came
    later have their only earlier value in older records. `settings` is the same in units that
    differ by seed or episode alone, and another where anything else in their `key` differs.

    reference   also what is in a folder `reference` below, as in this repository's results/
    """
    import pandas

    records = store.load(folder, failures=False, reference=reference)
    return pandas.DataFrame(map(row, records))


def row(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a unit that is done or skipped as a row of `frame`."""
    full = {**record, **{name: LATER[name] for name in LATER.keys() - record.keys()}}
    return {**_flat(full), "settings": settings(full)}


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in record.items():
        if name == "metrics":
            row |= {metric: part for metric, part in value.items() if metric not in record}
        elif name in NESTED:
            row |= {f"{name}.{inner}": part for inner, part in (value or {}).items()}
        else:
            row[name] = value
    return row


def settings(record: Mapping[str, Any]) -> str:
    """Ten letters that stand for all of the record's settings but seed and episode."""
    given = {name: record.get(name, LATER.get(name)) for name in SETTINGS}
    return hashlib.sha256(canonical(given).encode()).hexdigest()[:10]
