"""DualCoOp: positive and negative contexts over image regions (Sun et al., NeurIPS 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip.prompts import PromptEncoder, initial_context
from benchmark.common.device import take_rows
from benchmark.method import losses
from benchmark.method.base import Method, refuse_base
from benchmark.method.inputs import feature_parts, label_matrix
from benchmark.method.search_space import Choice, Range, SearchSpace
from benchmark.method.training import Recipe, train


def two_way_logits(
    regions: Tensor, positive: Tensor, negative: Tensor, scale: float = 100.0
) -> Tensor:
    """Logits (N, 2, C), negative prompt first, of normalised regions (N, L, D) and text (C, D).

    The positive prompt's cosines decide, by a softmax over regions, where both prompts look. Its
    factor is a fifth of the logits' `scale`, CLIP's own: 20 and 100 in `models/dualcoop.py`.
    """
    yes, no = (scale * regions @ F.normalize(text, dim=-1).T for text in (positive, negative))
    weight = (yes / 5).softmax(dim=1)
    return torch.stack([(weight * no).sum(1), (weight * yes).sum(1)], dim=1)


def normalised_regions(whole: Tensor, local: Tensor, kind: str) -> Tensor:
    """What the prompts look at, (B, 1 + L, D): the pooled feature, then one of each place.

    Local features of the kind "regions", the authors', begin with the pooled token's own; before
    those of other kinds goes the `whole` image's feature (B, D).
    """
    if kind != "regions":
        local = torch.cat([whole[:, None], local], dim=1)
    return F.normalize(local, dim=-1)


@dataclass(kw_only=True, eq=False)
class DualCoOp(Method):
    """Two shared contexts, region aggregation, asymmetric loss; the authors' defaults for COCO.

    The authors augment each picture anew; here training goes in turn through the cached features
    of `views` random views of each image.

    base   few-shot: learn both contexts on the base classes first, as in CoOp here
    """

    name = "dualcoop"
    title = "DualCoOp"
    scores = "probabilities"

    search_space: ClassVar[SearchSpace] = {
        "lr": Range(1e-4, 0.1, log=True),
        "loss_weight": Range(0.01, 1.0, log=True),
        "gamma_neg": Range(1.0, 4.0),
        "weight_decay": Range(1e-5, 1e-2, log=True),
        "local": Choice(("regions", "value", "tokens")),
        "context": Choice((4, 16)),
    }

    context: int = 16
    class_specific: bool = False
    local: str = "regions"
    loss_weight: float = 0.03
    gamma_neg: float = 2.0
    gamma_pos: float = 1.0
    clip: float = 0.05
    epochs: int = 50
    batch_size: int = 32
    lr: float = 0.002
    weight_decay: float = 5e-4
    warmup: int = 1
    augment: str = "cutout+randaugment"
    views: int = 8
    base: bool = False

    def skip(self, task):
        return refuse_base(self, task)

    def fit_base(self, base, run) -> None:
        self._learn(base, run, "base")

    def state(self) -> dict[str, Tensor]:
        positive, negative = (context.detach() for context in self.contexts)
        return {"positive": positive, "negative": negative}

    def load_state(self, state) -> None:
        self._starts = [state["positive"], state["negative"]]

    def fit(self, train_set, run) -> None:
        self._learn(train_set, run, "prompts")

    def _learn(self, train_set, run, stage: str) -> None:
        self.encoder = PromptEncoder(run.clip, train_set.class_names)
        if hasattr(self, "_starts"):
            starts = [start.to(run.device, copy=True) for start in self._starts]
        else:
            generator = run.generator("context")
            starts = [initial_context(run.clip, self.context, generator) for _ in range(2)]
        if self.class_specific:
            starts = [s.repeat(len(train_set.class_names), 1, 1) for s in starts]
        self.contexts = [nn.Parameter(s) for s in starts]  # positive, negative
        labels = label_matrix(run, train_set)
        local, whole = (
            run.training_features(train_set.images, kind, self.augment, self.views)
            for kind in (self.local, "global")  # computing the local ones yields the global ones
        )

        def loss_of(indices):
            logits = self._logits(whole(indices), local(indices), self._text(), run)
            loss = losses.two_way_asymmetric(
                logits, take_rows(labels, indices), self.gamma_neg, self.gamma_pos, self.clip
            )
            return self.loss_weight * len(indices) * loss  # the authors sum over the batch

        recipe = Recipe.of(self, optimiser="sgd", schedule="cosine")
        train(self.contexts, loss_of, len(labels), recipe, run, stage)

    @torch.no_grad()
    def predict(self, images, run):
        text, parts = self._text(), feature_parts(run, images, self.local, "global")
        logits = [self._logits(whole, local, text, run) for local, whole in parts]
        return torch.cat(logits).softmax(dim=1)[:, 1]

    def _text(self) -> Tensor:
        """Text features (2, C, D), of the positive and of the negative context."""
        return self.encoder.several(self.contexts)

    def _logits(self, whole: Tensor, local: Tensor, text: Tensor, run) -> Tensor:
        regions = normalised_regions(whole, local, self.local)
        return two_way_logits(regions, *text, run.clip.logit_scale)
