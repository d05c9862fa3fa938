"""CoOp: learned context words before class names (Zhou et al., IJCV 2022, `trainers/coop.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip.prompts import PromptEncoder, cosine_logits, initial_context
from benchmark.common.device import take_rows
from benchmark.method import losses
from benchmark.method.base import Method, refuse_base
from benchmark.method.inputs import label_matrix, normalised_features
from benchmark.method.search_space import Choice, Range, SearchSpace
from benchmark.method.training import Recipe, train


@dataclass(kw_only=True, eq=False)
class CoOp(Method):
    """Global view, shared or class-specific context, the authors' optimiser and schedule.

    The authors train with softmax cross entropy. Several labels to an image need a multi-label
    loss, and CLIP's logits (all positive, the same level for frequent and rare classes) need an
    offset before a sigmoid: one learned number a class, of the loss alone and no part of a score.
    It starts where it minimises the loss with the first context; otherwise the context would
    spend itself on telling frequent classes from rare ones.

    The authors crop and flip at random; the features of `views` such views of each image are
    cached, and training goes through them in turn.

    base   few-shot: learn the context on the base classes first, and start every episode from it;
           otherwise, as in the papers' tables, the support set is all that is seen
    """

    name = "coop"
    title = "CoOp"
    version = 2
    scores = "logits"

    search_space: ClassVar[SearchSpace] = {
        "lr": Range(1e-4, 0.3, log=True),
        "weight_decay": Range(1e-5, 1e-2, log=True),
        "loss": Choice(("asl", "bce", "db")),
        "context": Choice((4, 16)),
        "init": Choice(("", "a photo of a")),
    }

    context: int = 16
    class_specific: bool = False
    init: str = ""
    loss: str = "asl"
    db_constants: str = "coco"
    epochs: int = 50
    batch_size: int = 32
    lr: float = 0.002
    weight_decay: float = 5e-4
    warmup: int = 1
    augment: str = "crop+flip"
    views: int = 8
    base: bool = False

    def skip(self, task):
        return refuse_base(self, task)

    def fit_base(self, base, run) -> None:
        self._learn(base, run, "base")

    def state(self) -> dict[str, Tensor]:
        return {"context": self.learned.detach()}

    def load_state(self, state) -> None:
        self._start = state["context"]

    def fit(self, train_set, run) -> None:
        self._learn(train_set, run, "prompts")

    def _learn(self, train_set, run, stage: str) -> None:
        clip = run.clip
        self.encoder = PromptEncoder(clip, train_set.class_names)
        if hasattr(self, "_start"):
            start = self._start.to(run.device, copy=True)
        else:
            start = initial_context(clip, self.context, run.generator("context"), self.init)
        if self.class_specific:
            start = start.repeat(len(train_set.class_names), 1, 1)
        self.learned = nn.Parameter(start)
        image = normalised_features(run, train_set.images)
        labels = label_matrix(run, train_set)
        loss = losses.make(self.loss, labels, self.db_constants)
        first = cosine_logits(image, self.encoder(start), clip.logit_scale)
        self.offset = nn.Parameter(losses.best_offset(first, labels, loss))
        draw = run.training_features(train_set.images, augment=self.augment, views=self.views)

        def loss_of(indices):
            image = F.normalize(draw(indices), dim=-1)
            scores = cosine_logits(image, self.encoder(self.learned), clip.logit_scale)
            return loss(scores + self.offset, take_rows(labels, indices))

        recipe = Recipe.of(self, optimiser="sgd", schedule="cosine")
        train([self.learned, self.offset], loss_of, len(labels), recipe, run, stage)

    @torch.no_grad()
    def predict(self, images, run):
        image = normalised_features(run, images)
        return cosine_logits(image, self.encoder(self.learned), run.clip.logit_scale)
