"""Best epoch on test (oracle): what a method would score if test images chose the epoch."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import nn

from benchmark import metrics
from benchmark.common import seeding
from benchmark.common.errors import InputError
from benchmark.data.tasks import Task
from benchmark.method.base import Method
from benchmark.method.run import Run

FIELDS = ("map", *metrics.GROUPS)
NOTHING = "nothing is trained epoch by epoch"


class EpochOracle:
    """Evaluates one fit on the test images after each epoch; the method learns nothing of it.

    It stands in `run.after_epoch`, which the training loop calls with the name of the stage and
    the number of the epoch, on the weights that the stage would end with there (with EMA: the
    averaged ones). `score()` gives the checked scores (N, C) of the task's test images. What an
    evaluation does to the method, to random generators and to the curve is undone, so the results
    of the unit are the same bits with and without it.

    The epochs of the last stage count, as where authors select in each stage of their own: what
    an earlier one reached is forgotten once the next begins. HP-DVAL's, LMPT's and CPRFL's code
    report such numbers; here they are an upper bound, never a headline.
    """

    def __init__(self, method: Method, task: Task, run: Run, score: Callable[[], np.ndarray]):
        self._method, self._task, self._run, self._score = method, task, run, score
        self._best: dict[str, Any] = {}
        self._curve: list[float] = []
        self._softmax: list[float] = []  # the same after a softmax over classes, of logits alone
        self._reason: str | None = None
        self._stage: str | None = None
        self.seconds = 0.0
        run.after_epoch = self._look

    def _look(self, stage: str, epoch: int) -> None:
        began = time.perf_counter()
        self._evaluate(stage, epoch)  # ends with scores on the CPU, so a GPU has done its work
        self.seconds += time.perf_counter() - began

    def _evaluate(self, stage: str, epoch: int) -> None:
        """Keep the epoch if it is the stage's best so far; say why where it cannot be one."""
        if stage != self._stage:
            self._stage, self._best, self._reason = stage, {}, None
            self._curve, self._softmax = [], []
        try:
            with untouched(self._method, self._run):
                scores = self._score()
        except InputError:
            raise  # a broken image is the user's to mend, here as in the final prediction
        except Exception as error:  # such as a part of the method that a later stage makes
            why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self._reason = self._reason or f"{stage}, epoch {epoch}: predict: {why}"
            return
        labels, groups, kind = self._task.test.labels, self._task.groups, self._method.scores
        found = metrics.evaluate(scores, labels, groups, kind).metrics
        if found["map"] is None:
            self._reason = self._reason or "no class has a positive test image"
            return
        self._curve.append(found["map"])
        if found["map_softmax"] is not None:
            self._softmax.append(found["map_softmax"])
        if not self._best or found["map"] > self._best["map"]:
            self._best = {name: found[name] for name in FIELDS} | {"epoch": epoch, "stage": stage}

    def close(self) -> dict[str, Any]:
        """Stop, and give the record's `oracle` (the best epoch) and `oracle_reason` (why some
        epoch is missing)."""
        self._run.after_epoch = None
        if not self._curve:
            return {"oracle": None, "oracle_reason": self._reason or NOTHING}
        counted = {"epochs": len(self._curve), "curve": self._curve}
        softmax = {"curve_softmax": self._softmax} if self._softmax else {}
        return {"oracle": self._best | counted | softmax, "oracle_reason": self._reason}


@contextlib.contextmanager
def untouched(method: Method, run: Run) -> Iterator[None]:
    """Undo what happens inside to the method's attributes and modes, generators and the curve.

    Training inside, should a `predict` do that, is not evaluated in its turn.
    """
    attributes, length = dict(vars(method)), len(run.curve)
    modules = [part for value in attributes.values() for part in _modules(value)]
    modes = [(part, part.training) for part in modules]
    callback, run.after_epoch = run.after_epoch, None
    try:
        with seeding.kept(run.device):
            yield
    finally:
        run.after_epoch = callback
        for part, mode in modes:
            part.training = mode
        vars(method).clear()
        vars(method).update(attributes)
        del run.curve[length:]


def _modules(value: Any) -> Iterator[nn.Module]:
    """The value's modules, also of a list or a dictionary of some."""
    if isinstance(value, nn.Module):
        yield from value.modules()
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _modules(part)
