"""DualCoOp: positive and negative contexts over image regions (Sun et al., NeurIPS 2022)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import losses
from benchmark.method import Method
from benchmark.prompts import PromptEncoder, initial_context
from benchmark.training import Recipe, train


def two_way_logits(
    regions: Tensor, positive: Tensor, negative: Tensor, scale: float = 100.0
) -> Tensor:
    """Logits (N, 2, C), negative prompt first, of regions (N, L, D) and text (C, D), normalised.

    The positive prompt's cosines decide, by a softmax over regions, where both prompts look. Its
    factor is a fifth of the logits' `scale`, CLIP's own: 20 and 100 in `models/dualcoop.py`.
    """
    yes, no = (scale * regions @ text.T for text in (positive, negative))
    weight = (yes / 5).softmax(dim=1)
    return torch.stack([(weight * no).sum(1), (weight * yes).sum(1)], dim=1)


class DualCoOp(Method):
    """Two shared contexts, region aggregation, asymmetric loss; the authors' defaults for COCO."""

    name = "dualcoop"
    scores = "probabilities"

    def __init__(
        self,
        context: int = 16,
        class_specific: bool = False,
        local: str = "value",
        loss_weight: float = 0.03,
        gamma_neg: float = 2.0,
        gamma_pos: float = 1.0,
        clip: float = 0.05,
        epochs: int = 50,
        batch_size: int = 32,
        lr: float = 0.002,
        weight_decay: float = 5e-4,
        warmup: int = 1,
    ) -> None:
        self.context, self.class_specific, self.local = context, class_specific, local
        self.loss_weight, self.gamma_neg, self.gamma_pos = loss_weight, gamma_neg, gamma_pos
        self.clip, self.epochs, self.batch_size = clip, epochs, batch_size
        self.lr, self.weight_decay, self.warmup = lr, weight_decay, warmup

    def fit(self, train_set, run) -> None:
        self.encoder = PromptEncoder(run.clip, train_set.class_names)
        generator = run.generator("context")
        starts = [initial_context(run.clip, self.context, generator) for _ in range(2)]
        if self.class_specific:
            starts = [s.repeat(len(train_set.class_names), 1, 1) for s in starts]
        self.contexts = [nn.Parameter(s) for s in starts]  # positive, negative
        labels = torch.from_numpy(train_set.labels).to(run.device)
        views = self._views(train_set.images, run)

        def loss_of(indices):
            logits = self._logits(self._regions(views, indices.numpy(), run), run)
            loss = losses.two_way_asymmetric(
                logits, labels[indices], self.gamma_neg, self.gamma_pos, self.clip
            )
            return self.loss_weight * len(indices) * loss  # the authors sum over the batch

        recipe = Recipe(
            self.epochs, self.lr, self.batch_size, "sgd", self.weight_decay, "cosine", self.warmup
        )
        train(self.contexts, loss_of, len(labels), recipe, run, "prompts")

    @torch.no_grad()
    def predict(self, images, run):
        views = self._views(images, run)
        parts = np.array_split(np.arange(len(images)), max(1, len(images) // 256))
        logits = [self._logits(self._regions(views, part, run), run) for part in parts]
        return torch.cat(logits).softmax(dim=1)[:, 1]

    def _views(self, images, run) -> tuple[np.ndarray, np.ndarray]:
        return run.features(images, "global"), run.features(images, self.local)

    def _regions(self, views, indices: np.ndarray, run) -> Tensor:
        """Normalised regions (B, 1 + L, D), the pooled feature first, as in the authors' code."""
        whole, local = (torch.from_numpy(np.array(v[indices])).to(run.device) for v in views)
        return F.normalize(torch.cat([whole[:, None], local], dim=1), dim=-1)

    def _logits(self, regions: Tensor, run) -> Tensor:
        positive, negative = (F.normalize(self.encoder(c), dim=-1) for c in self.contexts)
        return two_way_logits(regions, positive, negative, run.clip.logit_scale)
