"""A table whose entries are words as well as numbers, as CSV: what is shown, in full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from benchmark.report.cells import Grid
from benchmark.report.tables import Block, Entry, Table


def comma(table: Table, grid: Grid) -> str:
    """One row for each row of each block, with the columns that any block has.

    A column of measured numbers becomes NAME_mean, NAME_std and NAME_n; one with footnotes gets
    NAME_notes, their numbers, beside it.
    """
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    named = any(block.name for block in table.blocks)
    first = table.blocks[0]
    kinds = [_kind(table.blocks, j) for j in range(len(first.columns))]
    heads = [h for name, kind in zip(first.columns, kinds, strict=True) for h in _head(name, kind)]
    out.writerow(["scale", *["task"] * named, *table.factors, *heads])
    for block in table.blocks:
        for texts, row in zip(table.leading, block.rows, strict=True):
            fields = [f for e, kind in zip(row, kinds, strict=True) for f in _fields(e, kind)]
            out.writerow([grid.scale, *[block.name] * named, *texts, *fields])
    return stream.getvalue()


def _kind(blocks: tuple[Block, ...], j: int) -> tuple[bool, bool]:
    """(has it measured numbers, has it footnotes)."""
    entries = [row[j] for block in blocks for row in block.rows]
    return any(e.stat for e in entries), any(e.mark for e in entries)


def _head(name: str, kind: tuple[bool, bool]) -> Iterator[str]:
    yield from (f"{name}_mean", f"{name}_std", f"{name}_n") if kind[0] else (name,)
    if kind[1]:
        yield f"{name}_notes"


def _fields(entry: Entry, kind: tuple[bool, bool]) -> Iterator[str]:
    if not kind[0]:
        yield "" if entry.word == "-" else entry.word
    elif entry.stat is None:
        yield from ("", "", "")
    else:
        yield f"{entry.stat.mean:.6f}"
        yield "" if entry.stat.std is None else f"{entry.stat.std:.6f}"
        yield str(entry.stat.n)
    if kind[1]:
        yield entry.mark
