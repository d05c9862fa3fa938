"""One method's training loop on the bench: the suite's fast way, or the references' plain one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from baselines.coop import CoOp
from baselines.dualcoop import DualCoOp
from baselines.lmclip import LMCLIP
from benchmark.clip.feature_cache import FeatureStore
from benchmark.clip.image_features import image_features
from benchmark.clip.model import Clip
from benchmark.common import seeding
from benchmark.data.images import ImageList, LabelledImages
from benchmark.diagnostics.speed.step_timer import StepTimer
from benchmark.method import losses
from benchmark.method.run import Run
from benchmark.suites.unit import Unit
from hpdval.hpdval import HPDVAL


class EncodedBatch:
    """A frozen tower's features (B, D) and (B, L, D) by indices (B,); the last batch's are kept."""

    def __init__(self, run: Run, images: ImageList, tower: nn.Module, local: str | None) -> None:
        self.run, self.pixels, self.tower, self.local = run, run.pixels(images), tower, local
        self.drawn: Tensor | None = None

    @torch.no_grad()
    def __call__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        if indices is not self.drawn:
            batch = self.run.normalise(torch.from_numpy(self.pixels[indices.numpy()]))
            self.found, self.drawn = image_features(self.tower, batch, self.local), indices
        return self.found


class PlainRun(Run):
    """A Run whose frozen features are encoded anew at each draw, as the authors' loops do.

    Pictures come decoded from the cache, and are never augmented: reading and augmenting them is
    left out on both sides of a comparison. The text's road is `Clip.plain_text`'s.
    """

    def __init__(self, **given) -> None:
        super().__init__(**given)
        self.encoded: dict[ImageList, EncodedBatch] = {}

    def training_features(
        self, images: ImageList, kind: str = "global", augment: str = "none", views: int = 1
    ) -> Callable[[Tensor], Tensor]:
        """As of Run, for plain pictures; kinds of the same images share one pass of the tower."""
        batch = self.encoded.setdefault(images, EncodedBatch(self, images, self.clip.visual, None))
        if kind == "global":
            return lambda indices: batch(indices)[0]
        batch.local = kind
        return lambda indices: batch(indices)[1]


class MeasuredHPDVAL(HPDVAL):
    """HP-DVAL; with a PlainRun, stage 2's frozen tower, its student, encodes each batch anew."""

    def frozen_features(self, images: ImageList, run: Run) -> Callable[[Tensor], tuple]:
        if isinstance(run, PlainRun):
            return EncodedBatch(run, images, self.image_tower, self.local)
        return super().frozen_features(images, run)


class MeasuredLMCLIP(LMCLIP):
    """LM-CLIP with plain ASL, which costs as little: a random CLIP's scores may all be below 0, for
    which its own loss has no number."""

    def class_loss(self, labels: Tensor) -> losses.Loss:
        return LMCLIP(loss="asl").class_loss(labels)


CASES = {  # the method, and the hyperparameter of the epochs of the stage that is measured
    "coop": (CoOp, "epochs"),
    "dualcoop": (DualCoOp, "epochs"),
    "hpdval.stage1": (MeasuredHPDVAL, "stage1_epochs"),
    "hpdval.stage2": (MeasuredHPDVAL, "stage2_epochs"),
    "lmclip": (MeasuredLMCLIP, "epochs"),
}
_OFF = {"augment": "none", "views": 1, "stage1_epochs": 0, "stage2_epochs": 0}


class Bench:
    """A case at a shape: the same class, settings, images and seeds both ways.

    case    a name of CASES
    unit    how the suite trains: `epochs` of it. On the miniature `whole` epochs are measured
    `encodings` is how often each training image is encoded beforehand, the fast way: once without
    augmentation, else once a view; CoOp looks at the plain pictures, too.
    """

    def __init__(self, case: str, unit: Unit, clip: Clip, train: LabelledImages) -> None:
        self.method, self.stage = CASES[case]
        self.clip, self.train, self.settings = clip, train, dict(unit.hyperparameters)
        self.epochs, self.whole = self.settings[self.stage], unit.scale == "miniature"
        augmented = self.settings["augment"] != "none"
        self.encodings = self.settings.get("views", 1) + (case == "coop") if augmented else 1
        images, first = train.images, slice(self.settings["batch_size"])
        images = ImageList(images.root, images.paths[first])
        self.batch = dataclasses.replace(train, images=images, labels=train.labels[first])

    def steps(self, way: str, cache: Path, steps: int | None, **options: bool) -> StepTimer:
        """Train on one batch for some steps, of which the first of several is not timed.

        way      "plain" or "fast"
        steps    None: on all images for an epoch, and all of its steps are timed
        count    count floating point operations, too, and keep the gradients: it costs a little
                 time at each operation
        borders  tell the parts of a step apart on a GPU as well, which slows it down
        """
        if steps is None:
            count = math.ceil(len(self.train.images) / self.settings["batch_size"])
            return self.fit(way, cache, StepTimer(self.clip.device, count), whole=True)
        timer = StepTimer(self.clip.device, steps, skip=int(steps > 1), **options)
        return self.fit(way, cache, timer)

    def fit(self, way: str, cache: Path, timer: StepTimer, whole: bool = False) -> StepTimer:
        """Fit the method under a timer. Pictures are decoded before, and are never augmented."""
        train, epochs = (self.train, 1) if whole else (self.batch, timer.steps)
        changed = _OFF | {self.stage: epochs}
        settings = self.settings | {k: v for k, v in changed.items() if k in self.settings}
        clip, plain, store = self.clip, way == "plain", FeatureStore(self.clip, cache)
        given = {"clip": clip, "store": store, "device": clip.device, "identity": "speed"}
        run = (PlainRun if plain else Run)(**given)
        run.draws.append(timer)
        run.pixels(train.images)
        clip.plain_text = plain
        try:
            seeding.seed_everything(0)
            with timer:
                self.method(**settings).fit(train, run)
        finally:
            clip.plain_text = False
        clip.check_frozen()
        timer.loss = run.curve[0]["loss"]
        return timer
