"""The tables of a report in their order, each under its title."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from benchmark.report.bootstrap import Pairs
from benchmark.report.grid import Grid
from benchmark.report.tables import (
    ablations,
    agreement,
    beside_curves,
    beside_published,
    claims,
    second_metrics,
)
from benchmark.report.tables.table import Table, few_shot, long_tailed
from benchmark.suites.tables import ReportLayout

NOTHING: dict[str, Pairs] = {}  # no scores, so nothing is said of differences


@dataclass(frozen=True)
class Section:
    """A table and the heading above it.

    paper   what it answers to in the paper, or ""
    first   whether it is one of those that a reader should see before any other
    """

    title: str
    table: Table | None
    paper: str = ""
    first: bool = False


def main(
    whole: Grid, grid: Grid, layout: ReportLayout, pairs: Mapping[str, Pairs] = NOTHING
) -> list[Section]:
    """The two general tables, then those of the suite: what a terminal shows.

    `grid` is the part of the `whole` that general tables show; `pairs` says which differences
    are real (see `bootstrap.significance`).
    """
    found = (
        ("Long-tailed tasks", long_tailed(grid), "Table I", True),
        ("Few-shot tasks", few_shot(grid), "Table II", True),
        *(
            (spec.title, table, spec.paper, False)
            for spec, table in ablations.all_of(whole, layout)
        ),
    )
    return [Section(title, marked(table, pairs), *more) for title, table, *more in found if table]


def every(
    whole: Grid, grid: Grid, layout: ReportLayout, pairs: Mapping[str, Pairs] = NOTHING
) -> list[Section]:
    """All tables: the paper's headline gains, the main tables and both protocols; the suite's own
    and the claims that go with them; then further metrics, labelled as what they are, and how all
    this stands to what the paper has."""
    shown = main(whole, grid, layout, pairs)
    softmax = second_metrics.softmax(grid)
    found = (
        Section("The paper's headline gains", claims.headlines(grid, pairs), first=True),
        *(section for section in shown if section.first),
        Section("Both protocols", softmax and marked(softmax, pairs), first=True),
        *(section for section in shown if not section.first),
        Section("Ablation claims of the paper", claims.ablations(whole, pairs)),
        Section("Further claims of the paper", claims.groups(whole, pairs)),
        Section("Agreement with the paper: order of the methods", agreement.order(whole)),
        Section("Few-shot tasks after a class-balanced redraw", second_metrics.redraw(grid)),
        Section("Best epoch on test (oracle)", second_metrics.oracle(whole)),
        *(Section(title, table) for title, table in beside_published.sections(whole)),
        *(Section(title, table) for title, table in beside_curves.sections(whole)),
    )
    return [section for section in found if section.table]


def compared(grid: Grid, layout: ReportLayout) -> list[Collection[str]]:
    """The labels of each table that `marked` marks: the general ones, both protocols, the suite's
    own. What is not the best of all may be the best of one of them."""
    specs = (spec.rows for spec in layout.tables)
    return [grid.labels, second_metrics.with_softmax(grid), *specs]


def marked(table: Table, pairs: Mapping[str, Pairs]) -> Table:
    """The table with the entries marked that are not distinguishable from their task's best.

    `pairs`: see `bootstrap.significance`; it speaks of headline mAPs, so no other column is marked.
    """
    blocks = []
    for block in table.blocks:
        rows = [list(row) for row in block.rows]
        for j, task in enumerate(block.headlines):
            tied = pairs[task].among(table.labels).tied if task in pairs else ()
            for label, row in zip(table.labels, rows, strict=True):
                row[j] = replace(row[j], tied=bool(row[j].stat) and label in tied)
        blocks.append(replace(block, rows=tuple(map(tuple, rows))))
    return replace(table, blocks=tuple(blocks))
