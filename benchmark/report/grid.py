"""Records to table cells: which records count, and their mean, standard deviation and n."""

from __future__ import annotations

import itertools
import math
import re
import statistics
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError
from benchmark.data import tasks as known_tasks
from benchmark.data.splits.manifest import OFFICIAL
from benchmark.records import store
from benchmark.records.fields import LATER
from benchmark.suites.tables import TableSpec
from benchmark.suites.unit import Unit

METRIC = {  # a table's column -> the record's metric, where their names differ
    "total": "map",
    "raw": "headline",
    "novel": "headline",
    "softmax": "map_softmax",
    "redraw": "map_redraw",
}


STATES = ("done", "skipped", "failed")  # what a record may say, the best first


@dataclass(frozen=True)
class Stat:
    """Mean and sample standard deviation (ddof = 1; None when n = 1) of n values."""

    mean: float
    std: float | None
    n: int


def stat(values: Iterable[float | None]) -> Stat | None:
    """The Stat of the values that are numbers; None when there is none."""
    kept = _known(values)
    if not kept:
        return None
    std = statistics.stdev(kept) if len(kept) > 1 else None
    return Stat(statistics.fmean(kept), std, len(kept))


def oracle_curve(records: Iterable[dict], field: str) -> dict[int, Stat]:
    """{epoch: mAP on test} of records with --oracle, as far as any goes; empty where none has one.

    field    `curve`, or `curve_softmax` where images are ranked after a softmax over the classes

    A record with an `oracle_reason` is left out: where an epoch could not be evaluated, nobody
    knows of which epochs the others are.
    """
    whole = [r["oracle"] for r in records if r.get("oracle") and not r.get("oracle_reason")]
    columns = itertools.zip_longest(*(each.get(field) or () for each in whole))
    found = {epoch: stat(column) for epoch, column in enumerate(columns, 1)}
    return {epoch: each for epoch, each in found.items() if each}


def _known(values: Iterable[float | None]) -> list[float]:
    return [float(v) for v in values if v is not None and math.isfinite(v)]


def paired(a: Mapping, b: Mapping, single: tuple[bool, bool]) -> list[tuple[Any, Any]]:
    """What two methods have of the same seed or episode, given {seed or episode: value} of each.

    single   whether a method, being deterministic, has but one unit; its value, if there, stands
             for every seed or episode of the other
    """
    if single[0] and len(a) == 1:
        a = dict.fromkeys(b, next(iter(a.values())))
    elif single[1] and len(b) == 1:
        b = dict.fromkeys(a, next(iter(b.values())))
    return [(a[repeat], b[repeat]) for repeat in a if repeat in b]


@dataclass(frozen=True)
class Cell:
    """The records of one method on one task, at most one for each of the `expected` units."""

    task: str
    label: str
    expected: int
    done: tuple[dict, ...] = ()
    skipped: tuple[dict, ...] = ()
    failed: tuple[dict, ...] = ()
    _stats: dict[str, Stat | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def of(cls, at: tuple[str, str], expected: int, records: Sequence[dict]) -> Cell:
        """The cell of a task and label with these records, each in the place of its status."""
        parts = {name: tuple(r for r in records if r["status"] == name) for name in STATES}
        return cls(*at, expected, **parts)

    def but(self, fields: Collection[str]) -> Cell:
        """The same with done records that lack these fields."""
        return replace(
            self,
            done=tuple({k: v for k, v in r.items() if k not in fields} for r in self.done),
        )

    @property
    def missing(self) -> int:
        """Units without a result that should have one, failed ones included."""
        return self.expected - len(self.done) - len(self.skipped)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why units were skipped, each reason once."""
        return tuple(dict.fromkeys(_line(r.get("reason")) for r in self.skipped))

    @property
    def errors(self) -> tuple[str, ...]:
        """Why units failed, each once: the wrong input, else the last line of the traceback."""
        return tuple(dict.fromkeys(_failure(r) for r in self.failed))

    @property
    def state(self) -> str:
        """done (at least one number), skipped, failed, or missing."""
        return next((x for x in STATES if getattr(self, x)), "missing")

    def stat(self, metric: str) -> Stat | None:
        """Mean, std and n of a metric, or of what a table's column shows, over the done units."""
        if metric not in self._stats:
            self._stats[metric] = stat(value(record, metric) for record in self.done)
        return self._stats[metric]


def value(record: dict, metric: str) -> float | None:
    """One metric of one record, by its own name or by a table's column (see METRIC).

    `headline` is novel mAP where there is one, else total mAP. `oracle` is the best epoch's on
    test, `last` and `gap` stand beside it; all three are null without it.
    """
    metric, metrics = METRIC.get(metric, metric), record.get("metrics") or {}
    if metric in ("oracle", "last", "gap"):
        last, best = metrics.get("map"), (record.get("oracle") or {}).get("map")
        if last is None or best is None:
            return None
        return {"oracle": best, "last": last, "gap": best - last}[metric]
    if metric == "headline":
        novel = metrics.get("novel")
        return metrics.get("map") if novel is None else novel
    return metrics.get(metric)


def class_mean(records: Iterable[dict], name: str, field: str = "per_class_ap") -> float | None:
    """Mean over records of a class's AP in percent, or of its `train_counts`; without the exact
    deviation of `stat`, which takes most of its time."""
    kept = _known((record.get(field) or {}).get(name) for record in records)
    return statistics.fmean(kept) if kept else None


def preprocess(record: dict) -> str:
    """The name of the unit's preprocessing; CLIP's in records from before there was a choice."""
    return record.get("preprocess", LATER["preprocess"])


def restrictions(grid: Grid, tasks: Sequence[str], named: bool = True) -> str:
    """`2 of 1,909 training and 128 of 5,000 test images, COCO-LT`, or "" for whole splits.

    Without the tasks' names if not `named`.
    """
    found: dict[str, list[str]] = {}
    for task in tasks:
        cells = (grid.cell(task, label) for label in grid.labels)
        texts = {r.get("restriction"): None for c in cells for r in (*c.done, *c.skipped)}
        for text in filter(None, texts):
            found.setdefault(text, []).append(task)
    names = {text: ", ".join(map(task_title, at)) for text, at in found.items()}
    return "; ".join(f"{text}, {names[text]}" if named else text for text in found)


def grouping(grid: Grid, task: str) -> tuple[int, int]:
    """(a, b): the task's classes of a training images or more are head, of fewer than b tail."""
    found = (record.get("own") for label in grid.labels for record in grid.cell(task, label).done)
    own = next(filter(None, found), {})
    head, tail = own.get("grouping") or OFFICIAL
    return head, tail


def first_records(grid: Grid, task: str) -> dict[str, dict]:
    """{label: record of its first seed or episode} of the labels with a result on the task."""
    done = {label: grid.cell(task, label).done for label in drawn_labels(grid, [task])}
    return {
        label: min(records, key=lambda r: (r.get("seed") or 0, r.get("episode") or 0))
        for label, records in done.items()
    }


def _failure(record: dict) -> str:
    if record.get("kind") == "input":
        return _line(record.get("error"))
    return _line("".join((record.get("traceback") or "").strip().splitlines()[-1:]))


def _line(text: str | None) -> str:
    """The text as one short line."""
    return textwrap.shorten(text or "", 160) or "no reason"


@dataclass(frozen=True)
class Grid:
    """All cells of a report, with tasks and labels in the suite's order.

    `titles` says what people read in place of a label.
    """

    suite: str
    scale: str
    long_tailed: tuple[str, ...]
    few_shot: tuple[str, ...]
    labels: tuple[str, ...]
    cells: dict[tuple[str, str], Cell]
    unused: int  # records in the folder that belong to none of the units
    units: int = 0  # expected; labels of the same settings share theirs, which count once
    titles: Mapping[str, str] = field(default_factory=dict)
    among: int = 0  # of how many labels with a result these are a selection; 0 if they are all

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks, the long-tailed ones first."""
        return self.long_tailed + self.few_shot

    @property
    def records(self) -> list[dict]:
        """Every record used, once: done, skipped and failed."""
        used = (r for c in self.cells.values() for r in (*c.done, *c.skipped, *c.failed))
        return list({record["key"]: record for record in used}.values())

    def counts(self) -> Counter[str]:
        """How many units are done, skipped and failed."""
        return Counter(record.get("status") for record in self.records)

    def title(self, label: str) -> str:
        """What people read in place of a label: the label itself where nothing is known of it."""
        return self.titles.get(label, label)

    def labels_of(self, tasks: Sequence[str]) -> list[str]:
        """The labels that have a unit in any of the tasks."""
        return [name for name in self.labels if any((t, name) in self.cells for t in tasks)]

    def cell(self, task: str, label: str) -> Cell:
        """The cell, without a unit where the suite has none."""
        return self.cells.get((task, label)) or Cell(task, label, expected=0)

    def on(self, tasks: Collection[str], but: Collection[str] = ()) -> Grid:
        """The same of these tasks alone, with records `but` for some of their fields. All labels
        stay, and so do their looks."""
        cells = {at: cell for at, cell in self.cells.items() if at[0] in tasks}
        return replace(
            self,
            long_tailed=tuple(task for task in self.long_tailed if task in tasks),
            few_shot=tuple(task for task in self.few_shot if task in tasks),
            cells={at: cell.but(but) for at, cell in cells.items()} if but else cells,
        )


def gather(units: Sequence[Unit], results: Path, titles: Mapping[str, str] | None = None) -> Grid:
    """The grid of `units` from the records in `results`, which is results/<suite>/<scale>.

    InputError where there are no units, and where one task's records are of different splits.
    """
    if not units:
        raise InputError(f"{results}: no units to report; check --tasks, --methods and --seeds")
    by_key = {record["key"]: record for record in store.load(results / "records")}
    keys = dict.fromkeys(unit.key for unit in units)
    members: dict[tuple[str, str], dict[str, None]] = {}
    for unit in units:
        members.setdefault((unit.task, unit.label), {})[unit.key] = None
    suites = {by_key[key]["suite"] for key in keys if key in by_key}
    few = {u.task: u.episode is not None or shots(u.task) is not None for u in units}
    grid = Grid(
        suite=min(suites, default=results.parent.name),
        scale=units[0].scale,
        long_tailed=tuple(task for task in few if not few[task]),
        few_shot=tuple(task for task in few if few[task]),
        labels=tuple(dict.fromkeys(u.label for u in units)),
        cells={at: _cell(at, group, by_key) for at, group in members.items()},
        unused=len(by_key.keys() - keys),
        units=len(keys),
        titles=titles or {},
    )
    _check_splits(grid, results)
    return grid


def shots(task: str) -> tuple[str, str] | None:
    """("coco", "5-shot") of a few-shot task's name, None of any other name."""
    found = re.fullmatch(r"(.+)-fs-(\d+)(-.+)?", task)
    return (found[1], f"{found[2]}-shot{(found[3] or '').replace('-', ' ')}") if found else None


def task_title(task: str) -> str:
    """What people read in place of a task's name: `VOC 5-shot`; other names stand as they are."""
    try:
        return known_tasks.title(task)
    except InputError:
        return task


def _cell(at: tuple[str, str], keys: Collection[str], by_key: Mapping[str, dict]) -> Cell:
    """The records of the cell's units; labels that name the same settings share theirs."""
    return Cell.of(at, len(keys), [by_key[key] for key in keys if key in by_key])


def _check_splits(grid: Grid, results: Path) -> None:
    """InputError when one task's records were made on different splits."""
    for task in grid.tasks:
        cells = (grid.cell(task, label) for label in grid.labels)
        hashes = {r.get("split_sha256") for c in cells for r in (*c.done, *c.skipped)} - {None, ""}
        if len(hashes) > 1:
            short = ", ".join(sorted(h[:10] for h in hashes))
            raise InputError(
                f"{results / 'records'}: task {task} mixes records of different splits "
                f"(split_sha256 {short}); move those of one split away or use another --results-dir"
            )


def in_order(tasks: Iterable[str]) -> list[str]:
    """VOC's tasks first, as in the paper's tables, then the others as they stand."""
    return sorted(tasks, key=lambda task: not task.startswith("voc-"))


def drawn_labels(grid: Grid, tasks: Sequence[str]) -> list[str]:
    """The labels with a result on any of the tasks."""
    return [x for x in grid.labels_of(tasks) if any(grid.cell(t, x).done for t in tasks)]


def labels_of(grid: Grid, spec: TableSpec) -> list[str]:
    """The table's labels that have a unit on any long-tailed task, in its order."""
    return [x for x in spec.rows if any((task, x) in grid.cells for task in grid.long_tailed)]


def tasks_of(grid: Grid, spec: TableSpec) -> list[str]:
    """The long-tailed tasks with a unit of the table: those that it names, then the others."""
    labels = labels_of(grid, spec)
    found = [t for t in grid.long_tailed if any((t, x) in grid.cells for x in labels)]
    others = [t for t in in_order(found) if t not in spec.tasks]
    return [t for t in spec.tasks if t in found] + others
