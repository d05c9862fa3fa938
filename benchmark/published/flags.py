"""What an audit says: flags on published numbers, and how it names rows ("table/row")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.published.model import Place, Published, Spot

ROUNDING = 0.0201  # two-decimal numbers that a mean of others may be off by
EXACT = 0.0051  # half of the last of two decimals


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


def spots(data: Published, names: Iterable[str], places: Iterable[Place]) -> tuple[Spot, ...]:
    """The numbers that these rows ("table/row") print in these places, row by row."""
    places = tuple(places)
    pairs = ((name, place) for name in names for place in places)
    return tuple(Spot(*n.split("/", 1), p) for n, p in pairs if p in data.row(n).printed)


def titles(data: Published, names: Iterable[str]) -> str:
    """Rows ("table/row") as the paper has them: `Table I HP-DVAL; Table VI local only, both`."""
    order = {name: (table.paper, row.name) for name, table, row in data.rows()}
    found: dict[str, list[str]] = {}
    for name in sorted(names, key=list(order).index):
        paper, row = order[name]
        found.setdefault(paper, []).append(row)
    return "; ".join(f"{paper} {', '.join(rows)}" for paper, rows in found.items())
