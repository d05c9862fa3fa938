"""One method at one shape, ready to be trained for a few steps, the fast way or the plain one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmark.clip import resolve
from benchmark.clip.feature_cache import FeatureStore
from benchmark.clip.model import Clip
from benchmark.common import seeding
from benchmark.data.images import ImageList, LabelledImages
from benchmark.diagnostics.speed import plain
from benchmark.diagnostics.speed.step_timer import StepTimer
from benchmark.method.base import Method
from benchmark.method.run import Run
from benchmark.suites.unit import Unit

WARM = 1  # steps that count for nothing where there are several
PICTURES = {"augment": "none", "views": 1}  # as measured


@dataclass(frozen=True)
class Case:
    """What is measured of a method: the training loop of one of its stages."""

    label: str  # in suite cimlic
    epochs: str = "epochs"  # the hyperparameter of the stage's epochs
    others: tuple[str, ...] = ()  # those of the other stages: left out


CASES = {
    "coop": Case("coop"),
    "dualcoop": Case("dualcoop"),
    "hpdval.stage1": Case("hpdval", "stage1_epochs", ("stage2_epochs",)),
    "hpdval.stage2": Case("hpdval", "stage2_epochs", ("stage1_epochs",)),
}


@dataclass(frozen=True)
class Shape:
    """A backbone, and whether a whole epoch is measured on it or told from some of its steps."""

    scale: str
    backbone: str
    whole: bool


SHAPES = {
    "paper.vitb16": Shape("paper", f"ViT-B-16-quickgelu:{resolve.RANDOM}", False),
    "paper.rn50": Shape("paper", f"RN50-quickgelu:{resolve.RANDOM}", False),
    "miniature": Shape("miniature", resolve.DEFAULT["miniature"], True),
}


@dataclass(frozen=True)
class Pass:
    """One training loop. Times are in seconds; parts and operations are those of one step."""

    step: float
    parts: Mapping[str, float]
    flop: Mapping[str, int]
    prepared: float  # frozen features of all images that the loop then draws from
    loss: float  # of the first epoch
    gradients: list[Tensor]


class Bench:
    """A case at a shape: the same class, settings, images and seeds both ways."""

    def __init__(
        self, case: Case, unit: Unit, cls: type[Method], clip: Clip, train: LabelledImages
    ) -> None:
        self.case, self.cls, self.clip, self.train = case, cls, clip, train
        self.settings: dict[str, Any] = dict(unit.hyperparameters)

    @property
    def epochs(self) -> int:
        """How many the suite trains."""
        return self.settings[self.case.epochs]

    @property
    def encodings(self) -> int:
        """How often each training image is encoded beforehand, the fast way.

        Once without augmentation, else once a view; CoOp looks at the plain pictures, too.
        """
        if self.settings.get("augment", "none") == "none":
            return 1
        return self.settings.get("views", 1) + (self.case.label == "coop")

    @cached_property
    def batch(self) -> LabelledImages:
        """The first training images, as many as make one batch."""
        count = min(self.settings["batch_size"], len(self.train.images))
        images = ImageList(self.train.images.root, self.train.images.paths[:count])
        return dataclasses.replace(self.train, images=images, labels=self.train.labels[:count])

    def steps(
        self, way: str, cache: Path, steps: int, *, count: bool = False, borders: bool = False
    ) -> Pass:
        """Train on one batch for some steps; of several the first is not timed.

        way      "plain" or "fast"
        count    count floating point operations, too, and keep the gradients: it costs a little
                 time at each operation
        borders  tell the parts of a step apart on a GPU as well, which slows it down
        """
        skip = min(WARM, steps - 1)
        watch = StepTimer(self.clip.device, steps, skip=skip, borders=borders, count=count)
        return self._pass(way, cache, self.batch, steps, watch)

    def epoch(self, way: str, cache: Path) -> Pass:
        """Train on all images for one epoch."""
        steps = math.ceil(len(self.train.images) / self.settings["batch_size"])
        return self._pass(way, cache, self.train, 1, StepTimer(self.clip.device, steps))

    def _pass(self, way: str, cache: Path, train, epochs: int, watch: StepTimer) -> Pass:
        """Fit the method under a watch. Pictures are decoded before, and are never augmented."""
        changed = {name: v for name, v in PICTURES.items() if name in self.settings}
        changed |= {self.case.epochs: epochs} | dict.fromkeys(self.case.others, 0)
        method = (plain.slow(self.cls) if way == "plain" else self.cls)(**self.settings | changed)
        run = self._run(way, cache)
        run.pixels(train.images)
        run.watch = watch
        before, self.clip.plain_text = self.clip.plain_text, way == "plain"
        try:
            seeding.seed_everything(0)
            with watch:
                method.fit(train, run)
        finally:
            self.clip.plain_text = before
        self.clip.check_frozen()
        timed = watch.steps - watch.skip
        return Pass(
            watch.seconds / timed,
            {part: seconds / timed for part, seconds in watch.parts.items()},
            dict(watch.flop),
            watch.prepared,
            run.curve[0]["loss"],
            watch.gradients,
        )

    def _run(self, way: str, cache: Path) -> Run:
        store = FeatureStore(self.clip, cache)
        kind = type("Watched", (_Announces, plain.PlainRun if way == "plain" else Run), {})
        return kind(clip=self.clip, store=store, device=self.clip.device, identity="speed")


class _Announces:
    """Put before a Run: the training loop asks for its batches' generator when it begins."""

    watch: StepTimer

    def generator(self, purpose: str) -> Any:
        if purpose.startswith("batches"):
            self.watch.begin()
        return super().generator(purpose)
