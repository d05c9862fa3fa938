"""The reader of published.yaml: every key known, every number a number, every name there."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError, unknown
from benchmark.common.strict_yaml import Fields, read, typed
from benchmark.published import model
from benchmark.published.model import BEST, COLUMNS, GROUPS, Place, Published

PATH = Path(__file__).with_name("published.yaml")
ALSO = ("softmax", "redraw")
LARGEST = {"var": 2500.0}  # of numbers between 0 and 100; mAP itself is at most 100
_TOP = ("sources", "groups", "notes", "tables", "same", "runs", "claims")
_ROW = ("printed", "labels", "notes", "also", "backbone")
_TABLE = ("paper", "title", "source", "columns", "rows", "baselines", "decimals")
_RUN = ("log", "task", "values", "printed_as", "classes", "note")
_CLAIM = ("claim", "table", "row", "over", "columns", "stated")

Texts = Mapping[str, str]
Tables = Mapping[str, model.PublishedTable]


@functools.cache
def load(path: Path = PATH) -> Published:
    """The file's content; InputError names the table, the row and the field."""
    data, _ = read(path, path.name)
    top = Fields(data, path.name, _TOP)
    sources, notes = _texts(top, "sources"), _texts(top, "notes")
    tables = {
        name: _table(name, Fields(value, where, _TABLE), sources, notes)
        for where, name, value in _items(top, "tables")
    }
    sizes = ((task, Fields(x, at, GROUPS)) for at, task, x in _items(top, "groups"))
    return Published(
        tables=tables,
        runs=tuple(_run(Fields(x, at, _RUN), tables) for at, x in _list(top, "runs")),
        groups={task: {g: fields.get(g, int) for g in GROUPS} for task, fields in sizes},
        same=_same(top, tables),
        claims=tuple(_claim(Fields(x, at, _CLAIM), tables) for at, x in _list(top, "claims")),
    )


# -- tables ---------------------------------------------------------------------------------------


def _table(name: str, fields: Fields, sources: Texts, notes: Texts) -> model.PublishedTable:
    at = f"{fields.where}: columns"
    places = tuple(_place(text, at) for text in fields.items("columns", str))
    source = fields.get("source", str)
    _check(source, sources, "source", f"{fields.where}: source")
    return model.PublishedTable(
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


def _row(name: str, fields: Fields, places: tuple[Place, ...], notes: Texts) -> model.Row:
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
    return model.Row(
        name=name,
        printed={p: _number(n, p.column, f"{where}: printed ({p})") for p, n in printed.items()},
        logged={},
        labels=fields.items("labels", str, ()),
        notes=tuple(notes[key] for key in said),
        also=also,
        also_note=notes.get(also, ""),
        backbone=fields.get("backbone", str, ""),
    )


# -- what is said about rows ----------------------------------------------------------------------


def _same(top: Fields, tables: Tables) -> tuple[frozenset[str], ...]:
    found: list[frozenset[str]] = []
    for where, item in _list(top, "same"):
        group = frozenset(_reference(name, tables, where) for name in typed(item, list, where))
        if any(group & other for other in found):
            raise InputError(f"{where}: a row stands in another group as well; join the two")
        found.append(group)
    return tuple(found)


def _run(fields: Fields, tables: Tables) -> model.Run:
    """A run; what its log says in the columns of its rows' tables goes to those rows as well."""
    where, task = fields.where, fields.get("task", str)
    _check(task, {task for table in tables.values() for task in table.tasks}, "task", where)
    values = _numbers(fields.get("values", dict), COLUMNS, f"{where}: values")
    printed_as = fields.items("printed_as", str, ())
    for name in printed_as:
        table, _, row = _reference(name, tables, where).partition("/")
        found = {Place(task, column): value for column, value in values.items()}
        logged = {p: value for p, value in found.items() if p in tables[table].places}
        tables[table].rows[row].logged.update(logged)
    parts = Fields(fields.get("classes", dict, {}), f"{where}: classes", GROUPS)
    return model.Run(
        log=fields.get("log", str),
        task=task,
        values=values,
        printed_as=printed_as,
        classes={
            g: _numbers(parts.get(g, dict), None, f"{parts.where}.{g}")
            for g in (GROUPS if parts.data else ())
        },
        note=fields.get("note", str, ""),
    )


def _claim(fields: Fields, tables: Tables) -> model.Claim:
    where = fields.where
    name, row, over = (fields.get(key, str) for key in ("table", "row", "over"))
    _check(name, tables, "table", where)
    for wanted in (row, *([over] if over != BEST else [])):
        _check(wanted, tables[name].rows, "row", f"{where}: {name}")
    columns = fields.items("columns", str)
    for part in (part for column in columns for part in column.split(" - ")):
        _check(part, COLUMNS, "column", f"{where}: columns")
    places = [Place(task, column) for task in tables[name].tasks for column in columns]
    known = {str(place): place for place in places}
    stated = _numbers(fields.get("stated", dict, {}), tuple(known), f"{where}: stated")
    return model.Claim(
        text=fields.get("claim", str),
        table=name,
        row=row,
        over=over,
        places=tuple(p for p in places if set(p.parts) <= set(tables[name].places)),
        stated={known[text]: number for text, number in stated.items()},
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
