"""Does the order of the methods agree with the published one, and do the claimed gains show?

Only orders and signs are taken from the paper, never its numbers: at miniature scale those have
no place beside ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.published import gains, model, reading
from benchmark.published.model import Claim, Place, PublishedTable
from benchmark.report.grid import METRIC, Cell, Grid, Stat, stat, value
from benchmark.report.tables.table import Block, Entry, Table
from benchmark.report.wording import about

ZERO = 0.005  # mAP: what shows as 0.00
Line = tuple[tuple[str, ...], tuple[Entry, ...]]  # leading texts and entries of one row


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
        found = {
            row: {p: self.cell(p.task, row).stat(metric(p)) for p in places} for row in self.labels
        }
        return {
            row: {place: each.mean for place, each in numbers.items() if each}
            for row, numbers in found.items()
        }


def metric(place: Place) -> str:
    """The name that `Cell.stat` knows a published column by."""
    return METRIC.get(place.column, place.column)


def ours(grid: Grid, table: PublishedTable, baselines: bool = False) -> Ours:
    """Each row's first label that has a result; the table's `baselines` as well, if asked."""
    found = {}
    for row in table.rows.values():
        done = [x for x in row.labels if any(grid.cell(task, x).done for task in table.tasks)]
        if done:
            found[row.name] = done[0]
    others = table.baselines if baselines else ()
    return Ours(grid, found | {label: label for label in others if label not in found.values()})


# -- the order of the methods ---------------------------------------------------------------------


def order(grid: Grid) -> Table | None:
    """Kendall's tau for each published column that two or more of our methods stand in."""
    data, lines, methods = reading.load(), [], {}
    for table in data.tables.values():
        mine, name = ours(grid, table), _name(table, data)
        for place in (p for p in table.places if p.column != "var"):
            values = mine.values([place])
            rows = [r.name for r in table.rows.values() if place in r.printed and not r.backbone]
            rows = [row for row in rows if place in values.get(row, {})]
            if len(rows) > 1:
                lines.append(((name, *place), _agreement(table, place, rows, mine, values)))
                methods.setdefault(", ".join(mine.labels[row] for row in rows), {})[name] = None
    caption = (
        f"Order of the methods beside the published order, {about(grid, grid.tasks)}: Kendall's "
        "tau-b over n methods that both have, 1 for the same order and -1 for the reverse; with "
        "few methods a single exchange moves it far. By the logs: with the authors' logs in place "
        "of what is printed, where both are known and differ."
    )
    if grid.scale == "miniature":
        caption += " The paper's numbers themselves are of another scale and not shown."
    notes = [f"{', '.join(where)}: {names}" for names, where in methods.items()]
    if left := _other_backbones(grid, data):
        notes.append(f"left out, since published with an ImageNet backbone: {', '.join(left)}")
    columns = ("n", "tau", "tau by the logs", "best here", "best published")
    return _table("table_ranking", caption, ("paper", "task", "column"), columns, lines, notes)


def _name(table: PublishedTable, data: model.Published) -> str:
    """`Table I`; `Figures 4 and 5, alpha` where several tables are of one place in the paper."""
    alone = sum(other.paper == table.paper for other in data.tables.values()) == 1
    return table.paper if alone else f"{table.paper}, {table.name}"


def _agreement(
    table: PublishedTable, place: Place, rows: Sequence[str], mine: Ours, values: gains.Values
) -> tuple[Entry, ...]:
    here = [values[name][place] for name in rows]
    printed = [table.rows[name].printed[place] for name in rows]
    logged = [table.rows[name].logged.get(place, table.rows[name].printed[place]) for name in rows]
    return tuple(
        Entry(word=word)
        for word in (
            str(len(rows)),
            tau(here, printed),
            tau(here, logged) if logged != printed else "-",
            _best(here, rows, mine.labels),
            _best(printed, rows, mine.labels),
        )
    )


def tau(a: Sequence[float], b: Sequence[float]) -> str:
    """Kendall's tau-b in words; `-` where all of a or all of b are tied."""
    from scipy.stats import kendalltau

    found = float(kendalltau(a, b).statistic)
    return f"{found:.2f}" if found == found else "-"


def _best(numbers: Sequence[float], rows: Sequence[str], labels: Mapping[str, str]) -> str:
    top = max(numbers)
    return ", ".join(labels[r] for r, x in zip(rows, numbers, strict=True) if x == top)


def _other_backbones(grid: Grid, data: model.Published) -> list[str]:
    rows = (row for _, _, row in data.rows() if row.backbone)
    return list(dict.fromkeys(x for row in rows for x in row.labels if x in grid.labels))


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
    return _table("table_claims", caption, ("claim", "task", "column"), columns, lines, ())


def _claim(claim: Claim, place: Place, table: PublishedTable, mine: Ours) -> Line | None:
    wanted = list(dict.fromkeys((*place.parts, Place(place.task, "total"))))
    wanted = [p for p in wanted if p in table.places]
    values = mine.values(wanted)
    over = gains.opponent(values, claim, place)
    if over is None or gains.gain(values, claim, place) is None:
        return None
    found = paired(mine.cell(place.task, claim.row), mine.cell(place.task, over), place)
    if found is None:
        return None
    printed = sign(gains.gain(gains.of_print(table), claim, place))
    logged = sign(gains.gain(gains.of_logs(table), claim, place))
    entries = (
        Entry(word=printed),
        Entry(word=logged if _logged(claim, place, table) else "-"),
        Entry(found, count=str(found.n)),
        Entry(word=mine.labels[over]),
        Entry(word=_verdict(found, printed)),
    )
    return (claim.text, *place), entries


def _logged(claim: Claim, place: Place, table: PublishedTable) -> bool:
    """Whether a log stands behind the claim's row in these columns."""
    return all(part in table.rows[claim.row].logged for part in place.parts)


def paired(one: Cell, other: Cell, place: Place) -> Stat | None:
    """The gain of `one` over `other`, as a Stat over units of the same seed or episode.

    A method with a single unit, being deterministic, is paired with every unit of the other.
    """
    mine, theirs = _by_turn(one, place), _by_turn(other, place)
    if len(mine) == 1 or len(theirs) == 1:
        pairs = [(a, b) for a in mine.values() for b in theirs.values()]
    else:
        pairs = [(mine[turn], theirs[turn]) for turn in mine if turn in theirs]
    return stat(a - b for a, b in pairs)


def _by_turn(cell: Cell, place: Place) -> dict[tuple, float]:
    """{(seed, episode): the metric}, or the difference of two metrics."""
    out = {}
    for record in cell.done:
        numbers = [value(record, metric(part)) for part in place.parts]
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


def sections(grid: Grid) -> Iterator[tuple[str, Table]]:
    """(title, table) of what the report says about agreement with the paper."""
    for title, table in (
        ("Agreement with the paper: order of the methods", order(grid)),
        ("Agreement with the paper: claimed gains", claims(grid)),
    ):
        if table:
            yield title, table


def _table(
    name: str,
    caption: str,
    factors: tuple[str, ...],
    columns: tuple[str, ...],
    lines: Sequence[Line],
    notes: Sequence[str],
) -> Table | None:
    """The lines as one block without a name; None without any."""
    if not lines:
        return None
    block = Block("", columns, tuple(entries for _, entries in lines))
    rows = tuple(texts for texts, _ in lines)
    labels = tuple(" ".join(texts) for texts in rows)
    return Table(name, caption, labels, (block,), tuple(notes), False, factors, rows, False)
