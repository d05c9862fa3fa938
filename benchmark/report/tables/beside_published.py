"""Measured numbers beside the published ones, at paper scale, with footnotes on doubtful ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from benchmark.published import audit, reading
from benchmark.published.model import Place, PublishedTable, Row, Spot
from benchmark.report.grid import METRIC, Grid, Stat
from benchmark.report.tables.agreement import metric
from benchmark.report.tables.table import Block, Entry, Table
from benchmark.report.wording import about, gaps

COLUMNS = ("measured", "n", "printed", "gap", "in 2 std")
LOGGED = ("logged", "gap to log", "log in 2 std")


class Footnotes:
    """Numbers footnotes in the order in which they are first needed; equal texts share one."""

    def __init__(self):
        self.numbers: dict[str, int] = {}

    def mark(self, texts: Sequence[str]) -> str:
        """The marks of these notes: `1,3`; "" for none."""
        found = {self.numbers.setdefault(text, len(self.numbers) + 1) for text in texts}
        return ",".join(map(str, sorted(found)))

    @property
    def lines(self) -> tuple[str, ...]:
        """All notes, each after its number."""
        return tuple(f"[{number}] {text}" for text, number in self.numbers.items())


def sections(grid: Grid) -> Iterator[tuple[str, Table]]:
    """(title, table) for each published table that has a measured row; none below paper scale.

    A table is left out where earlier ones have shown all that is measured of it.
    """
    if grid.scale != "paper":
        return
    shown: set[tuple[str, str]] = set()
    for table in reading.load().tables.values():
        rows = _measured(grid, table)
        pairs = {(label, task) for label, _ in rows for task in table.tasks}
        if pairs - shown:
            shown |= pairs
            yield f"Beside {table.paper}: {table.title}", _table(grid, table, rows)


def _measured(grid: Grid, table: PublishedTable) -> list[tuple[str, Row]]:
    """(label, row) of every label with a result on any task of the table."""
    return [
        (label, row)
        for row in table.rows.values()
        for label in row.labels
        if any(grid.cell(task, label).done for task in table.tasks)
    ]


@cache
def _flags() -> dict[Spot, tuple[str, ...]]:
    return audit.footnotes(audit.audit(reading.load()))


def _table(grid: Grid, table: PublishedTable, rows: Sequence[tuple[str, Row]]) -> Table:
    """One block a task; a row for each label and column of the published table."""
    tasks = [t for t in table.tasks if any(grid.cell(t, label).done for label, _ in rows)]
    notes, lines = Footnotes(), []
    for label, row in rows:
        lines += [(label, row, (label, column)) for column in _columns(table, row)]
    logged = any(row.logged for _, row in rows)
    blocks = tuple(
        Block(
            task,
            COLUMNS + LOGGED * logged,
            tuple(
                _entries(grid, table, notes, task, label, row, column, logged)
                for label, row, (_, column) in lines
            ),
        )
        for task in tasks
    )
    labels = list(dict.fromkeys(label for label, _ in rows))
    return Table(
        name=f"beside_{table.name}",
        caption=_caption(grid, table, tasks, labels),
        labels=tuple(" ".join(texts) for *_, texts in lines),
        blocks=blocks,
        notes=(*gaps(grid, tasks, labels), *notes.lines),
        stacked=True,
        factors=("method", "column"),
        rows=tuple(texts for *_, texts in lines),
        of_cells=False,
    )


def _row_notes(row: Row) -> list[str]:
    other = [f"published with {row.backbone}"] if row.backbone else []
    return [*other, *row.notes]


def _columns(table: PublishedTable, row: Row) -> list[str]:
    """The published columns, and after the first the row's second metric of ours."""
    first, *rest = dict.fromkeys(place.column for place in table.places)
    return [first, *([f"{first}, {row.also}"] if row.also else []), *rest]


def _entries(
    grid: Grid,
    table: PublishedTable,
    notes: Footnotes,
    task: str,
    label: str,
    row: Row,
    column: str,
    logged: bool,
) -> tuple[Entry, ...]:
    """The entries of COLUMNS, and of LOGGED if asked, in one row."""
    place = Place(task, column.partition(", ")[0])
    cell, printed = grid.cell(task, label), row.printed.get(place)
    second = cell.stat(METRIC[row.also]) if row.also else None
    found = second if ", " in column else cell.stat(metric(place))
    if ", " in column and second is None:  # such as the redraw, which VOC has none of
        return (Entry(),) * len(COLUMNS + LOGGED * logged)
    flags = [*_flags().get(Spot(table.name, row.name, place), ())]
    if place == table.places_of(task)[0]:
        flags += [row.also_note] * bool(second) + _row_notes(row)
    mark = notes.mark(flags) if printed is not None else ""
    n = str(found.n) if found else "-"
    out = [Entry(found), Entry(word=n), Entry(word=_number(printed, table.decimals), mark=mark)]
    out += _compared(found, printed)
    if logged:
        theirs = row.logged.get(place)
        out += [Entry(word=_number(theirs, 2)), *_compared(found, theirs)]
    return tuple(out)


def _compared(found: Stat | None, theirs: float | None) -> list[Entry]:
    """The gap, and whether it is at most two of our standard deviations."""
    if found is None or theirs is None:
        return [Entry(), Entry()]
    gap = found.mean - theirs
    within = "-" if found.std is None else "yes" if abs(gap) <= 2 * found.std else "no"
    return [Entry(word=f"{gap:+.2f}"), Entry(word=within)]


def _number(number: float | None, decimals: int) -> str:
    return "-" if number is None else f"{number:.{decimals}f}"


def _caption(grid: Grid, table: PublishedTable, tasks: Sequence[str], labels: Sequence[str]) -> str:
    done = [r for task in tasks for label in labels for r in grid.cell(task, label).done]
    backbones = ", ".join(dict.fromkeys(str(r.get("backbone")) for r in done))
    return (
        f"{table.title}, {about(grid, tasks)}: mAP in percent measured here ({backbones}; mean ± "
        f"sample standard deviation over n units) beside {table.paper} of {table.source}. "
        "Gap: measured less published; in 2 std: whether it is no more than two of our standard "
        "deviations; logged: what the authors' log of the same run says. Small numbers: notes."
    )
