"""LM-CLIP's balanced asymmetric loss: scores against the largest one of their batch."""

from __future__ import annotations

import torch
from torch import Tensor


class BalancedAsymmetric:
    """BalancedAsymmetricLossOptimized of `damilab/lm-clip` on scores (N, C), mean over both.

    With x = score / max of ALL N x C scores, through which the gradient passes, p = sigmoid(x),
    q = min(1 - p + clip, 1), smoothed positives t = (1 - a) y + a / C and negatives n = 1 - y,

        -[(1 + w_c) t log p + n log q] (1 - p t - q n)^(gamma_pos t + gamma_neg n)

    where the focusing factor passes a gradient too, and logarithms end at that of 1e-8.

    counts     training images of each class (C,) among `total`
    power      s in w_c = (total / n_c)^s over its maximum, 1 for the rarest class; 0: no weights.
               A class without an image counts as having one
    smoothing  a
    The loss of an image depends on the others of its batch. ValueError where it has no number: if
    no score of the batch is above 0; or if a score is so far below it, about -2.9 times the
    largest, that a negative number is raised to a power that is no whole number.
    """

    relative = True  # to the batch's largest score: an offset that is common to all is no offset

    def __init__(
        self,
        counts: Tensor,
        total: int,
        gamma_neg: float = 9.8,
        gamma_pos: float = 0.0,
        clip: float = 0.05,
        smoothing: float = 0.1,
        power: float = 0.0,
    ) -> None:
        self.gamma_neg, self.gamma_pos, self.clip = gamma_neg, gamma_pos, clip
        self.smoothing = smoothing
        self.weight = 1 + class_weights(counts, total, power).to(counts.dtype) if power else 1.0

    def __call__(self, scores: Tensor, labels: Tensor) -> Tensor:
        """A scalar, of scores and labels (N, C)."""
        return self.elements(scores, labels).mean()

    def elements(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The loss of each element (N, C)."""
        x = scores / scores.max()
        p = torch.sigmoid(x)
        negative = (1 - p + self.clip).clamp(max=1)
        wanted = (1 - self.smoothing) * labels + self.smoothing / labels.shape[1]
        unwanted = 1 - labels
        likely = self.weight * wanted * p.clamp(min=1e-8).log()
        unlikely = unwanted * negative.clamp(min=1e-8).log()
        focus = self.gamma_pos * wanted + self.gamma_neg * unwanted
        loss = -(likely + unlikely) * (1 - p * wanted - negative * unwanted) ** focus
        if not (torch.isfinite(loss).all() and scores.max() > 0):
            raise ValueError(f"loss bal: {_reason(scores.detach())}")
        return loss


def _reason(scores: Tensor) -> str:
    """Why the loss of these has no number, and what to do."""
    largest = float(scores.max())
    if not torch.isfinite(scores).all():
        return "a score is not finite; take a lower rate"
    if largest <= 0:
        return (
            "no score of a batch is above 0, and it divides by the largest; begin with CLIP's own"
        )
    ratio = float(scores.min()) / largest
    return f"a score is {ratio:.1f} times its batch's largest; take a lower rate, or smoothing 0"


def class_weights(counts: Tensor, total: int, power: float) -> Tensor:
    """(total / n_c)^power over its maximum (C,), float64: 1 for the rarest class."""
    weights = (total / counts.double().clamp(min=1)) ** power
    return weights / weights.max()
