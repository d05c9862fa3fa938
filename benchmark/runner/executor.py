"""One unit from its task to its record: base stage, fit, predict, metrics. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmark.data.images import ImageList
from benchmark.data.tasks import Task
from benchmark.method.base import Method, has_base, refusal
from benchmark.method.run import Run
from benchmark.records import record
from benchmark.records.scores import truth_of, write_scores
from benchmark.runner import checkpoints, predict
from benchmark.runner.checkpoints import Checkpoint
from benchmark.runner.oracle import EpochOracle
from benchmark.runner.workspace import Workspace
from benchmark.suites.unit import Unit


def execute(workspace: Workspace, unit: Unit) -> dict[str, Any]:
    """The unit's record without its suite; raises what the method raises.

    checkpoints.Busy when another process is just building a stage that the unit needs.
    """
    task = workspace.task(unit)
    cls = workspace.classes[unit.method]
    method = cls(**dict(unit.hyperparameters))
    reason = refusal(method, task)
    described = record.described(unit, task)
    if reason is not None:
        return record.skipped(described, reason) | workspace.provenance()
    fitted = fit(workspace, unit, task, method)
    scores, predicted = workspace.timed(fitted.scores)
    fitted.run.clip.check_frozen()
    found = record.metric_fields(scores, truth_of(task), cls.scores)
    seconds = fitted.seconds | {"predict": predicted}
    done = record.done(described, found, fitted.curve, seconds) | fitted.best
    if workspace.results is not None:  # of a long-tailed task's first seed also local scores
        maps = predict.local_maps(method, task, fitted.run) if unit.seed == 0 else None
        done |= write_scores(workspace.results, described, task, cls.scores, scores, maps)
    return done | workspace.provenance()


@dataclass(frozen=True, eq=False)
class Fitted:
    """A method that has learned what its unit asks for, on the unit's own seeds.

    seconds   of the record, as far as they are known before it predicts
    best      of the record: the fields of --oracle, none without
    """

    method: Method
    task: Task
    run: Run
    base: Checkpoint | None
    seconds: dict[str, float | None]
    best: dict[str, Any]

    def scores(self, images: ImageList | None = None) -> np.ndarray:
        """The checked scores (N, C), float32, of the images, by default the task's test images."""
        return predict.scored(self.method, self.task, self.run, images)

    @property
    def curve(self) -> list[dict[str, Any]]:
        """{"stage", "epoch", "loss"} of every stage, in their order."""
        return [*(self.base.curve if self.base else ()), *self.run.curve]


def fit(workspace: Workspace, unit: Unit, task: Task, method: Method) -> Fitted:
    """Let the unit's method, which takes the task, learn; raises what it raises, or Busy."""
    base = None
    if task.base is not None and has_base(method):
        base = base_checkpoint(workspace, unit, task, type(method))
        method.load_state(base.tensors)
    run = workspace.run(unit.seed_identity, unit.preprocess, unit.precision)
    stages = SharedStages(workspace, unit, task, run)
    oracle = None
    if workspace.oracle:
        oracle = EpochOracle(method, task, run, lambda: predict.scored(method, task, run))
    _, seconds = workspace.timed(lambda: method.fit(task.train, run))
    best = oracle.close() if oracle else {}
    run.clip.check_frozen()
    seconds = round(seconds - stages.building, 3)
    took = {
        "base": None if base is None else round(base.seconds, 3),
        "shared": stages.seconds,
        "fit": round(seconds - oracle.seconds, 3) if oracle else seconds,
        "oracle": round(oracle.seconds, 3) if oracle else None,
    }
    return Fitted(method, task, run, base, took, best)


def base_checkpoint(workspace: Workspace, unit: Unit, task: Task, cls: type[Method]) -> Checkpoint:
    """What all episodes start from: trained once, then always read from its file.

    The base stage's seeds know neither the method nor the episode.
    """
    what = checkpoints.identity(unit, task.base)

    def build() -> Checkpoint:
        method = cls(**dict(unit.hyperparameters))
        identity = f"base {what['base_sha256']}/seed {unit.seed}"
        run = workspace.run(identity, unit.preprocess, unit.precision)
        _, seconds = workspace.timed(lambda: method.fit_base(task.base, run))
        run.clip.check_frozen()
        return Checkpoint(method.state(), seconds, list(run.curve))

    return workspace.checkpoint(what, build)


class SharedStages:
    """`Run.keep` of one unit: the stages that it shares with others, fetched or built.

    seconds    of all of them, whoever built them; None where there are none
    building   of those that this unit built itself: part of the time that its `fit` took
    """

    def __init__(self, workspace: Workspace, unit: Unit, task: Task, run: Run) -> None:
        self.workspace, self.unit, self.train, self.run = workspace, unit, task.train, run
        self.seconds: float | None = None
        self.building = 0.0
        run.keep = self

    def __call__(self, what: Mapping[str, Any], build: Callable) -> dict[str, torch.Tensor]:
        """See `Run.shared`; the stage's loss curve goes on in the unit's own."""
        curve = self.run.curve
        known = len(curve)

        def built() -> Checkpoint:
            tensors, seconds = self.workspace.timed(build)
            self.run.clip.check_frozen()
            self.building += seconds
            return Checkpoint(tensors, seconds, curve[known:])

        identity = checkpoints.shared_identity(self.unit, self.train, what)
        stage = self.workspace.checkpoint(identity, built)
        curve[known:] = stage.curve
        self.seconds = round((self.seconds or 0.0) + stage.seconds, 3)
        return stage.tensors
