"""What the paper claims, held against the records: its headline gains, and every other one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.published import gains, model, reading
from benchmark.published.model import Claim, Place, Published, PublishedTable
from benchmark.report import counterparts
from benchmark.report.bootstrap import Pairs, student
from benchmark.report.grid import Cell, Grid, Stat

ZERO = 0.005  # mAP: what shows as 0.00
SOFTMAX = "softmax"
REFERENCES = ("zeroshot", "coop")  # methods that each headline gain is shown over as well
YES, NO, UNCLEAR = "yes", "no", "cannot be told"


@dataclass(frozen=True)
class Gain:
    """How much one label is above another: `over`; `real` as `bootstrap.Row.real` has it, None
    where that was not tested."""

    over: str
    stat: Stat
    real: bool | None = None

    @property
    def holds(self) -> bool:
        """Whether it is above zero as shown."""
        return self.stat.mean >= ZERO


@dataclass(frozen=True)
class Headline:
    """One of the gains in mAP that the paper's abstract states, as one of our labels has it.

    place    task and column that it is about
    stated   the paper's gain
    label    ours, of the method of the paper in one of its forms
    best     over the best other method; None where either side has no result
    softmax  the same after a softmax over each image's classes; None where it is not recorded
    over     {method: (gain, the same after the softmax)} for REFERENCES
    """

    place: Place
    stated: float
    label: str
    best: Gain | None
    softmax: Gain | None
    over: Mapping[str, tuple[Gain | None, Gain | None]]


@dataclass(frozen=True)
class Verdict:
    """Any other claim: the gain in print and by the authors' log, ours over the published row
    `row`, which is a label where the paper has no such row, and whether it holds."""

    claim: Claim
    place: Place
    printed: float | None
    logged: float | None
    gain: Gain
    row: str
    holds: str


# -- the headline gains ---------------------------------------------------------------------------


def headlines(grid: Grid, pairs: Mapping[str, Pairs]) -> list[Headline]:
    """Each headline gain for each label of the paper's method, the label's together; none without
    a label that has a result on a task of theirs.

    grid    what the general tables show, so that no row of an ablation counts as a method
    pairs   which differences are real, see `bootstrap.significance`
    """
    data = reading.load()
    stated = [(c, p, gain) for c in data.claims for p, gain in c.stated.items()]
    faces: dict[str, None] = {}
    for claim, place, _ in stated:
        names = data.tables[claim.table].rows[claim.row].labels
        faces |= dict.fromkeys(x for x in grid.labels if _method(grid.cell(place.task, x)) in names)
    return [
        _headline(grid, pairs, data.tables[claim.table], place, gain, face, faces)
        for face in faces
        for claim, place, gain in stated
    ]


def _headline(
    grid: Grid,
    pairs: Mapping[str, Pairs],
    table: PublishedTable,
    place: Place,
    stated: float,
    face: str,
    faces: Mapping[str, None],
) -> Headline:
    known = {label for row in table.rows.values() for label in row.labels} | {*table.baselines}
    cells = {x: grid.cell(place.task, x) for x in grid.labels}
    others = {
        x: cell
        for x, cell in cells.items()
        if cell.done and x not in faces and {x, _method(cell)} & known
    }

    def over(chosen: Mapping[str, Cell], column: str) -> Gain | None:
        means = {x: s.mean for x, cell in chosen.items() if (s := cell.stat(column))}
        if not means:
            return None
        best = max(means, key=means.__getitem__)
        tested = pairs.get(place.task) if column == place.column else None
        return _gain(face, best, cells, (column,), tested)

    single = {m: {x: c for x, c in others.items() if _method(c) == m} for m in REFERENCES}
    return Headline(
        place=place,
        stated=stated,
        label=face,
        best=over(others, place.column),
        softmax=over(others, SOFTMAX),
        over={m: (over(c, place.column), over(c, SOFTMAX)) for m, c in single.items()},
    )


def _method(cell: Cell) -> str | None:
    """The method of a cell's records; None without a result."""
    return cell.done[0].get("method") if cell.done else None


def _gain(
    one: str, other: str, cells: Mapping[str, Cell], columns: Sequence[str], tested: Pairs | None
) -> Gain | None:
    found = counterparts.gain(cells[one], cells[other], columns)
    row = tested.rows.get(frozenset((one, other))) if tested else None
    return found and Gain(other, found, row and row.real)


def agreement(grid: Grid, label: str) -> dict[Place, tuple[int, float]]:
    """{column of Table I: (methods, Kendall's tau of their order)}, with this label as HP-DVAL;
    columns without an order are left out, and so are rows of another backbone."""
    data = reading.load()
    claim = next(claim for claim in data.claims if claim.stated)
    table, out = data.tables[claim.table], {}
    mine = counterparts.ours(grid, table, instead={claim.row: label})
    for place in (p for p in table.places if p.column != "var"):
        here = {row: x[place] for row, x in mine.values([place]).items() if x}
        rows = [r for r in table.rows.values() if r.name in here and not r.backbone]
        shown = [r for r in rows if place in r.printed]
        pair = [here[r.name] for r in shown], [r.printed[place] for r in shown]
        found = counterparts.tau(*pair) if len(shown) > 1 else None
        if found is not None:
            out[place] = len(shown), found
    return out


# -- the other claims -----------------------------------------------------------------------------


def ablations(data: Published) -> list[Claim]:
    """The claims about the parts and settings of the method: of tables without a headline gain."""
    main = {claim.table for claim in data.claims if claim.stated}
    return [claim for claim in data.claims if claim.table not in main]


def groups(data: Published) -> list[Claim]:
    """The claims about the whole method beside the headline gains: its groups of classes."""
    main = {claim.table for claim in data.claims if claim.stated}
    return [claim for claim in data.claims if claim.table in main]


def verdicts(
    grid: Grid,
    pairs: Mapping[str, Pairs],
    chosen: Callable[[Published], Sequence[Claim]],
) -> list[Verdict]:
    """Each claim in each column in which we have a result of both sides, headline gains left out.

    `chosen`: `ablations` or `groups`.
    """
    data, out = reading.load(), []
    for claim in chosen(data):
        table = data.tables[claim.table]
        mine = counterparts.ours(grid, table, baselines=claim.over == model.BEST)
        places = (place for place in claim.places if place not in claim.stated)
        out += [v for p in places if (v := _verdict(claim, p, table, mine, pairs.get(p.task)))]
    return out


def _verdict(
    claim: Claim,
    place: Place,
    table: PublishedTable,
    mine: counterparts.Ours,
    pairs: Pairs | None,
) -> Verdict | None:
    wanted = {*place.parts, Place(place.task, "total")}
    values = mine.values([p for p in table.places if p in wanted])
    over = gains.opponent(values, claim, place)
    if over is None or gains.gain(values, claim, place) is None:
        return None
    cells = {mine.labels[row]: mine.cell(place.task, row) for row in (claim.row, over)}
    columns = [part.column for part in place.parts]
    headline = columns in (["total"], ["novel"])
    tested = pairs if headline else None
    found = _gain(mine.labels[claim.row], mine.labels[over], cells, columns, tested)
    if found is None:
        return None
    has_log = all(part in table.rows[claim.row].logged for part in place.parts)
    return Verdict(
        claim=claim,
        place=place,
        printed=gains.gain(gains.of_print(table), claim, place),
        logged=gains.gain(gains.of_logs(table), claim, place) if has_log else None,
        gain=found,
        row=over,
        holds=holds(found),
    )


def holds(found: Gain) -> str:
    """Whether a gain that is claimed is there; where its difference was not tested on resampled
    test images, Student's 95 % interval of its mean over seeds or episodes alone decides."""
    real, spread = found.real, found.stat
    if real is None:
        real = spread.n > 1 and abs(spread.mean) > student(spread.std, spread.n)
    if not real or abs(spread.mean) < ZERO:
        return UNCLEAR
    return YES if spread.mean > 0 else NO
