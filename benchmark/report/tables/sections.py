"""The tables of a report in their order, each under its title."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmark.report.grid import Grid
from benchmark.report.tables import ablations, agreement, beside_published, second_metrics
from benchmark.report.tables.table import Block, Entry, Table, few_shot, long_tailed
from benchmark.suites.tables import ReportLayout

if TYPE_CHECKING:
    from benchmark.report.bootstrap import Pairs

NOTHING: dict[str, Pairs] = {}  # no scores, so nothing is said of differences


@dataclass(frozen=True)
class Section:
    """A table and the heading above it; `paper` is what it answers to in the paper, or ""."""

    title: str
    table: Table
    paper: str = ""


def main(
    whole: Grid, grid: Grid, arrangement: ReportLayout, pairs: Mapping[str, Pairs] = NOTHING
) -> list[Section]:
    """The two general tables, then those of the suite: what a terminal shows.

    `grid` is the part of the `whole` that general tables show; `pairs` says which differences
    are real (see `bootstrap.significance`).
    """
    general = (
        ("Long-tailed tasks", long_tailed(grid), "Table I"),
        ("Few-shot tasks", few_shot(grid), "Table II"),
    )
    found = [Section(*each) for each in general if each[1]]
    found += [
        Section(layout.title, table, layout.paper)
        for layout, table in ablations.all_of(whole, arrangement)
    ]
    return [replace(each, table=marked(each.table, pairs)) for each in found]


def further(whole: Grid, grid: Grid) -> Iterator[Section]:
    """Second metrics and protocols, labelled as what they are, and how all this stands to what
    the paper has."""
    for title, table in (
        ("Long-tailed tasks after a softmax", second_metrics.softmax(grid)),
        ("Few-shot tasks after a class-balanced redraw", second_metrics.redraw(grid)),
        ("Best epoch on test (oracle)", second_metrics.oracle(whole)),
    ):
        if table:
            yield Section(title, table)
    for title, table in (*agreement.sections(whole), *beside_published.sections(whole)):
        yield Section(title, table)


def marked(table: Table, pairs: Mapping[str, Pairs]) -> Table:
    """The table with the entries marked that are not distinguishable from their task's best.

    `pairs`: see `bootstrap.significance`; it speaks of headline mAPs, so no other column is marked.
    """
    blocks = tuple(replace(b, rows=_tied(table.labels, b, pairs)) for b in table.blocks)
    return replace(table, blocks=blocks)


def _tied(
    labels: Sequence[str], block: Block, pairs: Mapping[str, Pairs]
) -> tuple[tuple[Entry, ...], ...]:
    tasks = block.headlines or ("",) * len(block.columns)
    same = [pairs[t].among(labels).tied if t in pairs else frozenset() for t in tasks]
    return tuple(
        tuple(
            replace(e, tied=True) if e.stat and label in tied else e
            for e, tied in zip(row, same, strict=True)
        )
        for label, row in zip(labels, block.rows, strict=True)
    )
