"""The focal loss (Lin et al., ICCV 2017) and its class-balanced form (Cui et al., CVPR 2019)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.common.errors import InputError, unknown

WEIGHTED_BY = ("image", "class")


def focal(logits: Tensor, labels: Tensor, gamma: float = 2.0) -> Tensor:
    """(1 - p_t)^gamma -log p_t of sigmoid logits (N, C), mean over both (Lin et al., eq. 4).

    Without the factor alpha_t of their eq. 5, as Cui et al. take it: there alpha_t is the class's.
    They divide a detector's sum by its number of objects; here it is the mean over all elements,
    as in the other losses of the long-tailed comparison.
    """
    return _focal(logits, labels, gamma).mean()


def _focal(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Element-wise (N, C); the focal factor passes a gradient."""
    entropy = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return (1 - torch.exp(-entropy)) ** gamma * entropy


def class_balanced_weights(counts: Tensor, beta: float) -> Tensor:
    """(1 - beta) / (1 - beta^n_i) (C,), scaled to sum to C: one over the effective number.

    Cui et al., CVPR 2019. A class without an image counts as having one. The weights are computed
    in float64, as beta^n_i is close to 1, and have the type of `counts`.
    """
    effective = 1 - beta ** counts.double().clamp(min=1)
    weights = (1 - beta) / effective
    return (weights * (len(counts) / weights.sum())).to(counts.dtype)


class ClassBalancedFocal:
    """Class-balanced focal loss on sigmoid logits (N, C), mean over both (Cui et al., CVPR 2019).

    The authors weight all C terms of an image by the weight of its class. An image with several
    labels gets the mean of its positives' weights (by "image", as the DB authors' ResampleLoss does
    unless told otherwise), 1 if it has none; by "class" weights the column of each class by its
    own weight, as LMPT's comparison of losses does. `class_counts` (C,) are those of training.
    InputError for a beta outside [0, 1) or an unknown `by`.
    """

    def __init__(
        self,
        class_counts: Tensor,
        *,
        beta: float = 0.9999,
        gamma: float = 2.0,
        by: str = "image",
    ) -> None:
        if not 0 <= beta < 1:
            raise InputError(f"cb-focal: beta {beta} must be at least 0 and below 1")
        if by not in WEIGHTED_BY:
            raise unknown("weighting of cb-focal", by, WEIGHTED_BY)
        counts = class_counts if class_counts.is_floating_point() else class_counts.float()
        self.weights = class_balanced_weights(counts, beta)
        self.gamma, self.by = gamma, by

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        weight = self.weights.to(logits.device)
        if self.by == "image":
            positives = labels.sum(1, keepdim=True)
            mean = (labels * weight).sum(1, keepdim=True) / positives.clamp(min=1)
            weight = torch.where(positives > 0, mean, torch.ones_like(mean))
        return (weight * _focal(logits, labels, self.gamma)).mean()
