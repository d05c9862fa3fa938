"""Marks in a table what is not distinguishable from the best of its column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmark.report.tables import Block, Entry, Table

if TYPE_CHECKING:
    from benchmark.report.bootstrap import Pairs


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
