"""Few-shot checks: what the base stage leaves, and episodes that know nothing of each other."""

from __future__ import annotations

import numpy as np
import torch

from benchmark.diagnostics.check.findings import Doubtful, Wrong
from benchmark.diagnostics.check.trials import State, Subject
from benchmark.method.base import has_base


def base_stage(subject: Subject) -> str | None:
    """What the base stage leaves can be stored; sets the subject's base state.

    The base stage's classes are others than the episode's, and of another number.
    """
    if not has_base(subject.make(base=True)):
        return None
    state = subject.based().tensors
    if not state:
        remedy = "return what the base stage learned, as tensors by name"
        raise Wrong("state() is empty after fit_base", remedy)
    bad = [name for name, value in state.items() if not torch.isfinite(value.float()).all()]
    if bad:
        raise Wrong(f"state() is not finite: {', '.join(bad)}", "see why the loss diverges")
    subject.base_state = state
    numbers = sum(value.numel() for value in state.values())
    return f"{len(state)} tensors, {numbers} numbers, stored and read again"


def independence(subject: Subject) -> str:
    """An episode's scores do not depend on the episodes before it; they do on the base state."""
    start, test = subject.base_state, subject.toy.test.images
    first, second = subject.toy.episodes

    def episode(data, begin: State | None) -> np.ndarray:
        return subject.fitted(data, "episode", start=begin).scores(test)

    kept = {name: value.clone() for name, value in (start or {}).items()}
    alone = episode(second, start)
    episode(first, start)
    if not np.array_equal(episode(second, start), alone):
        remedy = "keep nothing in the class or module; copy what load_state gets before training it"
        raise Wrong("an episode gives other scores after another one", remedy)
    if any(not torch.equal(start[name], value) for name, value in kept.items()):
        remedy = "copy them: value.clone() before they become parameters"
        raise Wrong("training an episode changes the tensors that load_state got", remedy)
    if start is not None and np.array_equal(episode(second, None), alone):
        remedy = "let load_state set what fit starts from, or drop the base stage"
        raise Doubtful("an episode gives the same scores with and without the base stage", remedy)
    return "the same scores after another episode"
