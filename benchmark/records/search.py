"""What a search for hyperparameters found: its trials, as tables and figures show them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BEST = 5  # trials whose spread says how much the choice matters


@dataclass(frozen=True)
class Trial:
    """One setting of the searched hyperparameters, and what it reached on each task.

    number   from 1, the suite's own settings
    values   of the searched hyperparameters, by name
    scores   task -> mAP in percent, or the word "failed" or "skipped"
    """

    number: int
    values: Mapping[str, Any]
    scores: Mapping[str, float | str]

    @property
    def mean(self) -> float | None:
        """mAP in percent, the mean over the tasks; None, the worst, where one has no result."""
        values = list(self.scores.values())
        return None if any(isinstance(v, str) for v in values) else statistics.fmean(values)


@dataclass(frozen=True)
class SearchResult:
    """All trials so far of one label in one setting; `names` are what is searched.

    title   what tables and figures call the label
    """

    label: str
    title: str
    setting: str
    scale: str
    tasks: tuple[str, ...]
    names: tuple[str, ...]
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The trial of the highest mean, the first of equals; None where none has a result."""
        able = [trial for trial in self.trials if trial.mean is not None]
        return max(able, key=lambda trial: trial.mean, default=None)

    @property
    def spread(self) -> float | None:
        """By how much the best trial beats the fifth of those with settings of their own."""
        means: dict[str, float] = {}
        for trial in self.trials:
            if trial.mean is not None:
                means[repr(dict(trial.values))] = trial.mean
        ordered = sorted(means.values(), reverse=True)
        return ordered[0] - ordered[BEST - 1] if len(ordered) >= BEST else None

    def best_so_far(self) -> list[float | None]:
        """The highest mean up to each trial; None before there is one."""
        found: list[float | None] = []
        for trial in self.trials:
            known = [m for m in (found[-1] if found else None, trial.mean) if m is not None]
            found.append(max(known, default=None))
        return found
