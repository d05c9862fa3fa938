"""Whether two sets of results agree, cell by cell; and a user's with the reference records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmark.common.text import aligned
from benchmark.records.store import LATER
from benchmark.report.grid import Cell, Grid, Stat, load, stat, value
from benchmark.report.wording import scale_words

CLOSE = 0.01  # mAP: what another machine or number of workers may change
SETTINGS = (
    "method",
    "method_version",
    "hyperparameters",
    "split_sha256",
    "backbone",
    "weights_sha256",
    "preprocess",
    "precision",
)


@dataclass(frozen=True)
class Verdict:
    """One (task, label): what was found, and the two means it rests on."""

    task: str
    label: str
    kind: str  # identical | close | differs | other settings | new | missing
    ours: Stat | None = None
    theirs: Stat | None = None
    note: str = ""


def against(grid: Grid, reference: Path) -> str:
    """A short text. `reference` is a folder like the results folder, with records inside.

    Only units (keys) that both sides have are compared, so that a run of one seed is not held
    against a mean of three, and never miniature against paper scale.
    """
    done = [r for r in load(reference) if r["status"] == "done" and r["scale"] == grid.scale]
    if not done:
        return f"There are no reference records of {scale_words(grid.scale)} to compare with.\n"
    cells = [grid.cells[t, x] for t in grid.tasks for x in grid.labels if (t, x) in grid.cells]
    verdicts = [judge(cell, done) for cell in cells]
    return _text(verdicts)


def judge(cell: Cell, done: list[dict]) -> Verdict:
    """The verdict on one cell's headline mAP, given all done records of the reference."""
    where = (cell.task, cell.label)
    named = [r for r in done if (r["task"], r["label"]) == where]
    pairs = same_units(cell, done)
    if not pairs and not named:
        return Verdict(*where, "new")
    if not cell.done:
        return Verdict(*where, "missing", theirs=headline(named), note=cell.state)
    if not pairs:
        ours, theirs = headline(cell.done), headline(named)
        return Verdict(*where, "other settings", ours, theirs, _difference(cell.done[0], named[0]))
    gaps = [abs(gap) for gap in differences(pairs)]
    kind = "identical" if max(gaps) == 0 else "close" if max(gaps) <= CLOSE else "differs"
    return Verdict(*where, kind, headline([a for a, _ in pairs]), headline([b for _, b in pairs]))


def same_units(cell: Cell, done: list[dict]) -> list[tuple[dict, dict]]:
    """The cell's done records, each with the other side's record of the same key."""
    by_key = {record["key"]: record for record in done}
    return [(r, by_key[r["key"]]) for r in cell.done if r["key"] in by_key]


def differences(pairs: list[tuple[dict, dict]]) -> list[float]:
    """The headline mAP of each first record minus the second's."""
    return [(value(a, "headline") or 0.0) - (value(b, "headline") or 0.0) for a, b in pairs]


def headline(records: Iterable[dict]) -> Stat | None:
    """Mean and spread of the records' headline mAP; None of none."""
    return stat(value(record, "headline") for record in records)


def _difference(ours: dict, theirs: dict) -> str:
    """The names of the settings in which two records differ."""
    ours, theirs = ({**LATER, **record} for record in (ours, theirs))
    names = [name for name in SETTINGS if ours.get(name) != theirs.get(name)]
    if "hyperparameters" in names:
        a, b = ours.get("hyperparameters") or {}, theirs.get("hyperparameters") or {}
        changed = sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))
        names[names.index("hyperparameters")] = ", ".join(changed)
    return "other " + ", ".join(names or ["seeds or episodes"])


def _text(verdicts: list[Verdict]) -> str:
    kinds = Counter(v.kind for v in verdicts)
    known = len(verdicts) - kinds["new"]
    said = [f"identical in {kinds['identical']} of {known} cells"]
    said += [f"within {CLOSE} mAP in {kinds['close']}"] if kinds["close"] else []
    for kind, words in (
        ("differs", "different in"),
        ("other settings", "run with other settings in"),
        ("missing", "no result here in"),
    ):
        said += [f"{words} {kinds[kind]}"] if kinds[kind] else []
    both = sum(v.ours.n for v in verdicts if v.ours and v.kind in ("identical", "close", "differs"))
    line = f"Compared with the reference, {both} units in both: {', '.join(said)}."
    if kinds["new"]:
        line += f" {kinds['new']} cells are not in the reference."
    odd = [v for v in verdicts if v.kind in ("differs", "other settings", "missing")]
    if not odd:
        return line + "\n"
    rows = [["task", "method", "yours", "n", "reference", "n", "difference", " note"]]
    rows += [_row(v) for v in odd]
    return "\n".join([line, "", *aligned(rows, 1, rule=True)]) + "\n"


def shown(found: Stat | None) -> list[str]:
    """A mean and over how many units it is, as two cells of a row."""
    return [f"{found.mean:.2f}", str(found.n)] if found else ["-", "-"]


def _row(v: Verdict) -> list[str]:
    gap = f"{v.ours.mean - v.theirs.mean:+.2f}" if v.ours and v.theirs else "-"
    return [v.task, v.label, *shown(v.ours), *shown(v.theirs), gap, f" {v.note}"]
