"""Published rows against each other and against the authors' logs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from benchmark.published.model import COLUMNS, EXACT, Flag, Place, Published, Row, Run, Spot


def same(data: Published) -> Iterator[Flag | None]:
    """Rows that are said to be one experiment have the same numbers."""
    for names in data.same:
        for a, b in combinations(sorted(names), 2):
            one, other = data.row(a).printed, data.row(b).printed
            off = [p for p in one if p in other and abs(one[p] - other[p]) > EXACT]
            both = ", ".join(f"{p} {one[p]:.2f} and {other[p]:.2f}" for p in off)
            text = f"{data.titles((a, b))}: one experiment, but {both}"
            yield Flag("same", text, data.spots((a, b), off)) if off else None


# -- equal numbers --------------------------------------------------------------------------------


def repeated(data: Published) -> Iterator[Flag | None]:
    """Different experiments that agree on a data set in all numbers, or in all but one of many.

    A flag for each set of such rows, with the numbers as the row that has most of them prints them;
    None for each experiment that stands alone.
    """
    datasets = {_dataset(p): None for table in data.tables.values() for p in table.places}
    for dataset in datasets:
        here = [name for name, _, row in data.rows() if _of(row, dataset)]
        sets: list[set[str]] = [set(x) for x in {data.experiment(name) for name in here}]
        for a, b in combinations(here, 2):
            if b not in data.experiment(a) and _alike(data.row(a), data.row(b), dataset):
                both = [x for x in sets if a in x or b in x]
                sets = [x for x in sets if x not in both] + [set().union(*both)]
        large = [x for x in sets if len({data.experiment(name) for name in x}) > 1]
        yield from [None] * (len(sets) - len(large))
        for found in sorted(large, key=lambda x: min(map(here.index, x & set(here)))):
            names = [name for name in here if name in found]
            longest = data.row(max(names, key=lambda name: len(data.row(name).printed)))
            shown = _of(longest, dataset)
            numbers = ", ".join(f"{longest.printed[p]:.2f}" for p in shown)
            text = f"{data.titles(names)}, {shown[0].task}: the same numbers ({numbers})"
            yield Flag("repeated", text, data.spots(names, shown))


def _dataset(place: Place) -> str:
    return place.task.split("-")[0]


def _of(row: Row, dataset: str) -> list[Place]:
    return [place for place in row.printed if _dataset(place) == dataset]


def _alike(a: Row, b: Row, dataset: str) -> bool:
    shared = [place for place in _of(a, dataset) if place in b.printed]
    equal = sum(abs(a.printed[p] - b.printed[p]) < EXACT for p in shared)
    return bool(shared) and equal >= len(shared) - (len(shared) > 3)


# -- logs -----------------------------------------------------------------------------------------


def log(data: Published) -> Iterator[Flag | None]:
    """One flag for each way in which the rows of a run differ from its log."""
    for each in data.runs:
        kinds: dict[str, list[Spot]] = {}
        for name in (x for x in each.rows if _shared(each, data.row(x))):
            table = data.tables[name.partition("/")[0]]
            words, off = _difference(each, data.row(name), 0.51 * 10.0**-table.decimals)
            if words:
                kinds.setdefault(words, []).extend(data.spots([name], off))
            else:
                yield None
        for words, at in kinds.items():
            names = {f"{spot.table}/{spot.row}" for spot in at}
            note = f"; {each.note}" if each.note else ""
            text = f"{data.titles(names)}, {each.task}: {words} (log {each.log}{note})"
            yield Flag("log", text, tuple(at))


def _difference(each: Run, row: Row, tolerance: float) -> tuple[str, list[Place]]:
    """In words how a row differs from its log, and in which places; "" if it does not."""
    printed = _shared(each, row)
    logged, words, columns = dict(each.values), [], set()
    if {"medium", "tail"} <= printed.keys():
        other = logged | {"medium": logged["tail"], "tail": logged["medium"]}
        if _distance(printed, other) < _distance(printed, logged):
            logged, columns = other, {"medium", "tail"}
            words.append("medium and tail exchanged")
    off = [c for c, value in printed.items() if abs(value - logged[c]) > tolerance]
    words += [f"{column} {printed[column]:.2f} for {logged[column]:.2f}" for column in off]
    return ", ".join(words), [Place(each.task, c) for c in each.values if c in columns | set(off)]


def _shared(each: Run, row: Row) -> dict[str, float]:
    """{column: what the row prints} of the run's columns."""
    found = {column: row.printed.get(Place(each.task, column)) for column in each.values}
    return {column: value for column, value in found.items() if value is not None}


def _distance(a: dict[str, float], b: dict[str, float]) -> float:
    return sum(abs(value - b[column]) for column, value in a.items())


def run(data: Published) -> Iterator[Flag | None]:
    """A run is one experiment, not several in print."""
    for each in (run for run in data.runs if run.rows):
        count = len({data.experiment(name) for name in each.rows})
        text = f"{data.titles(each.rows)}, {each.task}: one run in print as {count} "
        text += f"experiments (log {each.log})"
        at = data.spots(each.rows, (Place(each.task, column) for column in COLUMNS))
        yield Flag("run", text, at) if count > 1 else None
