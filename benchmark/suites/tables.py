"""What a suite says about its own tables: which labels are the rows, and what tells them apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark.common import errors, strict_yaml
from benchmark.common.errors import InputError
from benchmark.common.text import LONGEST

# Names become file names and LaTeX labels.
_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{,{LONGEST - 1}}}")


@dataclass(frozen=True)
class Curve:
    """A table that is also drawn: mAP against one hyperparameter of its rows."""

    hyperparameter: str
    axis: str
    mark: float | None = None  # the value that the paper settles on


@dataclass(frozen=True)
class TableSpec:
    """One table: `rows` gives each label its texts in the leading columns, the `factors`."""

    name: str
    title: str
    paper: str  # what it answers to in the paper, such as "Table III"
    factors: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]
    tasks: tuple[str, ...] = ()  # these first, in this order; others follow in the suite's
    curve: Curve | None = None


@dataclass(frozen=True)
class ReportLayout:
    """How a report is arranged: the suite's own tables, and what the general tables keep.

    The general tables show every label that no table of the suite has, and those of `general`.
    `titles` says what tables and figures call a label; one that it does not have stands for itself.
    """

    tables: tuple[TableSpec, ...] = ()
    general: frozenset[str] = frozenset()
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def special(self) -> frozenset[str]:
        """The labels that only the suite's own tables show."""
        return frozenset(label for table in self.tables for label in table.rows) - self.general


def parse(fields: strict_yaml.Fields, labels: Iterable[str], origin: str) -> ReportLayout:
    """The `tables:` section of a suite; InputError names the file, the table and the field."""
    tables, known = fields.get("tables", dict, {}), tuple(map(str, labels))
    return ReportLayout(tuple(_table(name, tables[name], known, origin) for name in tables))


def _table(name: Any, data: Any, labels: tuple[str, ...], origin: str) -> TableSpec:
    where = f"{origin}: tables.{name}"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        rule = f"has small letters, digits and '-' only, at most {LONGEST}"
        raise InputError(f"{where}: a table's name {rule}")
    known = ("title", "paper", "factors", "rows", "tasks", "curve")
    fields = strict_yaml.Fields(data, where, known)
    factors, rows = fields.items("factors", str), fields.get("rows", dict)
    if not rows:
        raise InputError(f"{where}: rows: there is none; add one")
    for label in rows:
        if label not in labels:
            raise InputError(f"{where}: rows: {errors.unknown('method', str(label), labels)}")
    return TableSpec(
        name=name,
        title=fields.get("title", str),
        paper=fields.get("paper", str),
        factors=factors,
        rows={label: _texts(rows[label], factors, f"{where}: rows.{label}") for label in rows},
        tasks=fields.items("tasks", str) if "tasks" in fields.data else (),
        curve=_curve(fields),
    )


def _texts(value: Any, factors: tuple[str, ...], where: str) -> tuple[str, ...]:
    """A row's texts: one for each factor, in a list; where there is one factor, without a list."""
    values = value if isinstance(value, list) else [value]
    if len(values) != len(factors):
        raise InputError(f"{where}: {len(values)} texts for {len(factors)} factors; give one each")
    return tuple(strict_yaml.typed(text, str, where) for text in values)


def _curve(fields: strict_yaml.Fields) -> Curve | None:
    data = fields.get("curve", dict, {})
    if not data:
        return None
    part = strict_yaml.Fields(data, f"{fields.where}.curve", ("hyperparameter", "axis", "mark"))
    mark = part.get("mark", float) if "mark" in data else None
    return Curve(part.get("hyperparameter", str), part.get("axis", str), mark)
