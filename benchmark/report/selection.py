"""Which methods figures and explorer show where there are too many: the paper's, and the best."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmark.published import reading
from benchmark.report.grid import Grid, drawn_labels

ROOM = 16  # methods that a figure has room for


def shown(grid: Grid, room: int = ROOM) -> Grid:
    """The grid if no more than `room` labels have a result, else the part of it that is shown.

    That are the methods of the paper's main tables, and then the best of each task, the second of
    each, and so on; by headline mAP. Captions say so, see `wording.about`.
    """
    labels = drawn_labels(grid, grid.tasks)
    if len(labels) <= room:
        return grid
    ranked = itertools.chain(_paper(grid, labels), *itertools.zip_longest(*_rankings(grid)))
    kept = set(itertools.islice(filter(None, dict.fromkeys(ranked)), room))
    return replace(
        grid,
        labels=tuple(label for label in grid.labels if label in kept),
        cells={at: cell for at, cell in grid.cells.items() if at[1] in kept},
        among=len(labels),
    )


def _paper(grid: Grid, labels: Sequence[str]) -> Iterable[str]:
    """The labels, or where there is none of that name the first of the method, that the tables
    with the paper's headline gains are about."""
    data = reading.load()
    tables = [data.tables[name] for name in dict.fromkeys(c.table for c in data.claims if c.stated)]
    rows = (label for table in tables for row in table.rows.values() for label in row.labels)
    first = {x: x for x in labels}
    for label in labels:
        done = (record for task in grid.tasks for record in grid.cell(task, label).done)
        first.setdefault(next(done).get("method"), label)
    names = (*rows, *itertools.chain(*(table.baselines for table in tables)))
    return dict.fromkeys(first[name] for name in names if name in first)


def _rankings(grid: Grid) -> Iterable[list[str]]:
    """The labels of each task, the best first."""
    for task in grid.tasks:
        found = {x: s.mean for x in grid.labels if (s := grid.cell(task, x).stat("headline"))}
        yield sorted(found, key=found.__getitem__, reverse=True)
