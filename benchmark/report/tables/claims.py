"""The tables of the paper's claims: its headline gains, and the ablations' and groups' claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.published import reading
from benchmark.report import claims
from benchmark.report.bootstrap import Pairs
from benchmark.report.claims import REFERENCES, Gain, Verdict
from benchmark.report.grid import Grid, task_title
from benchmark.report.tables.table import Block, Entry, Table
from benchmark.report.wording import about

REAL = {True: "yes", False: "no", None: "not tested"}


def headlines(grid: Grid, pairs: Mapping[str, Pairs]) -> Table | None:
    """The paper's headline gains, a row for each of our labels of its method; None without any."""
    found = claims.headlines(grid, pairs)
    if not any(one.best for one in found):
        return None
    known = [(m, gain) for m in REFERENCES for one in found if (gain := one.over[m][0])]
    titles = {method: grid.title(gain.over) for method, gain in known}
    stated = [(Entry(word=f"{one.stated:+.1f}"),) for one in found]
    best = [
        (_gain(one.best), Entry(word=_real(one.best)), _over(grid, one.best), _gain(one.softmax))
        for one in found
    ]
    blocks = [
        Block("", ("paper",), tuple(stated)),
        Block("over the best other", ("gain", "significant", "which", "softmax"), tuple(best)),
    ]
    for method, title in titles.items():
        rows = tuple(tuple(map(_gain, one.over[method])) for one in found)
        blocks.append(Block(f"over {title}", ("gain", "softmax"), rows))
    tasks = list(dict.fromkeys(one.place.task for one in found))
    caption = (
        f"The paper's headline gains, {about(grid, tasks)}: mAP (total, in few-shot tasks over the "
        "novel classes) above the best other method, in percentage points: as the abstract states "
        "it, here on raw scores, and here after a softmax over each image's classes, by which the "
        "paper's CLIP rows are scored; mean ± sample standard deviation over n pairs of units of "
        "the same seed or episode. Significant: as in significance.md, on raw scores. The paper's "
        "baselines of the few-shot tasks are others than ours."
    )
    if grid.scale == "miniature":
        caption += " The paper's gains are of another scale: compare signs, not sizes."
    rows = [(task_title(one.place.task), grid.title(one.label)) for one in found]
    codes = [(one.place.task, one.label) for one in found]
    return _table("table_claims", caption, ("task", "method"), blocks, rows, codes)


def ablations(grid: Grid, pairs: Mapping[str, Pairs]) -> Table | None:
    """The claims about parts and settings of the paper's method; None where we have none."""
    found = claims.verdicts(grid, pairs, claims.ablations)
    first = f"What the paper's ablations claim, {_about(grid, found)}"
    return _verdicts("table_ablation_claims", first, grid, found, by_row=True)


def groups(grid: Grid, pairs: Mapping[str, Pairs]) -> Table | None:
    """The claims about head, medium and tail classes, and few shots; None where we have none."""
    found = claims.verdicts(grid, pairs, claims.groups)
    first = f"What the paper claims beside its headline gains, {_about(grid, found)}"
    return _verdicts("table_group_claims", first, grid, found, by_row=False)


def _about(grid: Grid, found: Sequence[Verdict]) -> str:
    return about(grid, list(dict.fromkeys(one.place.task for one in found)))


def _verdicts(
    name: str, first: str, grid: Grid, found: Sequence[Verdict], by_row: bool
) -> Table | None:
    """The claims as a table; what they are held against by the paper's row, or by our method."""
    if not found:
        return None
    data = reading.load()
    sources = [data.tables[one.claim.table].paper for one in found]
    rows = [
        (one.claim.text, source, task_title(one.place.task), one.place.column)
        for one, source in zip(found, sources, strict=True)
    ]
    codes = [
        (one.claim.text, source, *one.place) for one, source in zip(found, sources, strict=True)
    ]
    entries = [
        (
            Entry(word=_signed(one.printed)),
            Entry(word=_signed(one.logged)),
            _gain(one.gain),
            Entry(word=one.row, code=one.gain.over) if by_row else _over(grid, one.gain),
            Entry(word=one.holds),
        )
        for one in found
    ]
    caption = (
        f"{first}: each gain in mAP in percentage points, in print, with the authors' logs in "
        "place of print where there are any, and here, mean ± sample standard deviation over n "
        "pairs of units of the same seed or episode, over the row that it is held against (of "
        "several, the best here). Holds: cannot be told where the difference is not significant; "
        "for groups of classes, and without stored scores, by the spread over seeds alone."
    )
    if grid.scale == "miniature":
        caption += " The paper's gains are of another scale: compare signs, not sizes."
    heads = ("claim", "source", "task", "column")
    columns = ("paper", "by the logs", "here", "over", "holds")
    return _table(name, caption, heads, [Block("", columns, tuple(entries))], rows, codes)


def _gain(gain: Gain | None) -> Entry:
    return Entry(gain.stat, count=str(gain.stat.n), signed=True) if gain else Entry()


def _over(grid: Grid, gain: Gain | None) -> Entry:
    return Entry(word=grid.title(gain.over), code=gain.over) if gain else Entry()


def _real(gain: Gain | None) -> str:
    return REAL[gain.real] if gain else "not run"


def _signed(number: float | None) -> str:
    return "-" if number is None else f"{number:+.2f}"


def _table(
    name: str,
    caption: str,
    factors: tuple[str, ...],
    blocks: Sequence[Block],
    rows: Sequence[tuple[str, ...]],
    codes: Sequence[tuple[str, ...]],
) -> Table:
    return Table(
        name=name,
        caption=caption,
        labels=tuple(" ".join(texts) for texts in codes),
        blocks=tuple(blocks),
        notes=(),
        stacked=False,
        factors=factors,
        rows=tuple(rows),
        codes=tuple(codes),
        of_cells=False,
    )
