"""Chance that depends on a seed, a purpose and an image's path: no generator, no order of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmark.data.splits import Row, lists


def shuffled(rows: Iterable[Row], seed: int, purpose: str) -> list[Row]:
    """The rows in the order of the hash of their paths; each purpose has an order of its own."""
    return sorted(rows, key=lambda row: lists.sha256(f"{seed} {purpose} {row[0]}".encode()))


def holders(rows: Sequence[Row], classes: int) -> list[list[int]]:
    """The positions of the rows that have each class, ascending."""
    found: list[list[int]] = [[] for _ in range(classes)]
    for n, (_, labels) in enumerate(rows):
        for k in labels:
            found[k].append(n)
    return found
