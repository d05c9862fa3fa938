"""The reader of published.yaml: every key known, every number a number, every name there."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError, unknown
from benchmark.common.strict_yaml import Fields, read, typed
from benchmark.published import model
from benchmark.published.model import (
    BEST,
    COLUMNS,
    GROUPS,
    LOGGED,
    STATUSES,
    Place,
    Published,
    Source,
)

PATH = Path(__file__).with_name("published.yaml")
ALSO = ("softmax", "redraw")
LARGEST = {"var": 2500.0}  # of numbers between 0 and 100; mAP itself is at most 100
_TOP = ("sources", "groups", "notes", "tables", "same", "runs", "sweeps", "gains", "claims")
_SOURCE = ("status", "text")
_ROW = ("printed", "labels", "notes", "also", "backbone")
_TABLE = ("paper", "title", "source", "columns", "rows", "baselines", "decimals", "chosen")
_RUN = ("log", "task", "values", "rows", "classes", "epoch", "last", "curve", "note")
_SWEEP = ("setting", "task", "source", "rows", "totals")
_GAIN = ("method", "source", "row", "over", "gains")
_CLAIM = ("claim", "table", "row", "over", "columns", "stated")

Texts = Mapping[str, str]
Sources = Mapping[str, Source]
Tables = Mapping[str, model.PublishedTable]


@functools.cache
def load(path: Path = PATH) -> Published:
    """The file's content; InputError names the table, the row and the field."""
    data, _ = read(path, path.name)
    top = Fields(data, path.name, _TOP)
    sources = {name: _source(Fields(x, at, _SOURCE)) for at, name, x in _items(top, "sources")}
    notes = {name: typed(text, str, where) for where, name, text in _items(top, "notes")}
    tables = {
        name: _table(name, Fields(value, where, _TABLE), sources, notes)
        for where, name, value in _items(top, "tables")
    }
    sizes = ((task, Fields(x, at, GROUPS)) for at, task, x in _items(top, "groups"))
    return Published(
        tables=tables,
        runs=tuple(_runs(top, sources, tables)),
        groups={task: {g: fields.get(g, int) for g in GROUPS} for task, fields in sizes},
        same=_same(top, tables),
        sweeps=tuple(
            _sweep(Fields(x, at, _SWEEP), sources, tables) for at, x in _list(top, "sweeps")
        ),
        gains=tuple(_gain(Fields(x, at, _GAIN), sources, tables) for at, x in _list(top, "gains")),
        claims=tuple(_claim(Fields(x, at, _CLAIM), tables) for at, x in _list(top, "claims")),
    )


# -- tables ---------------------------------------------------------------------------------------


def _source(fields: Fields) -> Source:
    status = fields.get("status", str)
    _check(status, STATUSES, "status", fields.where)
    return Source(fields.get("text", str), status)


def _table(name: str, fields: Fields, sources: Sources, notes: Texts) -> model.PublishedTable:
    at = f"{fields.where}: columns"
    places = tuple(_place(text, at) for text in fields.items("columns", str))
    rows = {
        row: _row(row, Fields(value, f"{fields.where}.rows.{row}", _ROW), places, notes)
        for _, row, value in _items(fields, "rows")
    }
    chosen = fields.get("chosen", str, "")
    if chosen:
        _check(chosen, rows, "row", f"{fields.where}: chosen")
    return model.PublishedTable(
        name=name,
        paper=fields.get("paper", str),
        title=fields.get("title", str),
        source=_source_of(fields, sources),
        places=places,
        rows=rows,
        baselines=fields.items("baselines", str, ()),
        decimals=fields.get("decimals", int, 2),
        chosen=chosen,
    )


def _source_of(fields: Fields, sources: Sources) -> Source:
    """The source that the field `source` names."""
    name = fields.get("source", str)
    _check(name, sources, "source", f"{fields.where}: source")
    return sources[name]


def _place(text: str, where: str) -> Place:
    task, _, column = text.partition(" ")
    _check(column, COLUMNS, "column", f"{where}: '{text}'")
    return Place(task, column)


def _row(name: str, fields: Fields, places: tuple[Place, ...], notes: Texts) -> model.Row:
    where = fields.where
    numbers = fields.get("printed", list, [None] * len(places))
    also = fields.get("also", str, "")
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


def _runs(top: Fields, sources: Sources, tables: Tables) -> Iterator[model.Run]:
    """The runs of each source, whose status is `logged`."""
    for where, name, runs in _items(top, "runs"):
        _check(name, sources, "source", where)
        if sources[name].status != LOGGED:
            raise InputError(f"{where}: this source is {sources[name].status}, not {LOGGED}")
        for i, run in enumerate(typed(runs, list, where)):
            yield _run(Fields(run, f"{where}[{i}]", _RUN), sources[name], tables)


def _run(fields: Fields, source: Source, tables: Tables) -> model.Run:
    """A run; what its log says in the columns of its rows' tables goes to those rows as well."""
    where, task = fields.where, _task(fields, tables)
    values = _numbers(fields.get("values", dict), COLUMNS, f"{where}: values")
    rows = fields.items("rows", str, ())
    for name in rows:
        table, _, row = _reference(name, tables, where).partition("/")
        found = {Place(task, column): value for column, value in values.items()}
        logged = {p: value for p, value in found.items() if p in tables[table].places}
        tables[table].rows[row].logged.update(logged)
    parts = Fields(fields.get("classes", dict, {}), f"{where}: classes", GROUPS)
    last, curve = fields.data.get("last"), _points(fields, "curve", int, {})
    if (curve or last is not None) and "total" not in values:
        raise InputError(f"{where}: values: a run with a curve needs its total")
    return model.Run(
        log=fields.get("log", str),
        task=task,
        source=source,
        values=values,
        rows=rows,
        classes={
            g: _numbers(parts.get(g, dict), None, f"{parts.where}.{g}")
            for g in (GROUPS if parts.data else ())
        },
        epoch=fields.get("epoch", int, 0) or None,
        last=None if last is None else _number(last, "total", f"{where}: last"),
        curve=curve,
        note=fields.get("note", str, ""),
    )


def _sweep(fields: Fields, sources: Sources, tables: Tables) -> model.Sweep:
    totals, rows = _points(fields, "totals", float), {}
    for point, name in fields.get("rows", dict).items():
        at = f"{fields.where}: rows.{point}"
        _check(f"{typed(point, float, at):g}", [f"{x:g}" for x in totals], "point", at)
        rows[float(point)] = _reference(name, tables, at)
    return model.Sweep(
        setting=fields.get("setting", str),
        task=_task(fields, tables),
        source=_source_of(fields, sources),
        totals=totals,
        rows=rows,
    )


def _gain(fields: Fields, sources: Sources, tables: Tables) -> model.StatedGain:
    where, row = fields.where, fields.get("row", str, "")
    over = _reference(fields.get("over", str), tables, where)
    known = {str(place): place for place in tables[over.partition("/")[0]].places}
    gains = _numbers(fields.get("gains", dict), known, f"{where}: gains")
    return model.StatedGain(
        method=fields.get("method", str),
        source=_source_of(fields, sources),
        row=row and _reference(row, tables, where),
        over=over,
        gains={known[text]: number for text, number in gains.items()},
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


def _task(fields: Fields, tables: Tables) -> str:
    task = fields.get("task", str)
    _check(task, {task for table in tables.values() for task in table.tasks}, "task", fields.where)
    return task


def _points(fields: Fields, key: str, kind: type, default: dict | None = None) -> dict:
    """{epoch or value of a setting: mAP} of a field."""
    where, points = f"{fields.where}: {key}", fields.get(key, dict, default)
    return {typed(x, kind, where): _number(y, "total", f"{where}.{x}") for x, y in points.items()}


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
