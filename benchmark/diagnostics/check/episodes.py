"""Few-shot checks: what the base stage leaves, and episodes that know nothing of each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmark.diagnostics.check.findings import Finding, note, ok, wrong
from benchmark.diagnostics.check.trials import State, Subject
from benchmark.method.base import has_base


def base_stage(subject: Subject) -> Iterator[Finding | State]:
    """What the base stage leaves can be stored: the findings, then the state if there is one.

    The base stage's classes are others than the episode's, and of another number.
    """
    check = "base stage"
    if not has_base(subject.make(**subject.with_base())):
        return
    state = subject.based()
    if not state.tensors:
        text = "state() is empty after fit_base"
        yield wrong(check, text, "return what the base stage learned, as tensors by name")
        return
    bad = [name for name, value in state.tensors.items() if not torch.isfinite(value.float()).all()]
    if bad:
        yield wrong(check, f"state() is not finite: {', '.join(bad)}", "see why the loss diverges")
        return
    numbers = sum(value.numel() for value in state.tensors.values())
    yield ok(check, f"{len(state.tensors)} tensors, {numbers} numbers, stored and read again")
    yield state.tensors


def independence(subject: Subject, start: State | None) -> Iterator[Finding]:
    """An episode's scores do not depend on the episodes before it; they do on the base state."""
    check, test = "episodes", subject.toy.test.images
    first, second = subject.toy.episodes

    def episode(data, begin: State | None) -> np.ndarray:
        return subject.fitted(data, "episode", start=begin).scores(test)

    kept = {name: value.clone() for name, value in (start or {}).items()}
    alone = episode(second, start)
    episode(first, start)
    if not np.array_equal(episode(second, start), alone):
        text = "an episode gives other scores after another one"
        remedy = "keep nothing in the class or module; copy what load_state gets before training it"
        yield wrong(check, text, remedy)
        return
    if any(not torch.equal(value, kept[name]) for name, value in (start or {}).items()):
        text = "training an episode changes the tensors that load_state got"
        yield wrong(check, text, "copy them: value.clone() before they become parameters")
        return
    if start is not None and np.array_equal(episode(second, None), alone):
        text = "an episode gives the same scores with and without the base stage"
        yield note(check, text, "let load_state set what fit starts from, or drop the base stage")
        return
    yield ok(check, "the same scores after another episode")
