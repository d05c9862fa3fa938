"""The reader of published.yaml: every key known, every number a number, every name there."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError, unknown
from benchmark.common.strict_yaml import Fields, read, typed
from benchmark.published.model import (
    BEST,
    COLUMNS,
    GROUPS,
    Claim,
    Place,
    Published,
    PublishedTable,
    Row,
    Run,
)

PATH = Path(__file__).with_name("published.yaml")
ALSO = ("softmax", "redraw")
LARGEST = {"var": 2500.0}  # of numbers between 0 and 100; mAP itself is at most 100
_TOP = ("sources", "groups", "notes", "tables", "same", "runs", "claims")
_ROW = ("printed", "labels", "notes", "also", "backbone")
_TABLE = ("paper", "title", "source", "columns", "rows", "baselines", "decimals")
_RUN = ("log", "task", "values", "printed_as", "classes", "note")
_CLAIM = ("claim", "table", "row", "over", "columns", "stated")

Texts = Mapping[str, str]
Tables = Mapping[str, PublishedTable]


@functools.cache
def load(path: Path = PATH) -> Published:
    """The file's content; InputError names the table, the row and the field."""
    data, _ = read(path, path.name)
    top = Fields(data, path.name, _TOP)
    sources, notes = _texts(top, "sources"), _texts(top, "notes")
    bare = {
        name: _table(name, Fields(value, where, _TABLE), sources, notes)
        for where, name, value in _items(top, "tables")
    }
    runs = tuple(_run(Fields(item, where, _RUN), bare) for where, item in _list(top, "runs"))
    return Published(
        tables={name: _with_logs(table, runs) for name, table in bare.items()},
        groups={task: _sizes(Fields(x, at, GROUPS)) for at, task, x in _items(top, "groups")},
        same=_same(top, bare),
        runs=runs,
        claims=tuple(_claim(Fields(x, at, _CLAIM), bare) for at, x in _list(top, "claims")),
    )


# -- tables ---------------------------------------------------------------------------------------


def _table(name: str, fields: Fields, sources: Texts, notes: Texts) -> PublishedTable:
    at = f"{fields.where}: columns"
    places = tuple(_place(text, at) for text in fields.items("columns", str))
    source = fields.get("source", str)
    _check(source, sources, "source", f"{fields.where}: source")
    return PublishedTable(
        name=name,
        paper=fields.get("paper", str),
        title=fields.get("title", str),
        source=sources[source],
        places=places,
        rows={
            row: _row(row, Fields(value, f"{fields.where}.rows.{row}", _ROW), places, notes)
            for _, row, value in _items(fields, "rows")
        },
        baselines=fields.items("baselines", str, ()),
        decimals=fields.get("decimals", int, 2),
    )


def _place(text: str, where: str) -> Place:
    task, _, column = text.partition(" ")
    _check(column, COLUMNS, "column", f"{where}: '{text}'")
    return Place(task, column)


def _row(name: str, fields: Fields, places: tuple[Place, ...], notes: Texts) -> Row:
    where = fields.where
    numbers, also = fields.get("printed", list), fields.get("also", str, "")
    if also:
        _check(also, ALSO, "metric", f"{where}: also")
        _check(also, notes, "note", f"{where}: also")
    if len(numbers) != len(places):
        raise InputError(f"{where}: printed: {len(numbers)} numbers for {len(places)} columns")
    printed = {p: number for p, number in zip(places, numbers, strict=True) if number is not None}
    said = fields.items("notes", str, ())
    for key in said:
        _check(key, notes, "note", f"{where}: notes")
    return Row(
        name=name,
        printed={p: _number(n, p.column, f"{where}: printed ({p})") for p, n in printed.items()},
        logged={},
        labels=fields.items("labels", str, ()),
        notes=tuple(notes[key] for key in said),
        also=also,
        also_note=notes.get(also, ""),
        backbone=fields.get("backbone", str, ""),
    )


def _with_logs(table: PublishedTable, runs: Iterable[Run]) -> PublishedTable:
    """The table, its rows with what the logs of the same runs say in the table's columns."""
    rows = {}
    for row in table.rows.values():
        mine = (run for run in runs if f"{table.name}/{row.name}" in run.printed_as)
        found = {Place(run.task, c): value for run in mine for c, value in run.values.items()}
        rows[row.name] = replace(row, logged={p: v for p, v in found.items() if p in table.places})
    return replace(table, rows=rows)


# -- what is said about rows ----------------------------------------------------------------------


def _sizes(fields: Fields) -> dict[str, int]:
    return {group: fields.get(group, int) for group in GROUPS}


def _same(top: Fields, tables: Tables) -> tuple[frozenset[str], ...]:
    found: list[frozenset[str]] = []
    for where, item in _list(top, "same"):
        group = frozenset(_reference(name, tables, where) for name in typed(item, list, where))
        if any(group & other for other in found):
            raise InputError(f"{where}: a row stands in another group as well; join the two")
        found.append(group)
    return tuple(found)


def _run(fields: Fields, tables: Tables) -> Run:
    where, task = fields.where, fields.get("task", str)
    _check(task, {task for table in tables.values() for task in table.tasks}, "task", where)
    values = _numbers(fields.get("values", dict), COLUMNS, f"{where}: values")
    classes = fields.get("classes", dict, {})
    parts = Fields(classes, f"{where}: classes", GROUPS)
    return Run(
        log=fields.get("log", str),
        task=task,
        values=values,
        printed_as=tuple(_reference(x, tables, where) for x in fields.items("printed_as", str, ())),
        classes={g: _numbers(parts.get(g, dict), None, f"{parts.where}.{g}") for g in GROUPS}
        if classes
        else None,
        note=fields.get("note", str, ""),
    )


def _claim(fields: Fields, tables: Tables) -> Claim:
    where = fields.where
    name, row, over = (fields.get(key, str) for key in ("table", "row", "over"))
    for wanted in (row, over):
        if wanted != BEST:
            _reference(f"{name}/{wanted}", tables, where)
    columns = fields.items("columns", str)
    for part in (part for column in columns for part in column.split(" - ")):
        _check(part, COLUMNS, "column", f"{where}: columns")
    places = [Place(task, column) for task in tables[name].tasks for column in columns]
    known = tuple(map(str, places))
    stated = _numbers(fields.get("stated", dict, {}), known, f"{where}: stated")
    return Claim(
        text=fields.get("claim", str),
        table=name,
        row=row,
        over=over,
        places=tuple(p for p in places if set(p.parts) <= set(tables[name].places)),
        stated={place: stated[str(place)] for place in places if str(place) in stated},
    )


def _reference(name: Any, tables: Tables, where: str) -> str:
    """ "table/row", as it was given; InputError unless there is such a row."""
    table, _, row = typed(name, str, where).partition("/")
    _check(table, tables, "table", where)
    _check(row, tables[table].rows, "row", f"{where}: {table}")
    return name


# -- plain fields ---------------------------------------------------------------------------------


def _list(fields: Fields, key: str) -> Iterator[tuple[str, Any]]:
    """(where it stands, entry) of a list."""
    return ((f"{fields.where}: {key}[{i}]", x) for i, x in enumerate(fields.get(key, list)))


def _items(fields: Fields, key: str) -> Iterator[tuple[str, str, Any]]:
    """(where it stands, key, value) of a mapping's items; its keys are text."""
    where = f"{fields.where}: {key}"
    return ((f"{where}.{typed(k, str, where)}", k, v) for k, v in fields.get(key, dict).items())


def _texts(fields: Fields, key: str) -> dict[str, str]:
    return {name: typed(value, str, where) for where, name, value in _items(fields, key)}


def _numbers(value: dict, known: Collection[str] | None, where: str) -> dict[str, float]:
    """Numbers by column, of those that are known, or by class."""
    for key in value:
        if known is not None:
            _check(key, known, "column", where)
        typed(key, str, where)
    return {k: _number(v, k, f"{where}.{k}") for k, v in value.items()}


def _number(value: Any, column: str, where: str) -> float:
    number, largest = typed(value, float, where), LARGEST.get(column, 100.0)
    if not 0 <= number <= largest:
        raise InputError(f"{where}: {number:g} is not between 0 and {largest:g}")
    return number


def _check(name: Any, known: Collection[str], kind: str, where: str) -> None:
    if name not in known:
        raise InputError(f"{where}: {unknown(kind, str(name), known)}")
