"""published.yaml to `Published`: every key known, every number a number, every name there."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.common import errors, strict_yaml
from benchmark.common.errors import InputError
from benchmark.published.model import BEST, Claim, Place, Published, PublishedTable, Row, Run

PATH = Path(__file__).with_name("published.yaml")
GROUPS = ("head", "medium", "tail")
COLUMNS = ("total", *GROUPS, "var", "novel")
ALSO = ("softmax", "redraw")
LARGEST = {"var": 2500.0}  # of numbers between 0 and 100; mAP itself is at most 100
_ROW = ("printed", "labels", "notes", "also", "backbone")
_TABLE = ("paper", "title", "source", "columns", "rows", "baselines", "decimals")
_RUN = ("log", "task", "values", "printed_as", "classes", "note")
_CLAIM = ("claim", "table", "row", "over", "columns", "stated")


@functools.cache
def load(path: Path = PATH) -> Published:
    """The file's content; InputError names the table, the row and the field."""
    data, _ = strict_yaml.read(path, path.name)
    known = ("sources", "groups", "notes", "tables", "same", "runs", "claims")
    top = strict_yaml.Fields(data, path.name, known)
    names = {part: _texts(top, part) for part in ("sources", "notes")}
    bare = {name: _table(name, value, top, names) for name, value in _items(top, "tables")}
    runs = tuple(_run(i, item, top, bare) for i, item in enumerate(top.get("runs", list)))
    return Published(
        tables={name: _with_logs(table, runs) for name, table in bare.items()},
        groups={
            task: _groups(f"{path.name}: groups", task, v) for task, v in _items(top, "groups")
        },
        same=_same(top, bare),
        runs=runs,
        claims=tuple(_claim(i, item, top, bare) for i, item in enumerate(top.get("claims", list))),
    )


# -- tables ---------------------------------------------------------------------------------------


def _table(
    name: str, value: Any, top: strict_yaml.Fields, names: Mapping[str, Mapping[str, str]]
) -> PublishedTable:
    where = f"{top.where}: tables.{name}"
    fields = strict_yaml.Fields(value, where, _TABLE)
    places = tuple(_place(text, f"{where}: columns") for text in fields.items("columns", str))
    source = fields.get("source", str)
    _check(source, names["sources"], "source", f"{where}: source")
    return PublishedTable(
        name=name,
        paper=fields.get("paper", str),
        title=fields.get("title", str),
        source=names["sources"][source],
        places=places,
        rows={row: _row(row, v, where, places, names["notes"])
              for row, v in _items(fields, "rows")},
        baselines=_optional(fields, "baselines"),
        decimals=fields.get("decimals", int, 2),
    )  # fmt: skip


def _row(
    name: str,
    value: Any,
    where: str,
    places: tuple[Place, ...],
    notes: Mapping[str, str],
) -> Row:
    where = f"{where}.rows.{name}"
    fields = strict_yaml.Fields(value, where, _ROW)
    numbers, also = fields.get("printed", list), fields.get("also", str, "")
    if also:
        _check(also, ALSO, "metric", f"{where}: also")
        _check(also, notes, "note", f"{where}: also")
    if len(numbers) != len(places):
        raise InputError(f"{where}: printed: {len(numbers)} numbers for {len(places)} columns")
    return Row(
        name=name,
        printed={
            place: _number(number, place.column, f"{where}: printed ({place})")
            for place, number in zip(places, numbers, strict=True)
            if number is not None
        },
        logged={},
        labels=_optional(fields, "labels"),
        notes=_notes(fields, notes),
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


def _place(text: str, where: str) -> Place:
    task, _, column = text.partition(" ")
    _check(column, COLUMNS, "column", f"{where}: '{text}'")
    return Place(task, column)


def _notes(fields: strict_yaml.Fields, known: Mapping[str, str]) -> tuple[str, ...]:
    for key in _optional(fields, "notes"):
        _check(key, known, "note", f"{fields.where}: notes")
    return tuple(known[key] for key in _optional(fields, "notes"))


# -- what is said about rows ----------------------------------------------------------------------


def _groups(where: str, task: str, value: Any) -> dict[str, int]:
    fields = strict_yaml.Fields(value, f"{where}.{task}", GROUPS)
    return {group: fields.get(group, int) for group in GROUPS}


def _same(
    top: strict_yaml.Fields, tables: Mapping[str, PublishedTable]
) -> tuple[frozenset[str], ...]:
    found: list[frozenset[str]] = []
    for i, item in enumerate(top.get("same", list)):
        where = f"{top.where}: same[{i}]"
        group = frozenset(
            _reference(name, tables, where) for name in strict_yaml.typed(item, list, where)
        )
        if any(group & other for other in found):
            raise InputError(f"{where}: a row stands in another group as well; join the two")
        found.append(group)
    return tuple(found)


def _run(i: int, value: Any, top: strict_yaml.Fields, tables: Mapping[str, PublishedTable]) -> Run:
    where = f"{top.where}: runs[{i}]"
    fields = strict_yaml.Fields(value, where, _RUN)
    classes, task = fields.get("classes", dict, {}), fields.get("task", str)
    _check(task, {task for table in tables.values() for task in table.tasks}, "task", where)
    return Run(
        log=fields.get("log", str),
        task=task,
        values=_numbers(fields.get("values", dict), COLUMNS, f"{where}: values"),
        printed_as=tuple(_reference(x, tables, where) for x in _optional(fields, "printed_as")),
        classes=_classes(classes, f"{where}: classes") if classes else None,
        note=fields.get("note", str, ""),
    )


def _classes(value: dict, where: str) -> dict[str, dict[str, float]]:
    groups = strict_yaml.Fields(value, where, GROUPS)
    return {g: _numbers(groups.get(g, dict), None, f"{where}.{g}") for g in GROUPS}


def _claim(
    i: int, value: Any, top: strict_yaml.Fields, tables: Mapping[str, PublishedTable]
) -> Claim:
    where = f"{top.where}: claims[{i}]"
    fields = strict_yaml.Fields(value, where, _CLAIM)
    name, row, over = (fields.get(key, str) for key in ("table", "row", "over"))
    for wanted in (row, over):
        if wanted != BEST:
            _reference(f"{name}/{wanted}", tables, where)
    columns = fields.items("columns", str)
    for part in (part for column in columns for part in column.split(" - ")):
        _check(part, COLUMNS, "column", f"{where}: columns")
    places = [Place(task, column) for task in tables[name].tasks for column in columns]
    stated = _numbers(fields.get("stated", dict, {}), map(str, places), f"{where}: stated")
    return Claim(
        text=fields.get("claim", str),
        table=name,
        row=row,
        over=over,
        places=tuple(p for p in places if set(p.parts) <= set(tables[name].places)),
        stated={place: stated[str(place)] for place in places if str(place) in stated},
    )


def _reference(name: Any, tables: Mapping[str, PublishedTable], where: str) -> str:
    table, _, row = strict_yaml.typed(name, str, where).partition("/")
    _check(table, tables, "table", where)
    _check(row, tables[table].rows, "row", f"{where}: {table}")
    return name


# -- plain fields ---------------------------------------------------------------------------------


def _items(fields: strict_yaml.Fields, key: str) -> list[tuple[str, Any]]:
    """The mapping's items; its keys are text."""
    where = f"{fields.where}: {key}"
    return [(strict_yaml.typed(k, str, where), v) for k, v in fields.get(key, dict).items()]


def _texts(fields: strict_yaml.Fields, key: str) -> dict[str, str]:
    where = f"{fields.where}: {key}"
    return {k: strict_yaml.typed(v, str, f"{where}.{k}") for k, v in _items(fields, key)}


def _numbers(value: dict, known: Iterable[str] | None, where: str) -> dict[str, float]:
    known = None if known is None else tuple(known)
    for key in value:
        if known is not None:
            _check(key, known, "column", where)
        strict_yaml.typed(key, str, where)
    return {k: _number(v, k, f"{where}.{k}") for k, v in value.items()}


def _number(value: Any, column: str, where: str) -> float:
    number, largest = strict_yaml.typed(value, float, where), LARGEST.get(column, 100.0)
    if not 0 <= number <= largest:
        raise InputError(f"{where}: {number:g} is not between 0 and {largest:g}")
    return number


def _optional(fields: strict_yaml.Fields, key: str) -> tuple[str, ...]:
    return fields.items(key, str) if fields.data.get(key) is not None else ()


def _check(name: Any, known: Iterable[str], kind: str, where: str) -> None:
    known = tuple(known)
    if name not in known:
        raise InputError(f"{where}: {errors.unknown(kind, str(name), known)}")
