"""Which column of a table of labels is what, told from its first rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from benchmark.common.errors import InputError
from benchmark.common.text import shortened
from benchmark.data.own import image_files
from benchmark.data.own.found import some
from benchmark.data.own.image_files import ImageFiles

VALUES = dict.fromkeys(("0", "0.0", "false", "no"), "0") | dict.fromkeys(
    ("1", "1.0", "true", "yes"), "1"
)
SEPARATORS = (";", "|", ",")
_NAMED = {"label", "labels", "class", "classes", "tag", "tags", "category", "categories"}


@dataclass(frozen=True)
class Columns:
    """Positions of the columns, from 0.

    image    the image's path
    classes  0/1 columns, one a class; empty: `labels` holds them all
    labels   the column with the names of an image's classes
    """

    image: int
    classes: tuple[int, ...]
    labels: int | None


def told(header: Sequence[str], rows: Sequence[Sequence[str]], images: ImageFiles) -> Columns:
    """The columns of a table; InputError (without the file's name) where it cannot be told."""
    values = [Counter(row[k] for row in rows) for k in range(len(header))]
    image = image_column(values, images)
    if image is None:
        raise InputError(
            f"no column has paths of image files below {images.folder}; name the folder where the "
            "paths begin as --images, and see that the table has a line of column names"
        )
    if image_files.is_name(header[image]):
        raise InputError("names an image where the columns' names belong; add a line of them")
    rest = [k for k in range(len(header)) if k != image and not _is_class(values[k])]
    classes = tuple(k for k in range(len(header)) if k not in {image, *rest})
    lists = [k for k in rest if any(map(str.strip, values[k]))]
    named = [k for k in rest if _NAMED & set(re.split(r"[\W\d_]+", header[k].casefold()))]
    if classes and set(named) & set(lists):
        first, second = (repr(shortened(header[k])) for k in (named[0], classes[0]))
        both = f"column {first} has labels and column {second} 0 and 1"
        raise InputError(f"{both}; take one kind of column away")
    return Columns(image, classes, None if classes else _labels(header, values, lists, named))


def image_column(values: Iterable[Collection[str]], images: ImageFiles) -> int | None:
    """The column that finds the most images, or at least looks most like it; none of 0 and 1."""
    points = []
    for column in values:
        column = set(column) - VALUES.keys()
        found = {path for value in column for path in images.matches(value)[:1]}
        points.append(2 * len(found) + sum(map(image_files.is_name, column)))
    return points.index(max(points)) if any(points) else None


def _labels(
    header: Sequence[str],
    values: Sequence[Counter[str]],
    lists: Sequence[int],
    named: Sequence[int],
) -> int:
    """The column called so, else the only one that may hold labels, or that has separators."""
    separated = [k for k in lists if any(mark in v for v in values[k] for mark in SEPARATORS)]
    for few in (named, lists, separated):
        if len(few) == 1:
            return few[0]
    if not lists:
        raise InputError("has no class: beside the path, give 0/1 columns or one with labels")
    names = some([repr(shortened(header[k])) for k in lists])
    raise InputError(f"any of the columns {names} may have the labels; call the right one 'labels'")


def _is_class(values: Counter[str]) -> bool:
    """Whether most rows have 0 or 1, or what stands in their place: nothing, -1, 0.5, 0,5."""
    blank = sum(values[value] for value in values if value.strip().casefold() in ("", "nan"))
    near = sum(number for value, number in values.items() if _is_near(value))
    return near > 0 and 2 * (near + blank) > values.total()


def _is_near(value: str) -> bool:
    value = value.strip().casefold()
    try:
        return value in VALUES or -1 <= float(value.replace(",", ".")) <= 1
    except ValueError:
        return False
