"""Proposals: which settings a search tries next, by Optuna's TPE, replayed from the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from benchmark.common.errors import InputError
from benchmark.method.search_space import Choice, Range, SearchSpace

RANDOM = 8  # trials before the sampler begins to learn from results
DIGITS = 3  # of a number that is proposed, so that what is written down is what was tried


def optuna() -> ModuleType:
    """The library; InputError that says how to install it."""
    try:
        import optuna
    except ImportError:
        raise InputError("tune needs Optuna, which is not there: pip install optuna") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class Proposals:
    """Proposes settings of one search space, learning from the results that it is told.

    It keeps nothing on disk: a search that goes on asks and tells from the first trial again, and
    as the sampler's dice have a fixed seed, the same results lead to the same proposals.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space, self.optuna = space, optuna()
        sampler = self.optuna.samplers.TPESampler(n_startup_trials=RANDOM, seed=seed)
        self.study = self.optuna.create_study(direction="maximize", sampler=sampler)
        self.distributions = {name: self._distribution(of) for name, of in space.items()}
        self.asked: list[Any] = []

    def ask(self, count: int) -> list[dict[str, Any]]:
        """The next settings, which do not depend on each other's results."""
        self.asked = [self.study.ask(self.distributions) for _ in range(count)]
        return [
            {name: _value(of, trial.params[name]) for name, of in self.space.items()}
            for trial in self.asked
        ]

    def tell(self, results: Sequence[float]) -> None:
        """The results of what was asked last, in that order; higher is better."""
        for trial, result in zip(self.asked, results, strict=True):
            self.study.tell(trial, result)
        self.asked = []

    def learn(self, values: Mapping[str, Any], result: float) -> None:
        """The result of settings that it did not propose; those outside the space teach nothing."""
        known = {name: _proposed(of, values.get(name)) for name, of in self.space.items()}
        if None in known.values():
            return
        trial = self.optuna.trial.create_trial(
            params=known, distributions=self.distributions, value=result
        )
        self.study.add_trial(trial)

    def _distribution(self, of: Range | Choice) -> Any:
        known = self.optuna.distributions
        if isinstance(of, Choice):  # by place: Optuna knows no tuples
            return known.CategoricalDistribution(range(len(of.values)))
        kind = known.IntDistribution if _whole(of) else known.FloatDistribution
        return kind(of.low, of.high, log=of.log)


def _value(of: Range | Choice, proposed: Any) -> Any:
    """What is tried for a proposal: the choice at its place, or a number of three digits."""
    if isinstance(of, Choice):
        return of.values[proposed]
    if isinstance(proposed, int):
        return proposed
    return min(max(float(f"{proposed:.{DIGITS}g}"), of.low), of.high)


def _proposed(of: Range | Choice, value: Any) -> int | float | None:
    """What the sampler would have had to propose for the value; None for one outside."""
    if isinstance(of, Choice):
        return of.values.index(value) if value in of.values else None
    if not isinstance(value, (int, float)) or not of.low <= value <= of.high:
        return None
    if not _whole(of):
        return float(value)
    return int(value) if value == int(value) else None


def _whole(of: Range) -> bool:
    return isinstance(of.low, int) and isinstance(of.high, int)
