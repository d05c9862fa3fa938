"""Reader of CSV and TSV: a line of column names, then one row an image."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from benchmark.common import files
from benchmark.common.errors import InputError
from benchmark.common.text import shortened
from benchmark.data.own import columns
from benchmark.data.own.columns import SEPARATORS, VALUES, Columns
from benchmark.data.own.found import Classes, Found, Image, decoded, some
from benchmark.data.own.image_files import ImageFiles

_KINDS = {",": "CSV", ";": "CSV with semicolons", "\t": "TSV"}
_SAMPLE = 1000  # rows that tell what the columns are
_BITS = {"0", "1"}


class _Record(NamedTuple):
    place: str  # "x.csv:7": the line where it begins
    cells: list[str]


def read(path: Path, images: ImageFiles) -> Found:
    """The table's images, with labels in 0/1 columns or all in one column."""
    delimiter = _delimiter(path, images)
    records = _records(path, delimiter)
    place, header = next(records, (path, ()))
    if not header:
        raise InputError(f"{path}: is empty; write a line of column names, then a row an image")
    header = [name.strip() for name in header]
    sample = list(itertools.islice(_even(records, len(header)), _SAMPLE))
    if not sample:
        raise InputError(f"{path}: has column names alone; write a row an image below them")
    try:
        which = columns.told(header, [record.cells for record in sample], images)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    rows = itertools.chain(sample, _even(records, len(header)))
    kind, notes = _KINDS[delimiter], _left_out(header, which)
    with files.opened(path) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if which.classes:
        classes = Classes()
        for k in which.classes:
            classes.new(header[k], f"{place}, column {k + 1}")
        found = _wide(rows, which, header, images)
        return Found(f"{kind}, one column a class", sha256, [*classes], found, notes, columns=True)
    names, found, how = _listed(rows, which, header[which.labels], images)
    return Found(f"{kind}, {how}", sha256, names, found, notes)


def _delimiter(path: Path, images: ImageFiles) -> str:
    """The one with which a column names images, all rows are as long, and most columns are."""

    def fit(delimiter: str) -> tuple[bool, bool, int]:
        records = []
        with contextlib.suppress(InputError):  # said when the file is read as what it is
            records.extend(itertools.islice(_records(path, delimiter), _SAMPLE))
        if not records:
            return False, False, 2  # better than none in any row
        cells = [record.cells for record in records]
        width = len(cells[0])
        values = [{row[k] for row in cells[1:] if k < len(row)} for k in range(width)]
        finds = columns.image_column(values, images) is not None
        return width > 1 and finds, width > 1 and all(len(row) == width for row in cells), width

    return max(_KINDS, key=fit)


def _records(path: Path, delimiter: str) -> Iterator[_Record]:
    """The rows that are not blank; InputError names the line of what is no CSV in UTF-8."""
    with files.opened(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        line = 1
        try:
            for cells in reader:
                if any(map(str.strip, cells)):
                    yield _Record(f"{path}:{line}", cells)
                line = reader.line_num + 1
        except csv.Error as error:
            remedy = "close the quote that is open there"
            raise InputError(f"{path}:{line}: is no row of a CSV ({error}); {remedy}") from None
        except UnicodeDecodeError:
            decoded(path.read_bytes(), path)  # says where
            raise


def _even(records: Iterator[_Record], width: int) -> Iterator[_Record]:
    """The rows, each of which must have as many cells as the header."""
    for record in records:
        if len(record.cells) != width:
            remedy = "put a cell that has the delimiter in it, as a decimal comma, in quotes"
            number = len(record.cells)
            raise InputError(f"{record.place}: has {number} cells, not {width}; {remedy}")
        yield record


def _wide(
    rows: Iterator[_Record], which: Columns, header: Sequence[str], images: ImageFiles
) -> list[Image]:
    """The images of a table with one 0/1 column a class."""
    cells_of, spelled, found = _picker(which.classes), dict(VALUES), []
    for place, cells in rows:
        marks = cells_of(cells)
        spellings = set(marks)
        for new in spellings - spelled.keys():
            spelled[new] = _truth(new, place, header[which.classes[marks.index(new)]])
        bits = "".join(marks if spellings <= _BITS else [spelled[mark] for mark in marks])
        labels = tuple(one.start() for one in re.finditer("1", bits))
        found.append(Image(place, images.one(cells[which.image], place), labels))
    return found


def _picker(positions: Sequence[int]) -> Callable[[list[str]], Sequence[str]]:
    """Takes these cells of a row; a slice where they are neighbours."""
    first, last = positions[0], positions[-1]
    if len(positions) == last - first + 1:
        return itemgetter(slice(first, last + 1))
    return itemgetter(*positions)


def _truth(value: str, place: str, column: str) -> str:
    """The value of a cell as 0 or 1."""
    known = VALUES.get(value.strip().casefold())
    if known is None:
        what = f"column {shortened(column)!r}: {shortened(value)!r} is neither 0 nor 1"
        may = "write 0/1, 0.0/1.0, true/false or yes/no, or take the column away"
        raise InputError(f"{place}, {what}; {may}")
    return known


def _listed(
    rows: Iterator[_Record], which: Columns, column: str, images: ImageFiles
) -> tuple[list[str], list[Image], str]:
    """Classes and images of a table with one column of labels, and how they are separated."""
    records = [(place, cells[which.image], cells[which.labels].strip()) for place, cells in rows]
    texts: dict[str, str] = {}  # each once, with the first place that has it
    for place, _, text in records:
        texts.setdefault(text, place)
    separator = next((mark for mark in SEPARATORS if any(mark in text for text in texts)), None)
    classes, positions = Classes(), {"": ()}
    for text, place in texts.items():
        if text.startswith("["):
            remedy = "write cat;dog in the place of ['cat', 'dog']"
            raise InputError(f"{place}: {shortened(text)!r} is a list of a program; {remedy}")
        if text:
            parts = text.removesuffix(separator).split(separator) if separator else [text]
            positions[text] = tuple(classes.position(part, place) for part in parts)
    _check_separator(texts, classes, separator)
    found = [
        Image(place, images.one(name, place), positions[text]) for place, name, text in records
    ]
    how = f"labels separated by {separator!r}" if separator else "one label an image"
    return [*classes], found, f"{how} in column {shortened(column)!r}"


def _check_separator(texts: dict[str, str], classes: Classes, separator: str | None) -> None:
    """InputError for a label that is several others with another separator between them."""
    for name in classes:
        for mark in SEPARATORS:
            parts = [part.strip() for part in name.split(mark)]
            if len(parts) > 1 and all(part in classes for part in parts):
                place = next(place for text, place in texts.items() if name in text)
                what = f"separates {shortened(name)!r} by {mark!r} and others by {separator!r}"
                raise InputError(f"{place}: {what}; use one of them everywhere")


def _left_out(header: Sequence[str], which: Columns) -> list[str]:
    used = {which.image, which.labels, *which.classes}
    names = [
        repr(shortened(name)) if name else f"number {k + 1}"
        for k, name in enumerate(header)
        if k not in used
    ]
    return [f"columns that are no labels, left out: {some(names)}"] if names else []
