"""All checks of one method, in order; what its own code raises becomes a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmark.diagnostics.check import behaviour, contract, episodes, guards
from benchmark.diagnostics.check.findings import LEFT_OUT, WRONG, Fault, Finding, ok, wrong
from benchmark.diagnostics.check.toy import Toy
from benchmark.diagnostics.check.trials import State, Subject, Trial
from benchmark.method.base import Method


def examine(
    cls: type[Method],
    toy: Toy,
    settings: Mapping[str, Any] | None = None,
    traces: list[str] | None = None,
) -> list[Finding]:
    """What is right and wrong with a method; nothing is raised for what its code does.

    settings   hyperparameters to fit it with, beside its defaults
    traces     gets the traceback of each error that the method's code raised
    """
    return list(_Examination(cls, toy, settings or {}, traces).findings())


class _Examination:
    """The state of one examination: what later checks need of earlier ones."""

    def __init__(self, cls, toy: Toy, settings, traces: list[str] | None) -> None:
        self.cls, self.traces = cls, [] if traces is None else traces
        self.toy = toy
        self.subject = Subject(cls, settings, self.toy)
        self.start: State | None = None
        self.few = self.long = True  # whether it takes such tasks

    def findings(self) -> Iterator[Finding]:
        yield from self.guarded("declarations", lambda: contract.declared(self.cls))
        stored = list(self.guarded("hyperparameters", lambda: contract.hyperparameters(self.cls)))
        yield from stored
        broken = any(found.verdict == WRONG for found in stored)
        taken = list(self.guarded("skip", self.skipping))
        yield from taken
        if broken or any(found.verdict == WRONG for found in taken):
            yield Finding("training", LEFT_OUT, "nothing is fitted before the above is mended")
            return
        frozen = guards.Frozen(self.toy.run("watch").clip)
        try:
            yield from self.trained()
            yield from self.frozen(frozen)
        finally:
            frozen.restore()

    def guarded(self, check: str, find: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
        """The findings of `find`; a Fault on the way is the last of them."""
        try:
            yield from find()
        except Fault as fault:
            self.traces.append(fault.trace)
            remedy = "mend the error; --traceback shows the whole of it"
            yield wrong(check, fault.text, remedy)

    def skipping(self) -> Iterator[Finding]:
        method, shown = self.subject.make(), [self.toy.task(s) for s in ("long-tailed", "few-shot")]
        yield from (found := list(contract.skipping(self.cls, method, shown)))
        if all(item.verdict != WRONG for item in found):
            self.long, self.few = (method.skip(task) is None for task in shown)

    def trained(self) -> Iterator[Finding]:
        """Base stage, fit, predict; what needs a fitted method is left out where there is none."""
        if self.few:
            for found in self.guarded("base stage", lambda: episodes.base_stage(self.subject)):
                if isinstance(found, Finding):
                    yield found
                else:
                    self.start = found
        fits: list[Trial] = []
        yield from self.guarded("fit", lambda: self.fitting(fits))
        if not fits:
            yield Finding("predict", LEFT_OUT, "there is no fitted method")
            return
        trial = fits[0]
        right = list(self.guarded("scores", lambda: behaviour.scores(trial)))
        yield from right
        yield from self.guarded("loss curve", lambda: behaviour.curve(trial.run.curve))
        if any(found.verdict == WRONG for found in right):
            yield Finding("repeats, learns", LEFT_OUT, "the scores cannot be compared")
            return
        for check, find in (
            ("each image alone", behaviour.alone),
            ("learns", behaviour.learning),
            ("same seed", behaviour.repeats),
            ("deterministic", behaviour.nothing_random),
            ("local scores", behaviour.local_scores),
        ):
            yield from self.guarded(check, lambda find=find: find(trial))
        if self.few:
            told = self.guarded("episodes", lambda: episodes.independence(self.subject, self.start))
            yield from told

    def fitting(self, fits: list[Trial]) -> Iterator[Finding]:
        """One fit, watched: what it opens, and whether it changes what it was given."""
        data = self.toy.train
        start = None if self.long else self.start
        with guards.test_files(self.toy.test.images.root) as opened:
            trial = self.subject.fitted(data, start=start)
        fits.append(trial)
        yield ok("fit", f"{len(data.images)} pictures in {trial.seconds:.1f} s")
        check = "training data only"
        if opened:
            remedy = "learn from train.images alone; no test file may be read before predict"
            yield wrong(check, f"fit opened {sorted(opened)[0]}", remedy)
        elif not np.array_equal(trial.data.labels, data.labels):
            yield wrong(check, "fit changes train.labels", "copy them: train.labels.copy()")
        else:
            yield ok(check, "fit opened no test file and left the labels as they were")

    def frozen(self, frozen: guards.Frozen) -> Iterator[Finding]:
        """After all fits: the shared CLIP is as it was."""
        changes = frozen.changes()
        if changes:
            remedy = "train a copy, run.clip.student(); detach or copy what is taken from the model"
            yield wrong("frozen CLIP", f"the shared model {'; '.join(changes)}", remedy)
        else:
            yield ok("frozen CLIP", "every weight and buffer as it was")
