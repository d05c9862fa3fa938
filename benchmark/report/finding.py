"""What a run found about the paper's headline gains, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.report import claims
from benchmark.report.bootstrap import Pairs
from benchmark.report.claims import Gain, Headline
from benchmark.report.grid import Grid, task_title

NUMBERS = ("none", "one", "two", "three", "four", "five", "six")


def finding(grid: Grid, pairs: Mapping[str, Pairs]) -> str:
    """A sentence on how many of the headline gains have the paper's sign, and one on how the order
    of methods agrees; "" where the paper's method has no result. Which gains: `tables.claims`.

    `grid` and `pairs` as in `claims.headlines`.
    """
    faces: dict[str, list[Headline]] = {}
    for one in claims.headlines(grid, pairs):
        faces.setdefault(one.label, []).append(one)
    if not faces:
        return ""
    if not any(one.best for each in faces.values() for one in each):
        ran = joined([grid.title(face) for face in faces])
        return (
            f"No headline gain of the paper can be judged: nothing is there to hold {ran} against."
        )
    return " ".join([_counted(grid, faces), *_order(grid, list(faces))])


def _counted(grid: Grid, faces: Mapping[str, Sequence[Headline]]) -> str:
    stated = _number(len(next(iter(faces.values()))))
    raw, soft = [], []
    for face, each in faces.items():
        best = [one.best for one in each if one.best]
        tested = [gain.holds and gain.real for gain in best if gain.real is not None]
        sure = f" ({_number(sum(tested))} significantly)" if tested else ""
        raw.append(f"{_of(best)} for {grid.title(face)}{sure}")
        soft.append([one.softmax for one in each if one.softmax])
    after = f"; after a softmax over each image's classes, in {joined([_of(x) for x in soft])}"
    return (
        f"Of the paper's {stated} headline gains, HP-DVAL over the best other method, the sign "
        f"holds here in {joined(raw)}{after if any(soft) else ''}."
    )


def _of(gains: Sequence[Gain]) -> str:
    """`two of three`; `none` where none could be judged."""
    return (
        f"{_number(sum(gain.holds for gain in gains))} of {_number(len(gains))}"
        if gains
        else "none"
    )


def joined(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _order(grid: Grid, faces: Sequence[str]) -> list[str]:
    """Kendall's tau with Table I's total columns, in a sentence; none where there is no order."""
    parts = []
    for face in faces:
        found = claims.agreement(grid, face)
        taus = [
            f"{tau:.2f} on {task_title(place.task)} ({n} methods)"
            for place, (n, tau) in found.items()
            if place.column == "total"
        ]
        if taus:
            parts.append(joined(taus) + f" with {grid.title(face)}" * (len(faces) > 1))
    if not parts:
        return []
    return [f"Kendall's tau with the order in Table I, total mAP: {'; '.join(parts)}."]


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)
