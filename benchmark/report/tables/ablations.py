"""A suite's own tables: rows told apart by factors, as the paper arranges its ablations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmark.report.grid import Grid, labels_of, tasks_of
from benchmark.report.tables.table import Table, stacked
from benchmark.report.wording import about
from benchmark.suites.tables import ReportLayout, TableSpec

COLUMNS = ("total", "head", "medium", "tail")


def general(grid: Grid, layout: ReportLayout) -> Grid:
    """The part of the grid that the general tables and figures show.

    Long-tailed results of labels that the suite's own tables show are left out, and tasks and
    labels that have nothing else; few-shot results stay, since no table of a suite has them.
    """
    kept = {
        (task, label): cell
        for (task, label), cell in grid.cells.items()
        if task in grid.few_shot or label not in layout.special
    }
    return replace(
        grid,
        cells=kept,
        long_tailed=tuple(t for t in grid.long_tailed if any(t == task for task, _ in kept)),
        labels=tuple(x for x in grid.labels if any(x == label for _, label in kept)),
    )


def all_of(grid: Grid, layout: ReportLayout) -> Iterator[tuple[TableSpec, Table]]:
    """Each of the suite's tables that has a unit; missing units show as in every table."""
    for spec in layout.tables:
        labels, tasks = labels_of(grid, spec), tasks_of(grid, spec)
        caption = (
            f"{spec.title} (the paper's {spec.paper}), {about(grid, tasks)}: mAP in percent of "
            "all, head, medium and tail classes; mean ± sample standard deviation over n seeds."
        )
        if table := stacked(grid, f"ablation_{spec.name}", caption, COLUMNS, tasks, labels):
            rows = tuple(spec.rows[label] for label in labels)
            yield spec, replace(table, factors=spec.factors, rows=rows)
