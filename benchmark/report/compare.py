"""Two results folders side by side, cell by cell: `run_all.py --compare A B`."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.common.text import aligned
from benchmark.records import store
from benchmark.report import bootstrap, resampling
from benchmark.report.grid import Cell, stat
from benchmark.report.reference import (
    CLOSE,
    Verdict,
    differences,
    headline,
    judge,
    same_units,
    shown,
)
from benchmark.report.wording import scale_words

WORDS = {
    "identical": "identical",
    "close": f"within {CLOSE}",
    "differs": "different",
    "other settings": "other settings",
    "new": "missing in B",
    "missing": "missing in A",
}


@dataclass(frozen=True)
class Side:
    """One folder <suite>/<scale> of a side, and its records."""

    path: Path
    found: tuple[dict, ...]

    @property
    def suite(self) -> str:
        return self.found[0]["suite"]

    @property
    def scale(self) -> str:
        return self.found[0]["scale"]

    @property
    def cells(self) -> dict[tuple[str, str], Cell]:
        """By task and label, in the order of the records' names."""
        groups: dict[tuple[str, str], dict[str, list[dict]]] = {}
        for r in self.found:
            group = groups.setdefault((r["task"], r["label"]), {})
            group.setdefault(r["status"], []).append(r)
        parts = ("done", "skipped", "failed")
        return {
            at: Cell(*at, sum(map(len, group.values())), *(tuple(group.get(p, ())) for p in parts))
            for at, group in groups.items()
        }


def compare(a: Path, b: Path) -> str:
    """The text. Each folder: all results, one suite's, or one suite's of one scale.

    Suites are compared by name; two of different names if either side has but one. InputError for
    a folder without records, and for two that have no scale in common.
    """
    ours, theirs = sides(Path(a)), sides(Path(b))
    matched = _matched(ours, theirs)
    if not matched:
        have = [
            ", ".join(sorted({f"{s.suite} ({s.scale})" for s in group})) for group in (ours, theirs)
        ]
        raise InputError(
            f"--compare {a} {b}: one has {have[0]}, the other {have[1]}; name two folders of one "
            "scale: miniature and paper are never compared"
        )
    return "\n".join(_text(*pair) for pair in matched)


def sides(folder: Path) -> list[Side]:
    """The suites and scales below a folder, whichever level it is; InputError if there are none."""
    start = folder.parent if folder.name == "records" else folder
    for pattern in ("records*", "*/records*", "*/*/records*"):
        near = {path.parent for path in start.glob(pattern)}
        places = sorted(place for place in near if store.ResultsFolder(place).has_records())
        found = [Side(place, tuple(store.load(place / "records"))) for place in places]
        if found := [side for side in found if side.found]:
            return found
    raise InputError(
        f"--compare {folder}: no records there; give a results folder, one suite's (cimlic) or one "
        "scale's (cimlic/miniature)"
    )


def _matched(ours: Sequence[Side], theirs: Sequence[Side]) -> list[tuple[Side, Side]]:
    together = [(a, b) for a, b in itertools.product(ours, theirs) if a.scale == b.scale]
    named = [(a, b) for a, b in together if a.suite == b.suite]
    return named or (together if len(together) == 1 else [])


def _text(a: Side, b: Side) -> str:
    rows, kinds, same = _cells(a, b)
    counts = ", ".join(f"{WORDS[kind]} in {kinds[kind]}" for kind in WORDS if kinds[kind])
    suites = a.suite if a.suite == b.suite else f"{a.suite} and {b.suite}"
    lines = [f"A  {a.path}", f"B  {b.path}", f"suite {suites}, {scale_words(a.scale)}"]
    lines += [f"{same} units in both, {len(rows)} cells: {counts or 'no results'}"]
    if rows:
        head = ["task", "method", "A", "n", "B", "n", "A - B", "interval", "verdict"]
        width = max(len(row[-1]) for row in rows)  # flush left, unlike numbers
        rows = [[*row[:-1], row[-1].ljust(width)] for row in (head, *rows)]
        lines += ["", *aligned(rows, 2, rule=True), "", *_LEGEND]
    return "\n".join(lines) + "\n"


def _cells(a: Side, b: Side) -> tuple[list[list[str]], Counter, int]:
    """The table's rows, how many there are of each verdict, and the units that both sides have.

    Cells without a result on either side are left out.
    """
    cells, others = a.cells, b.cells
    done = [r for r in b.found if r["status"] == "done"]
    rows, kinds, units = [], Counter(), 0
    for at in dict.fromkeys([*cells, *others]):
        cell, other = cells.get(at) or Cell(*at, 0), others.get(at) or Cell(*at, 0)
        if cell.done or other.done:
            verdict, same = judge(cell, done), same_units(cell, done)
            rows.append(_row(verdict, cell, other, same, a.path, b.path))
            kinds[verdict.kind] += 1
            units += len(same)
    return rows, kinds, units


_LEGEND = (
    "mAP in percent, total or of the novel classes, over the n units that both have (with other",
    "settings: of the same seed or episode). interval: 95 % of a paired bootstrap over the test",
    f"images, {resampling.RESAMPLES} resamples; where a side has no stored scores, ± the standard "
    "deviation",
    "of the difference over units.",
)


def _row(
    verdict: Verdict,
    cell: Cell,
    other: Cell,
    same: list[tuple[dict, dict]],
    ours: Path,
    theirs: Path,
) -> list[str]:
    pairs = same or _same_turns(cell, other)
    both = zip(*pairs, strict=True) if pairs else (cell.done, other.done)
    a, b = map(headline, both)
    gap = f"{a.mean - b.mean:+.2f}" if a and b else "-"
    words, interval = WORDS[verdict.kind], "-"
    if verdict.kind in ("differs", "close", "other settings") and pairs:
        interval, within = evidence(pairs, ours, theirs)
        words += ", 0 in the interval" if within else ""
    words += f": {verdict.note}" if verdict.kind == "other settings" else ""
    words += f" ({_why(cell, other)})" if verdict.kind in ("new", "missing") else ""
    return [cell.task, cell.label, *shown(a), *shown(b), gap, interval, words]


def evidence(
    pairs: Sequence[tuple[dict, dict]], ours: Path, theirs: Path
) -> tuple[str, bool | None]:
    """The interval or spread of paired records' differences as text, and whether 0 is within.

    None for a spread: it is over units, not over test images, and no test.
    """
    gaps = []
    for a, b in pairs:
        one, two = bootstrap.mean_ap(ours, a), bootstrap.mean_ap(theirs, b)
        if one is None or two is None or one.shape != two.shape:
            spread = stat(differences(pairs))
            return (f"± {spread.std:.2f}" if spread.std is not None else "-"), None
        gaps.append(one - two)
    _, low, high, _, _ = bootstrap.compared(gaps)
    return f"[{low:+.2f}, {high:+.2f}]", low <= 0 <= high


def _same_turns(cell: Cell, other: Cell) -> list[tuple[dict, dict]]:
    """Records of the same split, seed and episode, where the settings differ."""

    def at(record: dict) -> tuple:
        return record["split_sha256"], record["seed"], record["episode"]

    turns = {at(record): record for record in other.done}
    return [(record, turns[at(record)]) for record in cell.done if at(record) in turns]


def _why(cell: Cell, other: Cell) -> str:
    empty = other if cell.done else cell
    if empty.skipped:
        return f"skipped, {'; '.join(empty.reasons)}"
    return empty.state if empty.state == "failed" else "no record"
