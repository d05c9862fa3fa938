"""Measured numbers beside the published ones, at paper scale, with footnotes on doubtful ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from benchmark.published import audit, reading
from benchmark.published.model import LOGGED, PRINTED, Place, PublishedTable, Row, Spot
from benchmark.report.grid import Cell, Grid, Stat, task_title
from benchmark.report.tables.table import Block, Entry, Table
from benchmark.report.wording import about, gaps

MEASURED = ("measured", "n")
THEIRS = {  # the number of theirs, and what ours is to it
    PRINTED: ("printed", "gap", "in 2 std"),
    LOGGED: ("logged", "gap to log", "log in 2 std"),
}


Footnotes = dict[str, int]  # text -> number, in the order in which they are first needed


def sections(grid: Grid) -> Iterator[tuple[str, Table]]:
    """(title, table) for each published table that has a measured row; none below paper scale.

    A table is left out where earlier ones have shown all that is measured of it.
    """
    if grid.scale != "paper":
        return
    shown: set[tuple[str, str]] = set()
    for table in reading.load().tables.values():
        labels = [(label, row) for row in table.rows.values() for label in row.labels]
        rows = [(x, row) for x, row in labels if any(grid.cell(t, x).done for t in table.tasks)]
        pairs = {(label, task) for label, _ in rows for task in table.tasks}
        if pairs - shown:
            shown |= pairs
            yield f"Beside {table.paper}: {table.title}", _table(grid, table, rows)


@cache
def _flags() -> dict[Spot, tuple[str, ...]]:
    return audit.footnotes(audit.audit(reading.load()))


def _table(grid: Grid, table: PublishedTable, rows: Sequence[tuple[str, Row]]) -> Table:
    """One block a task; a row for each label and column of the published table."""
    tasks = [t for t in table.tasks if any(grid.cell(t, label).done for label, _ in rows)]
    notes: Footnotes = {}
    lines = [(label, row, column) for label, row in rows for column in _columns(table, row)]
    kinds = [kind for kind in THEIRS if any(getattr(row, kind) for _, row in rows)]
    columns = MEASURED + sum((THEIRS[kind] for kind in kinds), ())
    blocks = []
    for task in tasks:
        entries = [_entries(grid.cell(task, x), table, row, c, kinds, notes) for x, row, c in lines]
        blocks.append(Block(task, columns, tuple(entries), title=task_title(task)))
    labels = list(dict.fromkeys(label for label, _ in rows))
    done = [r for task in tasks for label in labels for r in grid.cell(task, label).done]
    backbones = ", ".join(dict.fromkeys(str(r.get("backbone")) for r in done))
    caption = (
        f"{table.title}, {about(grid, tasks)}: mAP in percent measured here ({backbones}; mean ± "
        f"sample standard deviation over n units) beside {table.paper} of {table.source.text} "
        f"({table.source.status}). "
        "Gap: measured less published; in 2 std: whether it is no more than two of our standard "
        "deviations; logged: what the authors' log of the same run says. Small numbers: notes."
    )
    return Table(
        name=f"beside_{table.name}",
        caption=caption,
        labels=tuple(f"{label} {column}" for label, _, column in lines),
        blocks=tuple(blocks),
        notes=(*gaps(grid, tasks, labels), *(f"[{n}] {text}" for text, n in notes.items())),
        stacked=True,
        factors=("method", "column"),
        rows=tuple((grid.title(label), column) for label, _, column in lines),
        codes=tuple((label, column) for label, _, column in lines),
        of_cells=False,
    )


def _columns(table: PublishedTable, row: Row) -> list[str]:
    """The published columns, and after the first the row's second metric of ours."""
    first, *rest = dict.fromkeys(place.column for place in table.places)
    return [first, *([f"{first}, {row.also}"] if row.also else []), *rest]


def _entries(
    cell: Cell,
    table: PublishedTable,
    row: Row,
    column: str,
    kinds: Sequence[str],
    notes: Footnotes,
) -> tuple[Entry, ...]:
    """The entries of MEASURED and of THEIRS in one row; the first number of theirs has the notes
    about it."""
    place = Place(cell.task, column.partition(", ")[0])
    also = cell.stat(row.also) if row.also else None
    found = also if ", " in column else cell.stat(place.column)
    if ", " in column and also is None:  # such as the redraw, which VOC has none of
        return (Entry(),) * (len(MEASURED) + sum(len(THEIRS[kind]) for kind in kinds))
    flags = [*_flags().get(Spot(table.name, row.name, place), ())]
    if place == table.places_of(cell.task)[0]:
        flags += [row.also_note] * bool(also)
        flags += [f"published with {row.backbone}"] * bool(row.backbone) + [*row.notes]
    out = [Entry(found), Entry(word=str(found.n) if found else "-")]
    for kind in kinds:
        theirs, decimals = getattr(row, kind).get(place), table.decimals if kind == PRINTED else 2
        mark = _mark(notes, flags) if theirs is not None else ""
        flags = [] if mark else flags
        out += [Entry(word=number(theirs, decimals), mark=mark), *compared(found, theirs)]
    return tuple(out)


def _mark(notes: Footnotes, texts: Sequence[str]) -> str:
    """The numbers of these notes, new ones added: `1,3`; "" for none."""
    found = {notes.setdefault(text, len(notes) + 1) for text in texts}
    return ",".join(map(str, sorted(found)))


def compared(found: Stat | None, theirs: float | None) -> list[Entry]:
    """The gap, and whether it is at most two of our standard deviations."""
    if found is None or theirs is None:
        return [Entry(), Entry()]
    gap = found.mean - theirs
    within = "-" if found.std is None else "yes" if abs(gap) <= 2 * found.std else "no"
    return [Entry(word=f"{gap:+.2f}"), Entry(word=within)]


def number(value: float | None, decimals: int = 2) -> str:
    """The number as text, `-` for none."""
    return "-" if value is None else f"{value:.{decimals}f}"
