"""Plain text: for terminals and text files, in columns; names that become files; short quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 100  # letters of a name; a record's file name has more parts, and 255 in all
NAME_RULE = f"has letters, digits, '.', '_' and '-' only, at most {LONGEST}, no sign first"
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{,{LONGEST - 1}}}")


def is_name(text: str) -> bool:
    """Whether suites, rows and methods may be called so: see NAME_RULE."""
    return _NAME.fullmatch(text) is not None


def shortened(text: str, most: int = LONGEST) -> str:
    """The text, or its beginning where it is longer: what an error quotes of it."""
    return text if len(text) <= most else f"{text[:most]}..."


_CODES = re.compile(  # colours and cursor moves; titles, links and other strings for the terminal
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)"
)
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HALVES = re.compile(r"[\ud800-\udfff]")  # no characters: UTF-8 cannot say them


def plain(text: str) -> str:
    """The text without escape codes and control characters, halves of characters replaced.

    What is left can be encoded and shown, and reads as it is ordered. Line ends and tabs stay.
    """
    if text.isprintable():
        return text
    return HALVES.sub("\ufffd", _UNSEEN.sub("", _CODES.sub("", text)))


def one_line(text: object) -> str:
    """The same of anything that has a text, in one line."""
    return " ".join(plain(str(text)).split())


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
