"""Is a difference real? Paired bootstrap over test images for each pair of methods on a task."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.common import files
from benchmark.records.scores import FIELD, read_scores, read_truth
from benchmark.report import resampling
from benchmark.report.grid import Cell, Grid, stat

FILE = "significance.json"
_RULE = 1  # raise it when the numbers in the file would change


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
    results = Path(results)
    path = results / "report" / FILE
    known = _kept(path)
    kept, found = dict(known), {}
    for task in grid.tasks:
        cells = {x: grid.cell(task, x) for x in grid.labels if grid.cell(task, x).done}
        rows = pairs(cells, results, kept)
        if rows:
            found[task] = judged(task, _means(cells), rows)
    if kept != known:
        _keep(path, kept)
    return found


def judged(task: str, means: Mapping[str, float], rows: Sequence[Row]) -> Pairs:
    """The best label, and those that cannot be told from it, given the rows of all pairs."""
    compared = {label for row in rows for label in (row.a, row.b)}
    first = max(means, key=means.get, default=None)
    best = first if first in compared else None
    with_best = [row for row in rows if best in (row.a, row.b)]
    tied = {row.b if row.a == best else row.a for row in with_best if not row.real}
    ordered = (*with_best, *(row for row in rows if row not in with_best))
    without = tuple(label for label in means if label not in compared)
    return Pairs(task, means, best, frozenset(tied), ordered, without)


def pairs(
    cells: Mapping[str, Cell], results: Path, kept: dict[str, list] | None = None
) -> list[Row]:
    """A row for each two labels of one task whose scores are there, or were when last asked.

    kept   the numbers of pairs computed before; new ones are put there
    """
    kept = {} if kept is None else kept
    means, rows = _means(cells), []
    turns = {label: found for label, cell in cells.items() if (found := _turns(cell))}
    resampled: dict[str, dict[Hashable, np.ndarray]] = {}
    for one, other in itertools.combinations([x for x in means if x in turns], 2):
        a, b = (one, other) if means[one] >= means[other] else (other, one)
        of = _identity(*((cells[x].expected == 1, turns[x]) for x in (a, b)))
        if of not in kept:
            for label in {a, b} - resampled.keys():
                resampled[label] = _resampled(turns[label], results)
            gaps = _gaps(*((cells[x].expected == 1, resampled[x]) for x in (a, b)))
            if gaps:
                kept[of] = list(compared(gaps))
        if of in kept:
            rows.append(Row(a, b, *kept[of]))
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


def _means(cells: Mapping[str, Cell]) -> dict[str, float]:
    return {label: found.mean for label, cell in cells.items() if (found := cell.stat("headline"))}


def _turns(cell: Cell) -> dict[Hashable, dict]:
    """(seed, episode) -> the record, of those that have stored scores."""
    return {(r["seed"], r["episode"]): r for r in cell.done if r.get(FIELD)}


def _resampled(turns: Mapping[Hashable, dict], results: Path) -> dict[Hashable, np.ndarray]:
    """(seed, episode) -> mAP (1 + R,), or nothing if the scores of any are not to be read."""
    found = {turn: mean_ap(results, record) for turn, record in turns.items()}
    return {} if any(values is None for values in found.values()) else found


def _gaps(*sides: tuple[bool, Mapping[Hashable, np.ndarray]]) -> list[np.ndarray]:
    """The differences (1 + R,), turn by turn, of two labels' mAPs; none where they share none.

    The only unit of a label that is expected to have one stands for every turn of the other.
    """
    (one, a), (other, b) = sides
    if one and len(a) == 1:
        a = dict.fromkeys(b, next(iter(a.values())))
    elif other and len(b) == 1:
        b = dict.fromkeys(a, next(iter(b.values())))
    return [a[turn] - b[turn] for turn in a if turn in b and a[turn].shape == b[turn].shape]


def _identity(*sides: tuple[bool, Mapping[Hashable, dict]]) -> str:
    """What the numbers of a pair depend on, as a hash; no labels."""
    rule = [_RULE, resampling.RESAMPLES, resampling.SEED, resampling.LEVEL]
    of = [
        [single, [[*turn, r["split_sha256"], r[FIELD]] for turn, r in turns.items()]]
        for single, turns in sides
    ]
    return hashlib.sha256(json.dumps([rule, of]).encode()).hexdigest()[:32]


def _kept(path: Path) -> dict[str, list]:
    """The file's numbers by identity; none if there is no such file, or it is something else."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {of: row for of, row in found.items() if isinstance(row, list) and len(row) == 5}
    return {}


def _keep(path: Path, kept: Mapping[str, list]) -> None:
    """Best left alone where the folder is read-only: it only saves time."""
    lines = ",\n".join(f"{json.dumps(of)}: {json.dumps(row)}" for of, row in kept.items())
    with contextlib.suppress(OSError), files.atomic(path) as beside:
        beside.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
