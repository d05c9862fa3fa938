"""The tables of a report in their order, each under its title."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmark.layouts import Arrangement
from benchmark.report import ablations, beside, ranking, second, tables, tied
from benchmark.report.cells import Grid
from benchmark.report.tables import Table

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
    whole: Grid, grid: Grid, arrangement: Arrangement, pairs: Mapping[str, Pairs] = NOTHING
) -> list[Section]:
    """The two general tables, then those of the suite: what a terminal shows.

    `grid` is the part of the `whole` that general tables show; `pairs` says which differences
    are real (see `bootstrap.significance`).
    """
    general = (
        ("Long-tailed tasks", tables.long_tailed(grid), "Table I"),
        ("Few-shot tasks", tables.few_shot(grid), "Table II"),
    )
    found = [Section(*each) for each in general if each[1]]
    found += [
        Section(layout.title, table, layout.paper)
        for layout, table in ablations.all_of(whole, arrangement)
    ]
    return [replace(each, table=tied.marked(each.table, pairs)) for each in found]


def further(whole: Grid, grid: Grid) -> Iterator[Section]:
    """Second metrics and protocols, labelled as what they are, and how all this stands to what
    the paper has."""
    for title, table in (
        ("Long-tailed tasks after a softmax", second.softmax(grid)),
        ("Few-shot tasks after a class-balanced redraw", second.redraw(grid)),
        ("Best epoch on test (oracle)", second.oracle(whole)),
    ):
        if table:
            yield Section(title, table)
    for title, table in (*ranking.sections(whole), *beside.sections(whole)):
        yield Section(title, table)
