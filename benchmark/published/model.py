"""The published numbers as objects: tables, rows, logged runs, gains; and what an audit says.

Where it is not clear of which table a row is, its name is "table/row".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

GROUPS = ("head", "medium", "tail")
COLUMNS = ("total", *GROUPS, "var", "novel")
BEST = "best"  # in a claim: over every other row
PRINTED, LOGGED = "printed", "logged"
STATUSES = (PRINTED, LOGGED, "abstract only", "second hand")
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


class Source(NamedTuple):
    """Where numbers come from, and of which of the STATUSES that makes them."""

    text: str
    status: str


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

    def number(self, place: Place) -> float | None:
        """What is printed, else what the log says; None without either."""
        return self.printed.get(place, self.logged.get(place))


@dataclass(frozen=True)
class PublishedTable:
    """A table of a paper, the points of one of its curves, or runs that only logs tell of.

    chosen   the row that the authors publish where the others are variants of it; "" elsewhere
    """

    name: str
    paper: str  # where it stands: "Table I"
    title: str
    source: Source
    places: tuple[Place, ...]
    rows: Mapping[str, Row]
    baselines: tuple[str, ...] = ()  # labels without a row that a claim must hold against as well
    decimals: int = 2
    chosen: str = ""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks of its columns, in order."""
        return tuple(dict.fromkeys(place.task for place in self.places))

    def places_of(self, task: str) -> tuple[Place, ...]:
        """The columns of one task."""
        return tuple(place for place in self.places if place.task == task)


@dataclass(frozen=True)
class Run:
    """What one log file says about a run, and which rows ("table/row") are said to be it.

    classes   {group: {class: AP}}, empty where the log does not have them
    epoch     whose numbers the values are, where the log has several
    last      the total after the last epoch
    curve     {epoch: total on the test images}, of the epochs that were noted down
    """

    log: str
    task: str
    source: Source
    values: Mapping[str, float]  # column -> mAP
    rows: tuple[str, ...] = ()
    classes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    epoch: int | None = None
    last: float | None = None
    curve: Mapping[int, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Sweep:
    """Totals that logs have along one setting, and the rows ("table/row") at some of its points."""

    setting: str
    task: str
    source: Source
    totals: Mapping[float, float]
    rows: Mapping[float, str]


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
class StatedGain:
    """Gains in mAP over one other row ("table/row") that a text states beside any table.

    `row` is the method's own, "" where no number of it is known.
    """

    method: str
    source: Source
    row: str
    over: str
    gains: Mapping[Place, float]


@dataclass(frozen=True)
class Published:
    """All that published.yaml says. The claims are those of HP-DVAL's paper alone."""

    tables: Mapping[str, PublishedTable]
    groups: Mapping[str, Mapping[str, int]]  # task -> {head, medium, tail: number of classes}
    same: tuple[frozenset[str], ...]  # rows ("table/row") that are one experiment
    runs: tuple[Run, ...]
    sweeps: tuple[Sweep, ...]
    gains: tuple[StatedGain, ...]
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

    def unprinted(self) -> list[Run]:
        """The logged runs of which no table prints a number."""
        return [
            run
            for run in self.runs
            if not any(p.task == run.task for name in run.rows for p in self.row(name).printed)
        ]

    def experiment(self, name: str) -> frozenset[str]:
        """All rows that are the same experiment as the row "table/row", itself included."""
        return next((group for group in self.same if name in group), frozenset({name}))

    def spots(self, names: Iterable[str], places: Iterable[Place]) -> tuple[Spot, ...]:
        """The numbers that these rows have in these places, row by row."""
        places = tuple(places)
        pairs = ((name, place) for name in names for place in places)
        known = (pair for pair in pairs if self.row(pair[0]).number(pair[1]) is not None)
        return tuple(Spot(*name.split("/", 1), place) for name, place in known)

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
