"""Our results in the terms of a published table: which label stands for which of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.published import gains
from benchmark.published.model import Place, PublishedTable
from benchmark.report.grid import Cell, Grid, Stat, paired, stat, value


@dataclass(frozen=True)
class Ours:
    """The grid, and {row: label}; a label without a published row stands for itself."""

    grid: Grid
    labels: Mapping[str, str]

    def cell(self, task: str, row: str) -> Cell:
        """The records behind a row on a task."""
        return self.grid.cell(task, self.labels[row])

    def values(self, places: Sequence[Place]) -> gains.Values:
        """{row: {place: mean}} where there is a result."""
        return {
            row: {p: s.mean for p in places if (s := self.cell(p.task, row).stat(p.column))}
            for row in self.labels
        }


def ours(
    grid: Grid,
    table: PublishedTable,
    baselines: bool = False,
    instead: Mapping[str, str] | None = None,
) -> Ours:
    """Each row's first label that has a result; the table's `baselines` as well, if asked.

    `instead`: {row: label} of rows for which another label is to stand.
    """
    found = dict(instead or {})
    for row in table.rows.values():
        for label in row.labels:
            if any(grid.cell(task, label).done for task in table.tasks):
                found.setdefault(row.name, label)
    others = table.baselines if baselines else ()
    return Ours(grid, found | {label: label for label in others if label not in found.values()})


def gain(one: Cell, other: Cell, columns: Sequence[str]) -> Stat | None:
    """How much `one` is above the `other` in a table's column, over units of the same seed or
    episode; of two columns, how much more in the first than in the second.

    A method with a single unit, being deterministic, is paired with every unit of the other.
    """
    pairs = paired(_by_repeat(one, columns), _by_repeat(other, columns), single=(True, True))
    return stat(a - b for a, b in pairs)


def _by_repeat(cell: Cell, columns: Sequence[str]) -> dict[tuple, float]:
    """{(seed, episode): the metric}, or the difference of two metrics."""
    out = {}
    for record in cell.done:
        numbers = [value(record, column) for column in columns]
        if None not in numbers:
            out[record.get("seed"), record.get("episode")] = numbers[0] - sum(numbers[1:])
    return out


def tau(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Kendall's tau-b of two lists of equal length; None where either is constant."""
    from scipy.stats import kendalltau

    found = float(kendalltau(a, b).statistic)
    return found if found == found else None
