"""What the reader of one form hands over, before it is sorted and checked as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmark.common.errors import InputError
from benchmark.common.text import shortened


class Image(NamedTuple):
    """Where it is listed ("x.csv:7"), its path below the data root, positions of its classes."""

    place: str
    path: str
    labels: Sequence[int]


@dataclass
class Found:
    """Images and classes in the file's order. See LabelTable for form, sha256 and notes.

    columns   each class has a column of its own: one that is 0 everywhere is a mistake, where it
              would be an unused name in a list of classes
    """

    form: str
    sha256: str
    classes: Sequence[str]
    images: Sequence[Image]
    notes: list[str] = field(default_factory=list)
    columns: bool = False


class Classes(dict[str, int]):
    """Class names -> positions, in the order in which they were first met."""

    def position(self, name: str, place: str) -> int:
        """The position of a class, which is new or known."""
        name = class_name(name, place)
        return self.setdefault(name, len(self))

    def new(self, name: str, place: str) -> int:
        """The position of a class that must be new."""
        if name.strip() in self:
            quoted = repr(shortened(name.strip()))
            raise InputError(f"{place}: the class {quoted} is there twice; rename or remove one")
        return self.position(name, place)


def class_name(text: str, place: str) -> str:
    """The name without spaces around it, which must have letters and no control characters."""
    name = text.strip()
    if not name:
        raise InputError(f"{place}: has a class without a name; name it")
    if not name.isprintable():
        quoted = repr(shortened(name))
        raise InputError(f"{place}: the class name {quoted} has a tab or the like; take it out")
    return name


def some(names: Sequence[str], most: int = 10) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def decoded(content: bytes, path: Path | str) -> str:
    """The text of a file; InputError names the line where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from None
