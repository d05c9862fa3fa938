"""Which differences are real: paired bootstrap over test images of each two methods on a task."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.common import files
from benchmark.records.scores import FIELD, read_scores, read_truth
from benchmark.report import resampling
from benchmark.report.grid import Cell, Grid, paired, stat

FILE = "significance.json"
_LARGEST = 200_000_000  # bytes of the file
_RULE = 1  # raise it when the numbers in the file would change
Repeat = tuple[int, int | None]  # seed, episode


@dataclass(frozen=True)
class Row:
    """The difference of two labels' mAP on a task, in percent points.

    a, b        the labels; `a` has the higher mean
    diff        mean over seeds or episodes of mAP(a) - mAP(b) on the test images as they are
    low, high   95 % percentile interval of that mean over resamples of the test images
    seeds_std   sample standard deviation over seeds or episodes of the difference; None if n = 1
    n           seeds or episodes that both have
    """

    a: str
    b: str
    diff: float
    low: float
    high: float
    seeds_std: float | None
    n: int

    @property
    def real(self) -> bool:
        """Whether neither the choice of test images nor that of seeds alone can explain it.

        The bootstrap interval leaves out 0, and so does, where n > 1, Student's 95 % interval of
        the mean over seeds or episodes.
        """
        outside = self.low > 0 or self.high < 0
        return outside and abs(self.diff) > student(self.seeds_std, self.n)


@dataclass(frozen=True)
class Pairs:
    """All pairs of a task's labels that have stored scores.

    means     label -> mean mAP, of all labels with results
    best      the label with the highest mean; None if it has no stored scores
    tied      the other labels whose difference from the best is not real, see `Row.real`
    table     a Row for each pair, the best label's first
    without   labels with results but without stored scores: nothing is said of them
    """

    task: str
    means: Mapping[str, float]
    best: str | None
    tied: frozenset[str]
    table: tuple[Row, ...]
    without: tuple[str, ...] = ()

    def among(self, labels: Collection[str]) -> Pairs:
        """The same of these labels alone, such as those of one table: their best, its ties."""
        means = {label: mean for label, mean in self.means.items() if label in labels}
        return judged(self.task, means, [r for r in self.table if {r.a, r.b} <= set(labels)])


def significance(grid: Grid, results: Path) -> dict[str, Pairs]:
    """The pairs of each task of the grid on which two labels or more have stored scores.

    results   results/<suite>/<scale>. What was computed is kept in report/significance.json
              under the hashes of the scores that it rests on, and read from there next time,
              also where the scores themselves are gone.
    """
    path = results / "report" / FILE
    known = _kept(path)
    kept, found = dict(known), {}
    for task in grid.tasks:
        cells = {x: grid.cell(task, x) for x in grid.labels}
        means = {x: s.mean for x, cell in cells.items() if (s := cell.stat("headline"))}
        if rows := _rows(cells, means, results, kept):
            found[task] = judged(task, means, rows)
    if kept != known:
        _keep(path, kept)
    return found


def judged(task: str, means: Mapping[str, float], rows: Sequence[Row]) -> Pairs:
    """The Pairs of a task: the best label, and those whose difference from it is not real.

    means   label -> mean mAP in percent, of all labels with results
    rows    a Row of each two labels that were compared
    """
    compared = {label for row in rows for label in (row.a, row.b)}
    first = max(means, key=means.get, default=None)
    best = first if first in compared else None
    with_best = [row for row in rows if best in (row.a, row.b)]
    tied = {row.b if row.a == best else row.a for row in with_best if not row.real}
    ordered = (*with_best, *(row for row in rows if row not in with_best))
    without = tuple(label for label in means if label not in compared)
    return Pairs(task, means, best, frozenset(tied), ordered, without)


def _rows(
    cells: Mapping[str, Cell], means: Mapping[str, float], results: Path, kept: dict[str, list]
) -> list[Row]:
    """A row for each two labels of one task whose scores are there, or were when last asked.

    kept   the numbers of pairs computed before; new ones are put there
    """
    rows, resampled = [], {}
    stored = {x: [r for r in cells[x].done if r.get(FIELD)] for x in means}
    scored = {x: {(r["seed"], r["episode"]): r for r in each} for x, each in stored.items() if each}
    for pair in itertools.combinations(scored, 2):
        a, b = pair if means[pair[0]] >= means[pair[1]] else pair[::-1]
        single = cells[a].expected == 1, cells[b].expected == 1
        identity = _identity(zip(single, (scored[a], scored[b]), strict=True))
        if identity not in kept:
            for label in {a, b} - resampled.keys():
                resampled[label] = _resampled(scored[label], results)
            both = paired(resampled[a], resampled[b], single)
            if gaps := [one - other for one, other in both if one.shape == other.shape]:
                kept[identity] = list(compared(gaps))
        if identity in kept:
            rows.append(Row(a, b, *kept[identity]))
    return rows


def compared(gaps: Sequence[np.ndarray]) -> tuple[float, float, float, float | None, int]:
    """(diff, low, high, seeds_std, n) of the mAP differences (1 + R,) of n paired units."""
    spread = stat(gap[0] for gap in gaps)
    return *resampling.interval(np.mean(gaps, axis=0)), spread.std, spread.n


def mean_ap(results: Path, record: Mapping[str, Any]) -> np.ndarray | None:
    """mAP (1 + R,) of a record's stored scores: as it is, then resampled; None without scores."""
    scores, truth = read_scores(results, record), read_truth(results, record)
    if scores is None or truth is None or scores.shape != truth.labels.shape:
        return None
    found = resampling.mean_ap(scores, truth.labels, resampling.weights(len(scores)))
    return found if np.isfinite(found[0]) else None


def student(std: float | None, n: int) -> float:
    """Half the width of Student's 95 % interval of the mean of n values; 0 where n = 1."""
    if std is None or n < 2:
        return 0.0
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, 0.5 + resampling.LEVEL / 200)) * std / math.sqrt(n)


def _resampled(records: Mapping[Repeat, dict], results: Path) -> dict[Repeat, np.ndarray]:
    """The mAP (1 + R,) of each repeat, or nothing if the scores of any are not to be read."""
    found = {repeat: mean_ap(results, record) for repeat, record in records.items()}
    return {} if any(values is None for values in found.values()) else found


def _identity(sides: Iterable[tuple[bool, Mapping[Repeat, dict]]]) -> str:
    """What the numbers of a pair depend on, as a hash: of each side whether it has a single unit,
    and its records by repeat; no labels."""
    rule = [_RULE, resampling.RESAMPLES, resampling.SEED, resampling.LEVEL]
    sources = [
        [single, [[*repeat, r["split_sha256"], r[FIELD]] for repeat, r in records.items()]]
        for single, records in sides
    ]
    return hashlib.sha256(json.dumps([rule, sources]).encode()).hexdigest()[:32]


def _kept(path: Path) -> dict[str, list]:
    """The file's numbers by identity; none if there is no such file, or it is something else."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        found = json.loads(files.content(path, _LARGEST))
        if isinstance(found, dict):
            return {key: x for key, x in found.items() if _is_row(x)}
    return {}


def _is_row(found: Any) -> bool:
    """Whether a value from the file is what `compared` gives, as a list."""
    if not isinstance(found, list) or len(found) != 5 or type(found[4]) is not int:
        return False
    numbers = [x for n, x in enumerate(found) if n != 3 or x is not None]  # seeds_std may be None
    return all(type(x) in (int, float) and abs(x) < 1e100 for x in numbers)


def _keep(path: Path, kept: Mapping[str, list]) -> None:
    """Best left alone where the folder is read-only: it only saves time."""
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(row)}" for key, row in kept.items())
    with contextlib.suppress(OSError), files.atomic(path) as temporary:
        temporary.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
