"""Plain text in columns, for terminals and text files."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(
    rows: Sequence[Sequence[str]], left: int | None = None, rule: bool = False
) -> list[str]:
    """A line for each row of cells, columns one below the other.

    left   how many columns are flush left, the others flush right; None: all are
    rule   draw a line under the first row, the head
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = len(widths) if left is None else left
    lines = [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    under = ["-" * (sum(widths) + 2 * (len(widths) - 1))] if rule else []
    return [*lines[:1], *under, *lines[1:]]
