"""A suite's own tables: rows told apart by factors, as the paper arranges its ablations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmark.report.grid import Grid, labels_of, tasks_of
from benchmark.report.tables.table import Table, stacked
from benchmark.report.wording import about
from benchmark.suites.tables import ReportLayout, TableSpec

COLUMNS = ("total", "head", "medium", "tail")


def general(grid: Grid, arrangement: ReportLayout) -> Grid:
    """The part of the grid that the general tables and figures show.

    Long-tailed results of labels that the suite's own tables show are left out, and tasks and
    labels that have nothing else; few-shot results stay, since no table of a suite has them.
    """
    kept = {
        (task, label): cell
        for (task, label), cell in grid.cells.items()
        if task in grid.few_shot or label not in arrangement.special
    }
    return replace(
        grid,
        cells=kept,
        long_tailed=tuple(t for t in grid.long_tailed if any(t == task for task, _ in kept)),
        labels=tuple(x for x in grid.labels if any(x == label for _, label in kept)),
    )


def all_of(grid: Grid, arrangement: ReportLayout) -> Iterator[tuple[TableSpec, Table]]:
    """Each of the suite's tables that has a unit; missing units show as in every table."""
    for layout in arrangement.tables:
        if labels := labels_of(grid, layout):
            yield layout, _table(grid, layout, labels)


def _table(grid: Grid, layout: TableSpec, labels: list[str]) -> Table:
    tasks = tasks_of(grid, layout)
    caption = (
        f"{layout.title} (the paper's {layout.paper}), {about(grid, tasks)}: mAP in "
        "percent of all, head, medium and tail classes; mean ± sample standard deviation over n "
        "seeds."
    )
    name = f"ablation_{layout.name}"
    table = stacked(grid, name, caption, COLUMNS, tasks, labels)
    rows = tuple(layout.rows[label] for label in labels)
    return replace(table, factors=layout.factors, rows=rows)
