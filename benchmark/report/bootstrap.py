"""Which differences are real: paired bootstrap over test images of two methods on a task."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.common import files
from benchmark.records.scores import FIELD, read_scores, read_truth
from benchmark.report import pairing, resampling
from benchmark.report.grid import Cell, Grid, paired, stat

FILE = "significance.json"
_LARGEST = 200_000_000  # bytes of the file
_RULE = 1  # raise it when the numbers in the file would change
Repeat = tuple[int, int | None]  # seed, episode


@dataclass(frozen=True)
class Side:
    """A label's records with stored scores on a task; `single`: the method, being deterministic,
    has but one unit."""

    single: bool
    records: Mapping[Repeat, dict]

    @classmethod
    def of(cls, cell: Cell) -> Side:
        """The side of a cell; without records where no scores were stored."""
        stored = (record for record in cell.done if record.get(FIELD))
        return cls(cell.expected == 1, {(r["seed"], r["episode"]): r for r in stored})

    def size(self, results: Path) -> int:
        """How many scores all units have; 0 where they are gone."""
        truth = read_truth(results, next(iter(self.records.values())))
        return truth.labels.size * len(self.records) if truth else 0

    def resampled(self, results: Path) -> dict[Repeat, np.ndarray]:
        """The mAP (1 + R,) of each repeat, or nothing if the scores of any are not to be read."""
        found = {repeat: mean_ap(results, record) for repeat, record in self.records.items()}
        return {} if any(values is None for values in found.values()) else found


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
    """The pairs of a task's labels that were compared.

    means     label -> mean mAP, of all labels with results
    best      the label with the highest mean; None if it has no stored scores
    tied      the other labels whose difference from the best is not real, see `Row.real`
    table     a Row for each pair, see `pairing.chosen`, the best label's first
    without   labels with results but without stored scores: nothing is said of them
    below     labels with stored scores that rank too low to be compared
    """

    task: str
    means: Mapping[str, float]
    best: str | None
    tied: frozenset[str]
    table: tuple[Row, ...]
    without: tuple[str, ...] = ()
    below: tuple[str, ...] = ()

    @functools.cached_property
    def rows(self) -> Mapping[frozenset[str], Row]:
        """The table by its two labels."""
        return {frozenset((row.a, row.b)): row for row in self.table}

    @property
    def selected(self) -> bool:
        """Whether there are so many labels that not every two are compared."""
        compared = {label for pair in self.rows for label in pair}
        return len(compared) + len(self.below) > pairing.FEW

    def among(self, labels: Collection[str]) -> Pairs:
        """The same of these labels alone, such as those of one table: their best, its ties."""
        chosen = set(labels)
        means = {label: mean for label, mean in self.means.items() if label in chosen}
        rows = [row for row in self.table if row.a in chosen and row.b in chosen]
        return judged(self.task, means, rows, chosen.intersection(self.below))


def significance(
    grid: Grid, results: Path, tables: Sequence[Collection[str]] = ()
) -> dict[str, Pairs]:
    """The pairs of each task of the grid on which two labels or more have stored scores; which
    ones, says `pairing.chosen`.

    results   results/<suite>/<scale>. What was computed is kept in report/significance.json
              under the hashes of the scores that it rests on, and read from there next time,
              also where the scores themselves are gone.
    tables    the labels of each table that marks what cannot be told from its best
    """
    path = results / "report" / FILE
    known = _kept(path)
    kept, found = dict(known), {}
    for task in grid.tasks:
        if pairs := _of_task(grid, task, results, tables, kept):
            found[task] = pairs
    if kept != known:
        _keep(path, kept)
    return found


def _of_task(
    grid: Grid, task: str, results: Path, tables: Sequence[Collection[str]], kept: dict[str, list]
) -> Pairs | None:
    cells = {x: grid.cell(task, x) for x in grid.labels}
    means = {x: s.mean for x, cell in cells.items() if (s := cell.stat("headline"))}
    sides = {x: side for x in means if (side := Side.of(cells[x])).records}
    ranked = {x: means[x] for x in sides}
    chosen = pairing.chosen(ranked, lambda label: sides[label].size(results), tables)
    rows = [*_rows(chosen, sides, results, kept)]
    below = sides.keys() - {label for pair in chosen for label in pair}
    return judged(task, means, rows, below) if rows else None


def judged(
    task: str, means: Mapping[str, float], rows: Sequence[Row], below: Collection[str] = ()
) -> Pairs:
    """The Pairs of a task: the best label, and those whose difference from it is not real.

    means   label -> mean mAP in percent, of all labels with results
    rows    a Row of each two labels that were compared
    below   labels that were not, as they rank too low
    """
    compared = {label for row in rows for label in (row.a, row.b)}
    first = max(means, key=means.get, default=None)
    best = first if first in compared else None
    with_best = [row for row in rows if best in (row.a, row.b)]
    tied = {row.b if row.a == best else row.a for row in with_best if not row.real}
    ordered = (*with_best, *(row for row in rows if best not in (row.a, row.b)))
    ranked = {low: means[low] for low in means if low in below}
    without = tuple(x for x in means if x not in compared and x not in ranked)
    return Pairs(task, means, best, frozenset(tied), ordered, without, tuple(ranked))


def _rows(
    chosen: Iterable[tuple[str, str]],
    sides: Mapping[str, Side],
    results: Path,
    kept: dict[str, list],
) -> Iterator[Row]:
    """A row for each of the pairs of one task whose scores are there, or were when last asked.

    chosen   the better label of each pair first
    kept     the numbers of pairs computed before; new ones are put there
    """
    resampled: dict[str, dict[Repeat, np.ndarray]] = {}
    for a, b in chosen:
        one, two = sides[a], sides[b]
        identity = _identity((one, two))
        if identity not in kept:
            for label in {a, b} - resampled.keys():
                resampled[label] = sides[label].resampled(results)
            both = paired(resampled[a], resampled[b], (one.single, two.single))
            if gaps := [x - y for x, y in both if x.shape == y.shape]:
                kept[identity] = list(compared(gaps))
        if identity in kept:
            yield Row(a, b, *kept[identity])


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


def _identity(sides: Iterable[Side]) -> str:
    """What the numbers of a pair depend on, as a hash: of each side whether it has a single unit,
    and its records by repeat; no labels."""
    rule = [_RULE, resampling.RESAMPLES, resampling.SEED, resampling.LEVEL]
    sources = [
        [side.single, [[*at, r["split_sha256"], r[FIELD]] for at, r in side.records.items()]]
        for side in sides
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
