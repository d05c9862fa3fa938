"""All checks of one method, in order; what its own code raises becomes a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmark.diagnostics.check import behaviour, contract, episodes, guards
from benchmark.diagnostics.check.findings import LEFT_OUT, OK, WRONG, Finding, Wrong
from benchmark.diagnostics.check.toy import Toy
from benchmark.diagnostics.check.trials import Subject, Trial
from benchmark.method.base import Method


def examine(
    cls: type[Method], toy: Toy, settings: Mapping[str, Any] | None = None
) -> list[Finding]:
    """What is right and wrong with a method; nothing is raised for what its code does.

    settings   hyperparameters to fit it with, beside its defaults
    """
    return list(_Examination(Subject(cls, settings or {}, toy)).findings())


class _Examination:
    """One examination: what later checks need of earlier ones.

    A check is a function that returns what it found right, in words, or None if it has nothing to
    say, and raises `Wrong` otherwise.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject, self.toy = subject, subject.toy
        self.failed: set[str] = set()  # checks that found something wrong
        self.trial: Trial | None = None  # the method, fitted
        self.few = self.long = True  # whether it takes such tasks

    def check(self, name: str, find: Callable[..., str | None], *given: Any) -> Iterator[Finding]:
        """The findings of one check, which is called with what is given."""
        try:
            seen = find(*given)
            if seen is not None:
                yield Finding(name, OK, seen)
        except Wrong as wrong:
            if wrong.verdict == WRONG:
                self.failed.add(name)
            for fault in wrong.faults:
                yield Finding(name, wrong.verdict, *fault, wrong.trace)

    def findings(self) -> Iterator[Finding]:
        yield from self.check("declarations", contract.declared, self.subject.cls)
        yield from self.check("hyperparameters", contract.hyperparameters, self.subject.cls)
        if "hyperparameters" not in self.failed:
            yield from self.check("search space", contract.search_space, self.subject.cls)
        yield from self.check("skip", self.skipping)
        if self.failed & {"hyperparameters", "skip"}:
            yield Finding("training", LEFT_OUT, "nothing is fitted before the above is mended")
            return
        frozen = guards.Frozen(self.toy.run("watch").clip)
        try:
            yield from self.trained()
            yield from self.check("frozen CLIP", self.unchanged, frozen)
        finally:
            frozen.restore()

    def skipping(self) -> str:
        method = self.subject.make()
        long, few = (self.toy.task(setting) for setting in ("long-tailed", "few-shot"))
        seen = contract.skipping(self.subject.cls, method, [long, few])
        self.long, self.few = method.skip(long) is None, method.skip(few) is None
        return seen

    def trained(self) -> Iterator[Finding]:
        """Base stage, fit, predict; what needs a fitted method is left out where there is none."""
        if self.few:
            yield from self.check("base stage", episodes.base_stage, self.subject)
        yield from self.check("fit", self.fit)
        if self.trial is None:
            yield Finding("predict", LEFT_OUT, "there is no fitted method")
            return
        yield from self.check("training data only", behaviour.only_training_data, self.trial)
        yield from self.check("scores", behaviour.scores, self.trial)
        yield from self.check("loss curve", behaviour.curve, self.trial.run.curve)
        if "scores" in self.failed:
            yield Finding("repeats, learns", LEFT_OUT, "the scores cannot be compared")
            return
        for name, find in (
            ("each image alone", behaviour.alone),
            ("learns", behaviour.learning),
            ("predict again", behaviour.again),
            ("same seed", behaviour.same_seed),
            ("deterministic", behaviour.nothing_random),
            ("local scores", behaviour.local_scores),
        ):
            yield from self.check(name, find, self.trial)
        if self.few:
            yield from self.check("episodes", episodes.independence, self.subject)

    def fit(self) -> str:
        start = None if self.long else self.subject.base_state
        self.trial = self.subject.fitted(self.toy.train, start=start)
        return f"{len(self.toy.train.images)} pictures in {self.trial.seconds:.1f} s"

    def unchanged(self, frozen: guards.Frozen) -> str:
        """After all fits the shared CLIP is as it was."""
        if changes := frozen.changes():
            remedy = "train a copy, run.clip.student(); detach or copy what is taken from the model"
            raise Wrong(f"the shared model {'; '.join(changes)}", remedy)
        return "every weight and buffer as it was"
