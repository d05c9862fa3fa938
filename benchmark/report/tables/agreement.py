"""The tables of agreement with the paper: order of the methods, and signs of the claimed gains.

Only orders and signs are taken from the paper, never its numbers: at miniature scale those have
no place beside ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.published import gains, model, reading
from benchmark.published.model import Claim, Place, PublishedTable, Row
from benchmark.report.grid import Cell, Grid, Stat, paired, stat, value
from benchmark.report.tables.table import Block, Entry, Line, Table
from benchmark.report.wording import about

ZERO = 0.005  # mAP: what shows as 0.00


@dataclass(frozen=True)
class Ours:
    """Our results in the terms of one published table: which label stands for which row."""

    grid: Grid
    labels: Mapping[str, str]  # row -> label; a label without a published row stands for itself

    def cell(self, task: str, row: str) -> Cell:
        """The records behind a row on a task."""
        return self.grid.cell(task, self.labels[row])

    def values(self, places: Sequence[Place]) -> gains.Values:
        """{row: {place: mean}} where there is a result."""
        return {
            row: {p: s.mean for p in places if (s := self.cell(p.task, row).stat(p.column))}
            for row in self.labels
        }


def ours(grid: Grid, table: PublishedTable, baselines: bool = False) -> Ours:
    """Each row's first label that has a result; the table's `baselines` as well, if asked."""
    found = {}
    for row in table.rows.values():
        for label in row.labels:
            if any(grid.cell(task, label).done for task in table.tasks):
                found.setdefault(row.name, label)
    others = table.baselines if baselines else ()
    return Ours(grid, found | {label: label for label in others if label not in found.values()})


# -- the order of the methods ---------------------------------------------------------------------


def order(grid: Grid) -> Table | None:
    """Kendall's tau for each published column that two or more of our methods stand in."""
    data, lines, methods = reading.load(), [], {}
    for table in data.tables.values():
        mine, name = ours(grid, table), _name(table, data)
        for place in (p for p in table.places if p.column != "var"):
            known = [r for r in table.rows.values() if place in r.printed and not r.backbone]
            here = {row: numbers[place] for row, numbers in mine.values([place]).items() if numbers}
            rows = {mine.labels[row.name]: row for row in known if row.name in here}
            if len(rows) > 1:
                means = [here[row.name] for row in rows.values()]
                lines.append(((name, *place), _agreement(rows, place, means)))
                methods.setdefault(", ".join(rows), {})[name] = None
    caption = (
        f"Order of the methods beside the published order, {about(grid, grid.tasks)}: Kendall's "
        "tau-b over n methods that both have, 1 for the same order and -1 for the reverse; with "
        "few methods a single exchange moves it far. By the logs: with the authors' logs in place "
        "of what is printed, where both are known and differ."
    )
    if grid.scale == "miniature":
        caption += " The paper's numbers themselves are of another scale and not shown."
    notes = [f"{', '.join(where)}: {names}" for names, where in methods.items()]
    others = (row for _, _, row in data.rows() if row.backbone)
    if left := list(dict.fromkeys(x for row in others for x in row.labels if x in grid.labels)):
        notes.append(f"left out, since published with an ImageNet backbone: {', '.join(left)}")
    columns = ("n", "tau", "tau by the logs", "best here", "best published")
    return _table("table_ranking", caption, "paper", columns, lines, notes)


def _name(table: PublishedTable, data: model.Published) -> str:
    """`Table I`; `Figures 4 and 5, alpha` where several tables are of one place in the paper."""
    alone = sum(other.paper == table.paper for other in data.tables.values()) == 1
    return table.paper if alone else f"{table.paper}, {table.name}"


def _agreement(rows: Mapping[str, Row], place: Place, here: list[float]) -> list[Entry]:
    """The entries of one column: `rows` by label, and the means that we have of them."""
    printed = [row.printed[place] for row in rows.values()]
    logged = [row.logged.get(place, row.printed[place]) for row in rows.values()]
    words = [str(len(rows)), tau(here, printed), tau(here, logged) if logged != printed else "-"]
    for numbers in (here, printed):
        pairs = zip(rows, numbers, strict=True)
        words.append(", ".join(label for label, x in pairs if x == max(numbers)))
    return [Entry(word=word) for word in words]


def tau(a: Sequence[float], b: Sequence[float]) -> str:
    """Kendall's tau-b of two lists of equal length as text; `-` where either is constant."""
    from scipy.stats import kendalltau

    found = float(kendalltau(a, b).statistic)
    return f"{found:.2f}" if found == found else "-"


# -- the claimed gains ----------------------------------------------------------------------------


def claims(grid: Grid) -> Table | None:
    """The sign of each claimed gain: in print, by the logs, and here, where we have both sides."""
    data, lines = reading.load(), []
    for claim in data.claims:
        table = data.tables[claim.table]
        mine = ours(grid, table, baselines=claim.over == model.BEST)
        lines += [line for place in claim.places if (line := _claim(claim, place, table, mine))]
    caption = (
        f"Gains that the paper claims, {about(grid, grid.tasks)}: whether they are above zero in "
        "print, and with the authors' logs in place of print where there are any; and the gain in "
        "mAP here, mean ± sample standard deviation over n pairs of units of the same seed or "
        "episode, with the method that it is over. As in print: unclear where it is within two "
        "standard deviations of zero. The best baseline is the best other method in the same "
        "column; where two gains are compared, the best in total."
    )
    columns = ("in print", "by the logs", "gain here", "over", "as in print")
    return _table("table_claims", caption, "claim", columns, lines, [])


def _claim(claim: Claim, place: Place, table: PublishedTable, mine: Ours) -> Line | None:
    wanted = {*place.parts, Place(place.task, "total")}
    values = mine.values([p for p in table.places if p in wanted])
    over = gains.opponent(values, claim, place)
    if over is None or gains.gain(values, claim, place) is None:
        return None
    found = _gain(mine.cell(place.task, claim.row), mine.cell(place.task, over), place)
    if found is None:
        return None
    printed = sign(gains.gain(gains.of_print(table), claim, place))
    logged = sign(gains.gain(gains.of_logs(table), claim, place))
    has_log = all(part in table.rows[claim.row].logged for part in place.parts)
    entries = (
        Entry(word=printed),
        Entry(word=logged if has_log else "-"),
        Entry(found, count=str(found.n)),
        Entry(word=mine.labels[over]),
        Entry(word=_verdict(found, printed)),
    )
    return (claim.text, *place), entries


def _gain(one: Cell, other: Cell, place: Place) -> Stat | None:
    """The gain of `one` over `other`, as a Stat over units of the same seed or episode.

    A method with a single unit, being deterministic, is paired with every unit of the other.
    """
    pairs = paired(_by_repeat(one, place), _by_repeat(other, place), single=(True, True))
    return stat(a - b for a, b in pairs)


def _by_repeat(cell: Cell, place: Place) -> dict[tuple, float]:
    """{(seed, episode): the metric}, or the difference of two metrics."""
    out = {}
    for record in cell.done:
        numbers = [value(record, x.column) for x in place.parts]
        if None not in numbers:
            out[record.get("seed"), record.get("episode")] = numbers[0] - sum(numbers[1:])
    return out


def sign(number: float | None) -> str:
    """The sign of a gain in mAP in a word; "equal" if it would show as 0.00, "-" without one."""
    if number is None:
        return "-"
    return "equal" if abs(number) < ZERO else "higher" if number > 0 else "lower"


def _verdict(found: Stat, printed: str) -> str:
    if found.std is not None and abs(found.mean) <= 2 * found.std:
        return "unclear"
    return "yes" if sign(found.mean) == printed else "no"


# -- both -----------------------------------------------------------------------------------------


def _table(
    name: str, caption: str, first: str, columns: tuple[str, ...], lines: list[Line], notes: list
) -> Table | None:
    """The lines as one block without a name, under `first`, task and column; None without any."""
    if not lines:
        return None
    rows, entries = zip(*lines, strict=True)
    return Table(
        name=name,
        caption=caption,
        labels=tuple(" ".join(texts) for texts in rows),
        blocks=(Block("", columns, entries),),
        notes=tuple(notes),
        stacked=False,
        factors=(first, "task", "column"),
        rows=rows,
        of_cells=False,
    )
