"""Two sets of results side by side, cell by cell: `run_all.py --compare A B`, and a run's results
beside the reference records."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.common.text import aligned
from benchmark.records import store
from benchmark.records.fields import LATER, SETTINGS
from benchmark.report import bootstrap, resampling
from benchmark.report.grid import Cell, Grid, stat, task_title, value
from benchmark.report.wording import scale_words

CLOSE = 0.01  # mAP: what another machine or number of workers may change
WORDS = {
    "identical": "identical",
    "close": f"within {CLOSE}",
    "differs": "different",
    "other settings": "other settings",
    "new": "missing in B",
    "missing": "missing in A",
}
_LEGEND = (
    "mAP in percent, total or of the novel classes, over the n units that both have (with other",
    "settings: of the same seed or episode). interval: 95 % of a paired bootstrap over the test",
    f"images, {resampling.RESAMPLES} resamples; where a side has no stored scores, ± the standard "
    "deviation",
    "of the difference over units.",
)
Pairs = list[tuple[dict, dict]]  # records of both sides that belong together


@dataclass(frozen=True)
class Side:
    """One folder <suite>/<scale> of a side, and its records."""

    path: Path
    records: tuple[dict, ...]

    @property
    def suite(self) -> str:
        return self.records[0]["suite"]

    @property
    def scale(self) -> str:
        return self.records[0]["scale"]


@dataclass(frozen=True)
class Verdict:
    """One task and label on both sides, how they stand to each other, and their units of one key.

    `kind` is a key of WORDS; `note` says which settings differ, or why a cell has no result.
    """

    kind: str
    cell: Cell
    other: Cell
    pairs: Pairs
    note: str = ""


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
        if found := [side for side in found if side.records]:
            return found
    raise InputError(
        f"--compare {folder}: no records there; give a results folder, one suite's (cimlic) or one "
        "scale's (cimlic/miniature)"
    )


def _matched(ours: Sequence[Side], theirs: Sequence[Side]) -> list[tuple[Side, Side]]:
    together = [(a, b) for a, b in itertools.product(ours, theirs) if a.scale == b.scale]
    named = [(a, b) for a, b in together if a.suite == b.suite]
    return named or (together if len(together) == 1 else [])


def against(grid: Grid, reference: Path) -> str:
    """A short text. `reference` is a folder like the results folder, with records inside.

    Only units (keys) that both sides have are compared, so that a run of one seed is not held
    against a mean of three, and never miniature against paper scale.
    """
    done = [r for r in store.load(reference) if r["status"] == "done" and r["scale"] == grid.scale]
    if not done:
        return f"There are no reference records of {scale_words(grid.scale)} to compare with.\n"
    cells = [grid.cells[t, x] for t in grid.tasks for x in grid.labels if (t, x) in grid.cells]
    verdicts = judge(cells, done)
    kinds = Counter(v.kind for v in verdicts)
    said = [f"identical in {kinds['identical']} of {len(verdicts) - kinds['new']} cells"]
    for kind, words in (
        ("close", f"within {CLOSE} mAP in"),
        ("differs", "different in"),
        ("other settings", "run with other settings in"),
        ("missing", "no result here in"),
    ):
        said += [f"{words} {kinds[kind]}"] if kinds[kind] else []
    both = sum(len(v.pairs) for v in verdicts)
    line = f"Compared with the reference, {both} units in both: {', '.join(said)}."
    if kinds["new"]:
        line += f" {kinds['new']} cells are not in the reference."
    odd = [v for v in verdicts if v.kind in ("differs", "other settings", "missing")]
    if not odd:
        return line + "\n"
    rows = [["task", "method", "yours", "n", "reference", "n", "difference", " note"]]
    for v in odd:
        names = task_title(v.cell.task), grid.title(v.cell.label)
        rows.append([*names, *_numbers(v, v.pairs)[2:], f" {v.note}"])
    return "\n".join([line, "", *aligned(rows, 1, rule=True)]) + "\n"


def judge(cells: Iterable[Cell], records: Sequence[dict]) -> list[Verdict]:
    """The verdict on each cell's headline mAP, given all records of the other side."""
    others = cells_of(records)
    by_key = {r["key"]: r for r in records if r["status"] == "done"}
    out = []
    for cell in cells:
        other = others.get((cell.task, cell.label)) or Cell(cell.task, cell.label, 0)
        pairs = [(r, by_key[r["key"]]) for r in cell.done if r["key"] in by_key]
        if pairs:
            gap = max(map(abs, differences(pairs)))
            kind, note = "identical" if gap == 0 else "close" if gap <= CLOSE else "differs", ""
        elif not other.done:
            kind, note = "new", ""
        elif not cell.done:
            kind, note = "missing", cell.state
        else:
            kind, note = "other settings", _difference(cell.done[0], other.done[0])
        out.append(Verdict(kind, cell, other, pairs, note))
    return out


def cells_of(records: Iterable[dict]) -> dict[tuple[str, str], Cell]:
    """The records by task and label, in the order of their names."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for record in records:
        groups.setdefault((record["task"], record["label"]), []).append(record)
    return {at: Cell.of(at, len(group), group) for at, group in groups.items()}


def differences(pairs: Pairs) -> list[float]:
    """The headline mAP of each first record minus the second's."""
    return [(value(a, "headline") or 0.0) - (value(b, "headline") or 0.0) for a, b in pairs]


def _difference(ours: dict, theirs: dict) -> str:
    """The names of the settings in which two records differ."""
    ours, theirs = ({**LATER, **record} for record in (ours, theirs))
    names = [name for name in SETTINGS if ours.get(name) != theirs.get(name)]
    if "hyperparameters" in names:
        a, b = ours.get("hyperparameters") or {}, theirs.get("hyperparameters") or {}
        changed = sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))
        names[names.index("hyperparameters")] = ", ".join(changed)
    return "other " + ", ".join(names or ["seeds or episodes"])


def _numbers(verdict: Verdict, pairs: Pairs) -> list[str]:
    """The begin of a row: task, label, mean and n of the pairs' sides, and how far apart they are;
    of all results of either side where there are no pairs."""
    both = zip(*pairs, strict=True) if pairs else (verdict.cell.done, verdict.other.done)
    a, b = (stat(value(record, "headline") for record in side) for side in both)
    shown = [x for s in (a, b) for x in ((f"{s.mean:.2f}", str(s.n)) if s else ("-", "-"))]
    gap = f"{a.mean - b.mean:+.2f}" if a and b else "-"
    return [verdict.cell.task, verdict.cell.label, *shown, gap]


def _text(a: Side, b: Side) -> str:
    cells = cells_of(a.records)
    lacking = [Cell(*at, 0) for at in cells_of(b.records) if at not in cells]
    found = judge([*cells.values(), *lacking], b.records)
    verdicts = [v for v in found if v.cell.done or v.other.done]  # else neither side has a result
    kinds, same = Counter(v.kind for v in verdicts), sum(len(v.pairs) for v in verdicts)
    counts = ", ".join(f"{WORDS[kind]} in {kinds[kind]}" for kind in WORDS if kinds[kind])
    suites = a.suite if a.suite == b.suite else f"{a.suite} and {b.suite}"
    lines = [f"A  {a.path}", f"B  {b.path}", f"suite {suites}, {scale_words(a.scale)}"]
    lines += [f"{same} units in both, {len(verdicts)} cells: {counts or 'no results'}"]
    if verdicts:
        head = ["task", "method", "A", "n", "B", "n", "A - B", "interval", "verdict"]
        rows = [head, *(_row(v, a.path, b.path) for v in verdicts)]
        width = max(len(row[-1]) for row in rows[1:])  # flush left, unlike numbers
        rows = [[*row[:-1], row[-1].ljust(width)] for row in rows]
        lines += ["", *aligned(rows, 2, rule=True), "", *_LEGEND]
    return "\n".join(lines) + "\n"


def _row(v: Verdict, ours: Path, theirs: Path) -> list[str]:
    pairs = v.pairs or _same_repeats(v.cell, v.other)
    words, interval = WORDS[v.kind], "-"
    if v.kind != "identical" and pairs:
        interval, within = evidence(pairs, ours, theirs)
        words += ", 0 in the interval" if within else ""
    if v.kind == "other settings":
        words += f": {v.note}"
    elif v.kind in ("new", "missing"):
        words += f" ({_why(v.other if v.cell.done else v.cell)})"
    return [*_numbers(v, pairs), interval, words]


def evidence(pairs: Pairs, ours: Path, theirs: Path) -> tuple[str, bool | None]:
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


def _same_repeats(cell: Cell, other: Cell) -> Pairs:
    """Records of the same split, seed and episode, where the settings differ."""

    def at(record: dict) -> tuple:
        return record["split_sha256"], record["seed"], record["episode"]

    repeats = {at(record): record for record in other.done}
    return [(record, repeats[at(record)]) for record in cell.done if at(record) in repeats]


def _why(empty: Cell) -> str:
    """Why a cell has no result."""
    if empty.skipped:
        return f"skipped, {'; '.join(empty.reasons)}"
    return empty.state if empty.state == "failed" else "no record"
