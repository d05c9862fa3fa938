"""What CLIP reads for the classes of one's own: the labels file's names, or others."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmark.common import files
from benchmark.common.errors import InputError
from benchmark.common.text import shortened
from benchmark.data.own.found import decoded

LONGEST = 100  # letters of a name
_MARKUP = set("<>{}\\$")
_LARGEST = 50 * 10**6  # bytes of a file of renames
_RULE = "a row is `class in the labels file,what CLIP is to read`, without a header"


def renames(given: Path | str | Mapping[str, str] | None, classes: tuple[str, ...]) -> dict:
    """Class -> what CLIP reads instead, of a CSV file with these two columns, or of a mapping.

    InputError names the row whose class is none, has a name already, or has no new one.
    """
    if given is None:
        return {}
    pairs = _pairs(given) if isinstance(given, Mapping) else _rows(Path(given))
    found: dict[str, str] = {}
    for place, name, new in pairs:
        if name not in classes:
            raise InputError(f"{place}: '{shortened(name)}' is no class of the labels; {_RULE}")
        if name in found:
            raise InputError(f"{place}: class '{name}' is renamed twice; keep one row")
        if not new:
            raise InputError(f"{place}: class '{name}' has no new name; give one or leave it out")
        found[name] = new
    return found


def check(classes: tuple[str, ...], renamed: Mapping[str, str]) -> tuple[str, ...]:
    """The names that CLIP reads; InputError for one that it cannot, or two that it cannot tell."""
    read: dict[str, str] = {}
    for column in classes:
        name = renamed.get(column, column)
        same = read.setdefault(_as_read(name), column)
        problem = _problem(name) or (same != column and f"reads as class '{shortened(same)}' does")
        if problem:
            raise InputError(
                f"class '{shortened(column)}': its name '{shortened(name)}' {problem}; "
                "give it a plain one with --names FILE"
            )
    return tuple(renamed.get(column, column) for column in classes)


def _problem(name: str) -> str | None:
    if not name.strip() or name != name.strip():
        return "is empty, or has a space at an end"
    if len(name) > LONGEST:
        return f"has more than {LONGEST} letters"
    if not name.isprintable():
        return "has a tab or another character that cannot be printed"
    if _MARKUP & set(name):
        return f"has {' '.join(sorted(_MARKUP & set(name)))}, which CLIP would read as text"
    return None


def _as_read(name: str) -> str:
    """What is left of a name in a prompt: CLIP knows no capital letters."""
    return " ".join(name.replace("_", " ").lower().split())


def _pairs(given: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, new in given.items():
        if not isinstance(name, str) or not isinstance(new, str):
            raise InputError(f"names: {shortened(f'{name!r}: {new!r}')}: must be two texts")
        yield "names", name, new.strip()


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """(place, class, new name) of a file's rows; empty rows are none."""
    try:
        text = decoded(files.content(path, _LARGEST), path)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be read ({reason}); --names takes a CSV file") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    for place, row in _each(path, reader):
        if any(cell.strip() for cell in row):
            if len(row) != 2:
                raise InputError(f"{place}: has {len(row)} columns, not two; {_RULE}")
            yield place, row[0].strip(), row[1].strip()


def _each(path: Path, reader: Iterable[list[str]]) -> Iterator[tuple[str, list[str]]]:
    try:
        for row in reader:
            yield f"{path}:{reader.line_num}", row
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: no CSV ({error}); {_RULE}") from None
