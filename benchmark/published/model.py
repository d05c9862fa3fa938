"""The published numbers as objects: tables, rows, logged runs, claims; and what an audit says.

Where it is not clear of which table a row is, its name is "table/row".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

GROUPS = ("head", "medium", "tail")
COLUMNS = ("total", *GROUPS, "var", "novel")
BEST = "best"  # in a claim: over every other row
ROUNDING = 0.0201  # two-decimal numbers that a mean of others may be off by
EXACT = 0.0051  # half of the last of two decimals


class Place(NamedTuple):
    """A column of a published table."""

    task: str
    column: str  # total, head, medium, tail, var; novel in few-shot tasks; "a - b" in a claim

    @property
    def parts(self) -> tuple[Place, ...]:
        """The columns that it is made of: itself, or two for "tail - head"."""
        return tuple(Place(self.task, part) for part in self.column.split(" - "))

    def __str__(self) -> str:
        return f"{self.task} {self.column}"


class Spot(NamedTuple):
    """One published number."""

    table: str
    row: str
    place: Place


@dataclass(frozen=True)
class Row:
    """One row of a published table: mAP in percent, `var` in percent squared.

    labels    what suites call it; a suite may have several, and none where we do not measure it
    logged    what the authors' log of the same run says, where there is one
    also      a second metric of ours, nearer to what its first column of a task was measured with
    backbone  in words, where it is another than the suites'
    """

    name: str
    printed: Mapping[Place, float]
    logged: dict[Place, float]
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    also: str = ""
    also_note: str = ""  # why
    backbone: str = ""


@dataclass(frozen=True)
class PublishedTable:
    """A table of the paper, or the points of one of its curves."""

    name: str
    paper: str  # where it stands: "Table I"
    title: str
    source: str
    places: tuple[Place, ...]
    rows: Mapping[str, Row]
    baselines: tuple[str, ...] = ()  # labels without a row that a claim must hold against as well
    decimals: int = 2

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks of its columns, in order."""
        return tuple(dict.fromkeys(place.task for place in self.places))

    def places_of(self, task: str) -> tuple[Place, ...]:
        """The columns of one task."""
        return tuple(place for place in self.places if place.task == task)


@dataclass(frozen=True)
class Run:
    """What one log file says about a run, and as which rows ("table/row") it is printed.

    `classes`: {group: {class: AP}}, empty where the log does not have them.
    """

    log: str
    task: str
    values: Mapping[str, float]  # column -> mAP
    printed_as: tuple[str, ...] = ()
    classes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """`row` is better than the row `over`, or than every other one (BEST), in each place.

    A place's column may be "a - b": the gain in a is larger than the gain in b.
    """

    text: str
    table: str
    row: str
    over: str
    places: tuple[Place, ...]
    stated: Mapping[Place, float]  # the gain in mAP that the paper's text gives


@dataclass(frozen=True)
class Published:
    """All that published.yaml says."""

    tables: Mapping[str, PublishedTable]
    groups: Mapping[str, Mapping[str, int]]  # task -> {head, medium, tail: number of classes}
    same: tuple[frozenset[str], ...]  # rows ("table/row") that are one experiment
    runs: tuple[Run, ...]
    claims: tuple[Claim, ...]

    def row(self, name: str) -> Row:
        """The row of "table/row"."""
        table, _, row = name.partition("/")
        return self.tables[table].rows[row]

    def rows(self) -> Iterator[tuple[str, PublishedTable, Row]]:
        """("table/row", its table, the row) of every row."""
        for table in self.tables.values():
            for row in table.rows.values():
                yield f"{table.name}/{row.name}", table, row

    def experiment(self, name: str) -> frozenset[str]:
        """All rows that are the same experiment as the row "table/row", itself included."""
        return next((group for group in self.same if name in group), frozenset({name}))

    def spots(self, names: Iterable[str], places: Iterable[Place]) -> tuple[Spot, ...]:
        """The numbers that these rows print in these places, row by row."""
        places = tuple(places)
        pairs = ((name, place) for name in names for place in places)
        return tuple(Spot(*n.split("/", 1), p) for n, p in pairs if p in self.row(n).printed)

    def titles(self, names: Iterable[str]) -> str:
        """These rows as the paper has them: `Table I HP-DVAL; Table VI local only, both`."""
        order = {name: (table.paper, row.name) for name, table, row in self.rows()}
        found: dict[str, list[str]] = {}
        for name in sorted(names, key=list(order).index):
            paper, row = order[name]
            found.setdefault(paper, []).append(row)
        return "; ".join(f"{paper} {', '.join(rows)}" for paper, rows in found.items())


@dataclass(frozen=True)
class Flag:
    """Something that does not add up: a sentence, and the published numbers it is about."""

    check: str
    text: str
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class Check:
    """One rule, how many things it was applied to, and what it found."""

    name: str
    rule: str
    tested: int
    flags: tuple[Flag, ...]
