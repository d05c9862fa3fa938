"""The tables of a report as data: which method and metric stand where, and the notes below.

Here are the two general ones and what all tables are made with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from benchmark.report.grid import Cell, Grid, Stat, in_order, task_title
from benchmark.report.wording import about, count, gaps

LONG_TAILED = ("total", "head", "medium", "tail", "var")
UNRANKED = ("var", "n", "gap")  # a small variance of bad APs is no merit

Line = tuple[tuple[str, ...], Sequence["Entry"]]  # leading texts and entries of one row


@dataclass(frozen=True)
class Entry:
    """One field of a table: a Stat, or else a word. `rank` 1 is the column's best, 2 the second.

    `tied`: not the best mean of its column, but not distinguishable from it either; `mark`: the
    numbers of the notes below that it carries, as in `1,3`; `code`: what the CSV file has in place
    of the word, such as the label of a method; `signed`: a plus stands before what is above zero.
    """

    stat: Stat | None = None
    word: str = "-"
    count: str = ""  # n behind the number, where the block has no column for it
    rank: int = 0
    tied: bool = False
    mark: str = ""
    code: str = ""
    signed: bool = False


@dataclass(frozen=True)
class Block:
    """Columns that belong together; `rows` holds one list of entries per label of the table.

    `headlines` names the task whose headline mAP a column shows, "" for any other column; `title`
    is what people read in place of the name.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    headlines: tuple[str, ...] = ()
    title: str = ""

    @property
    def heading(self) -> str:
        """The block's title, else its name."""
        return self.title or self.name


@dataclass(frozen=True)
class Table:
    """A table of the report: blocks side by side, a row a label, notes below.

    stacked    Markdown shows the blocks below each other; plain text too, where they are too wide
    factors    heads of the leading columns
    titles     what people read in place of the labels
    rows       texts of the leading columns; without, the titles, else the labels
    codes      texts of the leading columns in the CSV file, where they are not the rows
    of_cells   each field is a metric of a label on a task, so that the CSV can say more than it
    """

    name: str
    caption: str
    labels: tuple[str, ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...]
    stacked: bool
    factors: tuple[str, ...] = ("method",)
    titles: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    codes: tuple[tuple[str, ...], ...] = ()
    of_cells: bool = True

    @property
    def leading(self) -> tuple[tuple[str, ...], ...]:
        """The texts in front of each row's numbers."""
        return self.rows or tuple((text,) for text in self.titles or self.labels)

    def lines(self, blocks: Sequence[Block]) -> list[Line]:
        """Each row's leading texts, and its entries in all of these blocks."""
        return [(t, [e for b in blocks for e in b.rows[i]]) for i, t in enumerate(self.leading)]

    @property
    def ranked(self) -> bool:
        """Whether any column has a best value to mark."""
        return any(entry.rank for block in self.blocks for row in block.rows for entry in row)

    @property
    def tied(self) -> bool:
        """Whether any entry is marked as not distinguishable from the best."""
        return any(entry.tied for block in self.blocks for row in block.rows for entry in row)


def long_tailed(grid: Grid) -> Table | None:
    """Total, head, medium and tail mAP and variance on every long-tailed task."""
    caption = (
        f"Long-tailed tasks (the paper's Table I), {about(grid, grid.long_tailed)}: mAP in percent "
        "of all, head, medium and tail classes and the population variance of per-class AP; mean ± "
        "sample standard deviation over n seeds."
    )
    return stacked(grid, "table_lt", caption, LONG_TAILED, in_order(grid.long_tailed))


def stacked(
    grid: Grid,
    name: str,
    caption: str,
    columns: tuple[str, ...],
    tasks: Sequence[str],
    labels: list[str] | None = None,
) -> Table | None:
    """One block a task and one row a label, all labels if none are given; None without labels."""
    labels = grid.labels_of(tasks) if labels is None else labels
    if not labels:
        return None
    blocks = []
    for task in tasks:
        rows = [_row(grid.cell(task, label), columns) for label in labels]
        heads = (*columns, "n")
        headlines = tuple(task if name == "total" else "" for name in heads)
        blocks.append(Block(task, heads, ranked(heads, rows), headlines, task_title(task)))
    return Table(
        name=name,
        caption=caption,
        labels=tuple(labels),
        blocks=tuple(blocks),
        notes=tuple(gaps(grid, tasks, labels)),
        stacked=len(blocks) != 2,
        titles=tuple(map(grid.title, labels)),
    )


def few_shot(grid: Grid) -> Table | None:
    """Novel-class mAP, a column for each number of shots, a block for each dataset."""
    labels = grid.labels_of(grid.few_shot)
    if not labels:
        return None
    datasets: dict[str, list[tuple[str, str]]] = {}
    for task in in_order(grid.few_shot):
        dataset, _, column = task_title(task).partition(" ")
        datasets.setdefault(dataset, []).append((column or "novel", task))
    blocks = []
    for dataset, members in datasets.items():
        columns, tasks = zip(*members, strict=True)
        rows = [[entry(grid.cell(t, x), "novel", counted=True) for t in tasks] for x in labels]
        blocks.append(Block(dataset, columns, ranked(columns, rows), headlines=tasks))
    caption = (
        f"Few-shot tasks (the paper's Table II), {about(grid, grid.few_shot)}: mAP over the novel "
        "classes in percent; mean ± sample standard deviation over the episodes (n in parentheses)."
    )
    notes = tuple(gaps(grid, in_order(grid.few_shot), labels))
    titles = tuple(map(grid.title, labels))
    return Table("table_fs", caption, tuple(labels), tuple(blocks), notes, False, titles=titles)


def _row(cell: Cell, columns: Sequence[str]) -> list[Entry]:
    """The columns and n. The first says why a row is empty; to repeat it in each is noise."""
    first, *rest = (entry(cell, name) for name in columns)
    rest = [e if e.stat or first.stat else Entry() for e in rest]
    return [first, *rest, Entry(word=count(cell))]


def entry(cell: Cell, column: str, counted: bool = False) -> Entry:
    """The field of a column in a cell's row, with n in it if `counted`; a word where no number."""
    found = cell.stat(column)
    if found is None:
        return Entry(word=cell.state if cell.state in ("skipped", "failed") else "-")
    some = f"{found.n}" if found.n < len(cell.done) else ""  # older records lack a metric
    return Entry(found, count=count(cell) if counted else some)


def ranked(
    columns: Sequence[str], rows: Iterable[Sequence[Entry]]
) -> tuple[tuple[Entry, ...], ...]:
    """The rows with best and second best marked per column.

    Values are compared as printed, to two decimals: equal ones share a rank, and a column with
    only one distinct value has no best.
    """
    out = []
    for name, column in zip(columns, zip(*rows, strict=True), strict=True):
        printed = [round(e.stat.mean, 2) if e.stat else None for e in column]
        best = sorted({*printed} - {None}, reverse=True)[:2]
        ranks = {shown: rank for rank, shown in enumerate(best, start=1)}
        if name not in UNRANKED and len(best) == 2:
            pairs = zip(column, printed, strict=True)
            column = [replace(e, rank=ranks.get(shown, 0)) for e, shown in pairs]
        out.append(column)
    return tuple(zip(*out, strict=True))
