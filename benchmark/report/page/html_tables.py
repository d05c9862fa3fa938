"""A Table as the page shows it: which blocks stand side by side, and each field's texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.report.tables.table import Block, Entry, Table

WIDE = 14  # columns that still stand side by side
DENSE = 7  # from here on a standard deviation stands below its mean
WORDY = 18  # characters of a first text that had better not be squeezed


@dataclass(frozen=True)
class Field:
    """One field. `value` is what it sorts by, "" if only its text can; `rank` as in Entry."""

    text: str
    std: str = ""
    count: str = ""
    value: str = ""
    rank: int = 0
    tied: bool = False
    quiet: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """A column's head; `begins` if it is a block's first; `kind`: num or text."""

    name: str
    begins: bool
    kind: str


@dataclass(frozen=True)
class Sheet:
    """One HTML table. `heads` (name, columns) is the row above the columns; empty for none.

    dense   so many columns that a standard deviation stands below its mean
    wordy   the first texts are sentences more than names
    """

    title: str
    leading: tuple[str, ...]
    heads: tuple[tuple[str, int], ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Field, ...]], ...]
    dense: bool
    wordy: bool


def sheets(table: Table) -> list[Sheet]:
    """All blocks in one, as the paper arranges them, unless that is too wide for a screen."""
    width = sum(len(block.columns) for block in table.blocks)
    if not table.stacked or width <= WIDE:
        return [_sheet(table, table.blocks, "")]
    return [_sheet(table, (block,), block.name) for block in table.blocks]


def _sheet(table: Table, blocks: Sequence[Block], title: str) -> Sheet:
    named = not title and any(block.name for block in blocks)
    columns = [
        Column(name, k == 0, _kind([row[k] for row in block.rows]))
        for block in blocks
        for k, name in enumerate(block.columns)
    ]
    return Sheet(
        title=title,
        leading=tuple(table.factors),
        heads=tuple((block.name, len(block.columns)) for block in blocks) if named else (),
        columns=tuple(columns),
        rows=tuple((texts, tuple(map(_field, row))) for texts, row in table.lines(blocks)),
        dense=len(columns) >= DENSE,
        wordy=any(len(texts[0]) > WORDY for texts in table.leading),
    )


def _kind(entries: Sequence[Entry]) -> str:
    """Words stand left, numbers right; a column without either is one of numbers."""
    words = [e.word for e in entries if not e.stat and e.word not in ("-", "skipped", "failed")]
    return "text" if words and not any(map(_number, words)) else "num"


def _field(entry: Entry) -> Field:
    tied, mark = entry.tied, entry.mark
    if entry.stat is None:
        number = _number(entry.word)
        return Field(entry.word, value=number, tied=tied, mark=mark, quiet=not number)
    mean, std = entry.stat.mean, "–" if entry.stat.std is None else f"{entry.stat.std:.2f}"
    return Field(f"{mean:.2f}", std, entry.count, f"{mean:.8g}", entry.rank, tied, mark=mark)


def _number(word: str) -> str:
    """The number that a word begins with, such as the 3 of `3/10`; "" if there is none."""
    first = word.partition("/")[0].strip().replace("\u2212", "-")
    try:
        number = float(first)
    except ValueError:
        return ""
    return f"{number:.8g}" if math.isfinite(number) else ""
