"""The tables of a report in their order, each under its title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmark.report.bootstrap import Pairs
from benchmark.report.grid import Grid
from benchmark.report.tables import ablations, agreement, beside_published, second_metrics
from benchmark.report.tables.table import Table, few_shot, long_tailed
from benchmark.suites.tables import ReportLayout

NOTHING: dict[str, Pairs] = {}  # no scores, so nothing is said of differences


@dataclass(frozen=True)
class Section:
    """A table and the heading above it; `paper` is what it answers to in the paper, or ""."""

    title: str
    table: Table
    paper: str = ""


def main(
    whole: Grid, grid: Grid, layout: ReportLayout, pairs: Mapping[str, Pairs] = NOTHING
) -> list[Section]:
    """The two general tables, then those of the suite: what a terminal shows.

    `grid` is the part of the `whole` that general tables show; `pairs` says which differences
    are real (see `bootstrap.significance`).
    """
    found = (
        ("Long-tailed tasks", long_tailed(grid), "Table I"),
        ("Few-shot tasks", few_shot(grid), "Table II"),
        *((spec.title, table, spec.paper) for spec, table in ablations.all_of(whole, layout)),
    )
    return [Section(title, marked(table, pairs), paper) for title, table, paper in found if table]


def further(whole: Grid, grid: Grid) -> list[Section]:
    """Second metrics and protocols, labelled as what they are, and how all this stands to what
    the paper has."""
    found = (
        ("Long-tailed tasks after a softmax", second_metrics.softmax(grid)),
        ("Few-shot tasks after a class-balanced redraw", second_metrics.redraw(grid)),
        ("Best epoch on test (oracle)", second_metrics.oracle(whole)),
        ("Agreement with the paper: order of the methods", agreement.order(whole)),
        ("Agreement with the paper: claimed gains", agreement.claims(whole)),
        *beside_published.sections(whole),
    )
    return [Section(title, table) for title, table in found if table]


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
