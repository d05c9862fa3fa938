"""Readers of the official list files: LMPT's text lists and HP-DVAL's CSV tables, as published.

Every reader takes a file's path and raises InputError naming the line that is not as expected.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.data.splits import lists
from benchmark.data.splits.lists import Row


def class_names(path: Path) -> tuple[str, ...]:
    """LMPT's `<name> <index>` lines in the order of the indices.

    Names hold spaces and lines may end in one, so the index is split off from the right.
    """
    found = {}
    for number, line in enumerate(_lines(path), 1):
        name, _, index = line.strip().rpartition(" ")
        if not name or not index.isdecimal():
            raise InputError(f"{path}:{number}: must be `<class name> <index>`")
        found[int(index)] = name
    if sorted(found) != list(range(len(found))):
        raise InputError(f"{path}: class indices must be 0, 1, 2, ... without a gap")
    return tuple(found[k] for k in range(len(found)))


def text_list(path: Path, image: str, classes: int) -> list[Row]:
    """LMPT's `<path> <index> ...` lines, whose paths match the regular expression `image`.

    Lines may end in a space, the last in no newline; an image may have no label (48 of val2017).
    Indices come sorted, since the official VOC lists have them in any order.
    """
    rows = []
    for number, line in enumerate(_lines(path), 1):
        name, labels = lists.row(f"{path}:{number}", line, classes)
        if not re.fullmatch(image, name):
            raise InputError(f"{path}:{number}: '{name}' is not of the form {image}")
        rows.append((name, tuple(sorted(set(labels)))))
    return _different(path, rows)


def table(path: Path, image: str) -> tuple[tuple[str, ...], list[tuple[str, tuple[int, ...]]]]:
    """HP-DVAL's CSV: the class names of its header, and rows of image and columns with a 1.

    The first column is the number of a VOC image without padding; `image` is a format for it.
    """
    header, *rows = _lines(path)
    first, *names = header.split(",")
    if first != "name" or not names:
        raise InputError(f"{path}:1: the header must be `name,<class>,...`")
    found = []
    for number, line in enumerate(rows, 2):
        key, *values = line.split(",")
        good = key.isdecimal() and len(values) == len(names) and set(values) <= {"0", "1"}
        if not good or "1" not in values:
            raise InputError(f"{path}:{number}: must be `<image number>,0,1,...` with some 1")
        labels = tuple(k for k, value in enumerate(values) if value == "1")
        found.append((image.format(int(key)), labels))
    return tuple(names), _different(path, found)


def _lines(path: Path) -> list[str]:
    try:
        found = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.reason
        raise InputError(f"{path}: cannot be read ({reason}); fetch it again") from None
    if not found:
        raise InputError(f"{path}: empty; fetch it again")
    return found


def _different(path: Path, rows: list[Row]) -> list[Row]:
    """The rows, if no image occurs twice."""
    seen: set[str] = set()
    for number, (name, _) in enumerate(rows, 1):
        if name in seen:
            raise InputError(f"{path}: '{name}' occurs twice (image {number} of the list)")
        seen.add(name)
    return rows
