"""What a run found about the paper's headline gains, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.report import claims
from benchmark.report.bootstrap import Pairs
from benchmark.report.claims import Gain, Headline
from benchmark.report.grid import Grid, task_title

NUMBERS = ("none", "one", "two", "three", "four", "five", "six")
NAMED = 5  # methods that a sentence names; of more it says how many


def finding(grid: Grid, pairs: Mapping[str, Pairs]) -> str:
    """A sentence on how many of the headline gains have the paper's sign, then which, over which
    methods, and how the order of methods agrees; "" where the paper's method has no result.

    `grid` and `pairs` as in `claims.headlines`.
    """
    found = claims.headlines(grid, pairs)
    if not found:
        return ""
    faces: dict[str, list[Headline]] = {}
    for one in found:
        faces.setdefault(one.label, []).append(one)
    if not any(one.best for one in found):
        ran = joined([grid.title(face) for face in faces])
        return (
            f"No headline gain of the paper can be judged: nothing is there to hold {ran} against."
        )
    said = [_counted(grid, faces)]
    said += [f"{grid.title(face)}: {_raw(grid, each)}." for face, each in faces.items()]
    said.append(_compared(grid, found))
    if any(one.softmax for one in found):
        parts = [f"{grid.title(face)}: {_softmax(each)}" for face, each in faces.items()]
        said.append(f"After the softmax, {'. '.join(parts)}.")
    return " ".join([*said, *_order(grid, list(faces))])


def _counted(grid: Grid, faces: Mapping[str, Sequence[Headline]]) -> str:
    """The one sentence: of those that were run, how many gains have the paper's sign, both ways."""
    stated = _number(len(next(iter(faces.values()))))
    each = faces.values()
    raw = [_of([one.best for one in x if one.best]) for x in each]
    soft = [_of([one.softmax for one in x if one.softmax]) for x in each]
    counts = [f"{count} for {grid.title(face)}" for face, count in zip(faces, raw, strict=True)]
    judged = any(one.softmax for x in each for one in x)
    after = f"; after a softmax over each image's classes, in {joined(soft)}" if judged else ""
    return (
        f"Of the paper's {stated} headline gains, HP-DVAL over the best other method, the sign "
        f"holds here in {joined(counts)}{after}."
    )


def _of(gains: Sequence[Gain]) -> str:
    """`two of three`; `none` where none could be judged."""
    if not gains:
        return "none"
    return f"{_number(sum(gain.holds for gain in gains))} of {_number(len(gains))}"


def joined(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _raw(grid: Grid, each: Sequence[Headline]) -> str:
    """`COCO-LT (+5.20, significant); not VOC-LT (-0.60 to CoOp, ...)`, with what was not run."""
    known = [(one, one.best) for one in each if one.best]
    gone = [task_title(one.place.task) for one in each if not one.best]
    words = [_sides([(gain, _where(grid, one, gain)) for one, gain in known])]
    words += [f"not run: {joined(gone)}"] if gone else []
    return "; ".join(filter(None, words))


def _sides(found: Sequence[tuple[Gain, str]]) -> str:
    """The texts of the gains that hold, then those of the others after a `not`."""
    yes, no = (
        joined([text for gain, text in found if gain.holds is side]) for side in (True, False)
    )
    return "; ".join(filter(None, (yes, f"not {no}" if no else "")))


def _where(grid: Grid, one: Headline, gain: Gain) -> str:
    """`COCO-LT (+0.40, not distinguishable from CoOp)`."""
    over, number = grid.title(gain.over), f"{gain.stat.mean:+.2f}"
    if gain.real is False:
        words = f"{number}, not distinguishable from {over}"
    else:
        words = number if gain.holds else f"{number} to {over}"
        words += ", significant" if gain.real else ", significance not tested"
    return f"{task_title(one.place.task)} ({words})"


def _compared(grid: Grid, found: Sequence[Headline]) -> str:
    """Which methods the best other one was chosen from."""
    labels = [x for x in grid.labels if any(x in one.others for one in found)]
    if len(labels) > NAMED:
        return f"The best other method is that of {len(labels)}."
    return f"The other methods here are {joined([grid.title(x) for x in labels])}."


def _softmax(each: Sequence[Headline]) -> str:
    """`COCO-LT (+1.20) and VOC-LT (+0.30); not VOC 5-shot (-0.20)`."""
    known = [(one, one.softmax) for one in each if one.softmax]
    texts = [(g, f"{task_title(one.place.task)} ({g.stat.mean:+.2f})") for one, g in known]
    return _sides(texts) or "not recorded"


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
