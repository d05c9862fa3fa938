"""The asymmetric loss (Ridnik et al., ICCV 2021) and DualCoOp's two-way form of it."""

from __future__ import annotations

import torch
from torch import Tensor


def asymmetric(
    logits: Tensor,
    labels: Tensor,
    gamma_neg: float = 4.0,
    gamma_pos: float = 0.0,
    clip: float = 0.05,
) -> Tensor:
    """Asymmetric loss on sigmoid logits (N, C), summed over classes, mean over images.

    Ridnik et al., ICCV 2021, eq. 7. Negatives below probability `clip` cost nothing.
    """
    return _asymmetric(torch.sigmoid(logits), labels, gamma_neg, gamma_pos, clip).sum(1).mean()


def two_way_asymmetric(
    logits: Tensor,
    labels: Tensor,
    gamma_neg: float = 2.0,
    gamma_pos: float = 1.0,
    clip: float = 0.05,
) -> Tensor:
    """DualCoOp's: the probability is a softmax over (negative, positive) logits (N, 2, C).

    Summed over classes, mean over images; the authors sum over both and scale by a constant.
    A positive below probability 1e-6, not 1e-8, gets no gradient: theirs is that floor.
    """
    positive = logits.softmax(dim=1)[:, 1]
    return _asymmetric(positive, labels, gamma_neg, gamma_pos, clip, 1e-6).sum(1).mean()


def _asymmetric(p: Tensor, labels: Tensor, gamma_neg, gamma_pos, clip, floor=1e-8) -> Tensor:
    """Element-wise loss (N, C) of probabilities; the focusing weight passes no gradient."""
    negative = (1 - p + clip).clamp(max=1)
    likelihood = labels * p + (1 - labels) * negative
    loss = -likelihood.clamp(min=floor).log()
    gamma = gamma_pos * labels + gamma_neg * (1 - labels)
    with torch.no_grad():
        weight = (1 - likelihood) ** gamma
    return loss * weight
