"""The table of agreement with the paper in the order of the methods.

Only orders are taken from the paper, never its numbers: at miniature scale those have no place
beside ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.published import model, reading
from benchmark.published.model import Place, PublishedTable, Row
from benchmark.report import counterparts
from benchmark.report.counterparts import Ours
from benchmark.report.grid import Grid, task_title
from benchmark.report.tables.table import Block, Entry, Table
from benchmark.report.wording import about

ZERO = 0.005  # mAP: what shows as 0.00


def order(grid: Grid) -> Table | None:
    """Kendall's tau for each published column that two or more of our methods stand in."""
    data, lines, methods = reading.load(), [], {}
    for table in data.tables.values():
        mine, name = counterparts.ours(grid, table), _name(table, data)
        for place in (p for p in table.places if p.column != "var"):
            column = _column(mine, table, place)
            if len(column.rows) > 1:
                lines.append(((name, *place), _agreement(grid, column)))
                titles = ", ".join(map(grid.title, column.rows))
                methods.setdefault(titles, {})[name] = None
    caption = (
        f"Order of the methods beside the published order, {about(grid, grid.tasks)}: Kendall's "
        "tau-b over n methods that both have, 1 for the same order and -1 for the reverse; with "
        "few methods a single exchange moves it far. As measured there: by the metric nearest to "
        "the published one, such as mAP after a softmax, where a row has one. By the logs: with "
        "the authors' logs in place of what is printed, where both are known and differ."
    )
    if grid.scale == "miniature":
        caption += " The paper's numbers themselves are of another scale and not shown."
    notes = [f"{', '.join(where)}: {names}" for names, where in methods.items()]
    others = (row for _, _, row in data.rows() if row.backbone)
    if left := dict.fromkeys(x for row in others for x in row.labels if x in grid.labels):
        titles = ", ".join(map(grid.title, left))
        notes.append(f"left out, since published with an ImageNet backbone: {titles}")
    if not lines:
        return None
    codes, entries = zip(*lines, strict=True)
    taus = ("tau", "tau as measured there", "tau by the logs")
    columns = ("n", *taus, "best here", "best published")
    return Table(
        name="table_ranking",
        caption=caption,
        labels=tuple(" ".join(texts) for texts in codes),
        blocks=(Block("", columns, entries),),
        notes=tuple(notes),
        stacked=False,
        factors=("paper", "task", "column"),
        rows=tuple((name, task_title(task), column) for name, task, column in codes),
        codes=codes,
        of_cells=False,
    )


def _name(table: PublishedTable, data: model.Published) -> str:
    """`Table I`; `Figures 4 and 5, alpha` where several tables are of one place in the paper."""
    alone = sum(other.paper == table.paper for other in data.tables.values()) == 1
    return table.paper if alone else f"{table.paper}, {table.name}"


@dataclass(frozen=True)
class _Column:
    """The rows of one published column that we have, by our label, and a number of each."""

    rows: Mapping[str, Row]
    here: Sequence[float]  # the means of the column's own metric
    nearer: Sequence[float]  # as measured there
    printed: Sequence[float]
    logged: Sequence[float]


def _column(mine: Ours, table: PublishedTable, place: Place) -> _Column:
    own = {row: numbers[place] for row, numbers in mine.values([place]).items() if numbers}
    rows = {
        mine.labels[row.name]: row
        for row in table.rows.values()
        if row.name in own and not row.backbone and row.number(place) is not None
    }
    known = [*rows.values()]
    here, printed = [own[row.name] for row in known], [row.number(place) for row in known]
    logged = [row.logged.get(place, number) for row, number in zip(known, printed, strict=True)]
    nearer = here
    if place == table.places_of(place.task)[0]:  # a row's second metric is of its task's total
        also = [row.also and mine.cell(place.task, row.name).stat(row.also) for row in known]
        nearer = [x.mean if x else mean for x, mean in zip(also, here, strict=True)]
    return _Column(rows, here, nearer, printed, logged)


def _agreement(grid: Grid, column: _Column) -> tuple[Entry, ...]:
    """The table's entries of one column."""
    here, printed = column.here, column.printed
    words = [
        str(len(column.rows)),
        tau(here, printed),
        tau(column.nearer, printed) if column.nearer != here else "-",
        tau(here, column.logged) if column.logged != printed else "-",
    ]
    return (
        *(Entry(word=word) for word in words),
        _best(grid, column.rows, here),
        _best(grid, column.rows, printed),
    )


def _best(grid: Grid, rows: Mapping[str, Row], numbers: Sequence[float]) -> Entry:
    """The methods with the highest number."""
    found = [label for label, x in zip(rows, numbers, strict=True) if x == max(numbers)]
    return Entry(word=", ".join(map(grid.title, found)), code=", ".join(found))


def tau(a: Sequence[float], b: Sequence[float]) -> str:
    """Kendall's tau-b of two lists of equal length as text; `-` where either is constant."""
    found = counterparts.tau(a, b)
    return "-" if found is None else f"{found:.2f}"
