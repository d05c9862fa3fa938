"""Searches for hyperparameters: their trials are ordinary units, asked and scored in batches."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmark.data import tasks
from benchmark.method import search_space
from benchmark.method.search_space import SearchSpace
from benchmark.records.search import SearchResult, Trial
from benchmark.records.store import RecordStore
from benchmark.runner.proposals import Proposals
from benchmark.suites.expand import Known, expand
from benchmark.suites.suite import MethodEntry, Override, Suite
from benchmark.suites.unit import Unit

SUITE = "tune"  # the folder below results/
BATCH = 4  # trials proposed at once: however many workers there are, the search is the same
UNIT_SEED = 0  # of long-tailed units; `Search.seed` is the sampler's
WORST = 0.0  # mAP in percent that a trial without a result counts as


@dataclass(eq=False)
class Search:
    """The search of one label in one setting: which units a trial is, and what comes of them.

    The first trial has the settings that the suite gives the entry by itself; what a settings file
    has for it does not count, so that a search does not depend on what an earlier one chose. The
    entry's own `hyperparameters` say what it is and are not searched; the rest of the method's
    search space is. Where nothing is left of that, the first trial is all.

    tasks      hold-out or development tasks of the setting
    trials     how many, the first included
    episodes   of few-shot tasks: so many, from the first
    """

    suite: Suite
    entry: MethodEntry
    known: Known
    setting: str
    tasks: tuple[str, ...]
    trials: int
    episodes: int
    seed: int
    title: str = ""  # what tables and figures call the label; "": by itself
    found: list[Trial] = field(default_factory=list)
    asked: list[tuple[Unit, ...]] = field(default_factory=list)  # the units of each trial asked

    def __post_init__(self) -> None:
        self.entry = replace(self.entry, chosen={}, leaves=frozenset())
        if not self.space:
            self.trials = 1

    @functools.cached_property
    def space(self) -> SearchSpace:
        """What is searched: hyperparameter -> what may be tried; InputError as `checked`."""
        method = self.known.methods[self.entry.method]
        where = f"{method.file}: {method.name}"
        declared = search_space.checked(method.search_space, method.defaults, where)
        known = search_space.in_setting(declared, self.setting)
        return {k: of for k, of in known.items() if k not in self.entry.hyperparameters}

    @functools.cached_property
    def proposals(self) -> Proposals:
        return Proposals(self.space, self.seed)

    @property
    def left(self) -> int:
        """How many trials have no outcome yet."""
        return self.trials - len(self.found)

    def ask(self) -> list[Unit]:
        """The units of the next batch of trials."""
        first = not self.found
        count = min(BATCH, self.left)
        settings = self.proposals.ask(count - first) if count > first else []
        number = len(self.found) + 1
        self.asked = [self._units(number, None)] if first else []
        self.asked += [self._units(n, values) for n, values in enumerate(settings, number + first)]
        return [unit for units in self.asked for unit in units]

    def learn(self, records: RecordStore) -> None:
        """Take the outcome of the batch from the records and let the sampler learn from it."""
        own = int(not self.found)  # whether the first of the batch is the suite's, not proposed
        fresh = []
        for number, units in enumerate(self.asked, len(self.found) + 1):
            scores = {task: _score(units, task, records) for task in self.tasks}
            fresh.append(Trial(number, self._values(units), scores))
        results = [WORST if trial.mean is None else trial.mean for trial in fresh]
        if own and self.space:
            self.proposals.learn(fresh[0].values, results[0])
        if results[own:]:
            self.proposals.tell(results[own:])
        self.found += fresh
        self.asked = []

    def _units(self, number: int, values: dict[str, Any] | None) -> tuple[Unit, ...]:
        """A trial's units, on each task those of one seed, or of the first episodes."""
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in (values or {}).items()}
        entry = replace(
            self.entry,
            label=f"{self.entry.label}-{self.setting}-{number:02d}",
            overrides=(*self.entry.overrides, Override({}, plain)),
        )
        asked = {"tasks": self.tasks, "seeds": (UNIT_SEED,), "episodes": self.episodes}
        return tuple(expand(replace(self.suite, methods=(entry,), **asked), self.known))

    def _values(self, units: Sequence[Unit]) -> dict[str, Any]:
        """The searched hyperparameters of a trial; the suite's may differ between tasks, and what
        does is left out."""
        each = [dict(unit.hyperparameters) for unit in units]
        return {k: each[0][k] for k in self.space if all(one[k] == each[0][k] for one in each)}

    @property
    def result(self) -> SearchResult:
        """The search so far, for tables and figures."""
        label = self.entry.label
        at = label, self.title or label, self.setting, self.known.scale, self.tasks
        return SearchResult(*at, tuple(self.space), tuple(self.found))

    @property
    def overridden(self) -> list[str]:
        """Searched hyperparameters that the suite's own overrides would set in place of a file."""
        here = {
            "scale": {self.known.scale},
            "setting": {self.setting},
            "task": {*self.tasks, *map(tasks.stands_for, self.tasks)},
            "dataset": set().union(*(self.known.tasks[name].datasets for name in self.tasks)),
        }
        set_here = {
            name
            for one in self.entry.overrides
            if all(here[key].intersection(values) for key, values in one.when.items())
            for name in one.set
        }
        return [name for name in self.space if name in set_here]

    @property
    def line(self) -> str:
        """`coop, long-tailed: 8 of 24 trials, best 48.3 (trial 5)`."""
        best = self.result.best
        known = f"best {best.mean:.1f} (trial {best.number})" if best else "none has a result"
        counted = f"{len(self.found)} of {self.trials} trials"
        return f"{self.entry.label}, {self.setting}: {counted}, {known}"


def run(
    searches: Sequence[Search],
    compute: Callable[[list[Unit]], RecordStore],
    say: Callable[[str], None],
) -> None:
    """Take all searches to their end, a batch of each at a time.

    compute   gives the records as they stand once those of these units are there, or have failed
    say       is told a line of each search after each batch
    """
    while waiting := [search for search in searches if search.left]:
        records = compute([unit for search in waiting for unit in search.ask()])
        for search in waiting:
            search.learn(records)
            say(search.line)


def _score(units: Sequence[Unit], task: str, records: RecordStore) -> float | str:
    """mAP in percent of a trial on one task, over its episodes; or why it has none."""
    found = [records.done.get(unit.key) for unit in units if unit.task == task]
    if any(record is not None and record["status"] == "skipped" for record in found):
        return "skipped"
    values = [record["metrics"]["map"] if record else None for record in found]
    return "failed" if None in values else statistics.fmean(values)
