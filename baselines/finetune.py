"""Fine-tuning: the image encoder and a linear head, no text; the ERM, ASL and DB rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip.image_features import image_features
from benchmark.clip.prompts import template_features
from benchmark.common.device import take_rows
from benchmark.common.errors import unknown
from benchmark.method import Method, losses
from benchmark.method.inputs import label_matrix, normalised_features, picture_parts
from benchmark.method.search_space import Choice, Range, SearchSpace
from benchmark.method.training import Recipe, train

HEADS = ("zeros", "text")


@dataclass(kw_only=True, eq=False)
class Finetune(Method):
    """A copy of CLIP's image encoder and one linear classifier a class, trained together.

    What HP-DVAL's tables compare under the name of a loss: ERM is `loss: bce`, ASL is `asl` (Ridnik
    et al., ICCV 2021), Focal `focal` (Lin et al., ICCV 2017), CB Focal `cb-focal` (Cui et al., CVPR
    2019), DB Focal `db` (Wu et al., ECCV 2020). Those rows were made with an ImageNet ResNet-50, by
    recipes of their own; here all start from the encoder that HP-DVAL starts from and have the
    optimiser of its first stage, so that they differ from it by language and local view alone.

    logits = t (cos-normalised feature) W^T + t b, with CLIP's logit scale t: in these units one
    learning rate suits the encoder and the head.

    head          "zeros": W starts at 0, so nothing is known of the class names, as in those rows.
                  "text": W starts as the class names' text features, which is zero-shot CLIP at
                  step 0: a stronger start, but no longer learning from images alone.
                  b starts where it minimises the loss; at zeros with bce, the classes' log-odds
    loss          a name of `losses.make`; db_constants "coco" or "voc"
    epochs, lr, batch_size, weight_decay, schedule, ema, augment   of the training, as in HP-DVAL

    Few-shot: fitted to the support set from CLIP's encoder, with no base stage: ERM of a few
    images, as a floor. At miniature scale nothing differs but what a suite sets.
    """

    name = "finetune"
    title = "Fine-tuning"
    version = 2

    # Loss and head are what a row is.
    search_space: ClassVar[SearchSpace] = {
        "lr": Range(1e-5, 3e-3, log=True),
        "weight_decay": Range(1e-5, 0.1, log=True),
        "schedule": Choice(("onecycle", "constant")),
        "ema": Choice((0.0, 0.9, 0.99, 0.998)),
    }

    loss: str = "bce"
    db_constants: str = "coco"
    head: str = "zeros"
    template: str = "a photo of a {}."
    epochs: int = 20
    lr: float = 1e-5
    batch_size: int = 32
    weight_decay: float = 1e-4
    schedule: str = "onecycle"
    ema: float = 0.998
    augment: str = "cutout+randaugment"

    def fit(self, train_set, run) -> None:
        if self.head not in HEADS:
            raise unknown("head of finetune", self.head, HEADS)
        labels = label_matrix(run, train_set)
        loss = losses.make(self.loss, labels, self.db_constants)
        self.encoder, self.scale = run.clip.student(), run.clip.logit_scale
        text = template_features(run.clip, train_set.class_names, self.template)
        weight = text if self.head == "text" else torch.zeros_like(text)
        first = self.scale * normalised_features(run, train_set.images) @ weight.T
        self.weight = nn.Parameter(weight)
        self.offset = nn.Parameter(losses.best_offset(first, labels, loss) / self.scale)
        draw = run.training_pixels(train_set.images, self.augment)

        def loss_of(indices):
            return loss(self._logits(run.normalise(draw(indices))), take_rows(labels, indices))

        parameters = [*self.encoder.parameters(), self.weight, self.offset]
        train(parameters, loss_of, len(labels), Recipe.of(self), run, "fine-tuning")

    @torch.no_grad()
    def predict(self, images, run):
        return torch.cat([self._logits(part) for part in picture_parts(run, images)])

    def _logits(self, images: Tensor) -> Tensor:
        """(B, C) of normalised pictures (B, 3, S, S)."""
        features = image_features(self.encoder, images, None)[0]
        return self.scale * (F.normalize(features, dim=-1) @ self.weight.T + self.offset)
