"""Trains and scores a method on the toy, as the harness does with a unit."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmark.common import seeding
from benchmark.data.images import ImageList, LabelledImages
from benchmark.diagnostics.check import guards
from benchmark.diagnostics.check.findings import calling
from benchmark.diagnostics.check.toy import Toy
from benchmark.method.base import Method
from benchmark.method.discovery import hyperparameters
from benchmark.method.run import Run
from benchmark.runner import checkpoints
from benchmark.runner.predict import check_scores

State = Mapping[str, torch.Tensor]


@dataclass
class Trial:
    """A fitted method with the Run and the data (labels of its own) that it was fitted with.

    `opened` are the test files that its fit has opened.
    """

    subject: Subject
    data: LabelledImages
    method: Method
    run: Run
    seconds: float
    opened: set[str]

    def predict(self, images: ImageList) -> Any:
        """What the method's predict returns, whatever that is."""
        with calling("predict", self.subject.cls):
            return self.method.predict(images, self.run)

    def scores(self, images: ImageList) -> np.ndarray:
        """Its checked scores, float32 (N, C), a copy; `Raised` if predict returns no such thing."""
        shape = (len(images), len(self.data.class_names))
        with calling(f"scoring {len(images)} image(s)", self.subject.cls):
            return check_scores(self.predict(images), shape)


@dataclass
class Subject:
    """The class to check, the settings to check it with, the toy; later, what `fit_base` left."""

    cls: type[Method]
    settings: Mapping[str, Any]
    toy: Toy
    base_state: State | None = None

    def make(self, base: bool = False) -> Method:
        """A new method; `base` switches on its base stage, where a hyperparameter does that."""
        switched = {"base": True} if base and "base" in hyperparameters(self.cls) else {}
        with calling("__init__", self.cls):
            return self.cls(**{**self.settings, **switched})

    def fitted(
        self,
        data: LabelledImages,
        identity: str = "toy",
        chance: int = 0,
        start: State | None = None,
    ) -> Trial:
        """A new method fitted to the data.

        identity   the seeds derive from it
        chance     from which seed the global generators start
        start      a base state for `load_state`; with one the base stage is switched on
        """
        method = self.make(base=start is not None)
        data = dataclasses.replace(data, labels=data.labels.copy())  # which fit may spoil
        run = self.run(identity, chance)
        if start is not None:
            with calling("load_state", self.cls):
                method.load_state(dict(start))
        began, opened = time.perf_counter(), set()
        with guards.test_files(self.toy.test.images.root, opened), calling("fit", self.cls):
            method.fit(data, run)
        return Trial(self, data, method, run, time.perf_counter() - began, opened)

    def run(self, identity: str, chance: int = 0) -> Run:
        """A fresh Run; the global generators start from the seed `chance`."""
        run = self.toy.run(identity)
        seeding.seed_everything(chance)
        return run

    def based(self) -> checkpoints.Checkpoint:
        """The state that the base stage leaves, stored and read again as the harness does."""

        def build() -> checkpoints.Checkpoint:
            method, run = self.make(base=True), self.run("base")
            with calling("fit_base", self.cls):
                method.fit_base(self.toy.base, run)
            with calling("state", self.cls):
                return checkpoints.Checkpoint(method.state(), 0.0, list(run.curve))

        folder = self.toy.folder / "states"
        with calling("storing what state() returned", self.cls):
            return checkpoints.fetch({"subject": uuid.uuid4().hex}, folder, {}, build)
