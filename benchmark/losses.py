"""Multi-label losses: asymmetric, two-way asymmetric, and the distribution-balanced family."""

from __future__ import annotations

import torch
import torch.nn.functional as F
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


class DistributionBalanced:
    """Distribution-balanced loss (Wu et al., ECCV 2020) and HP-DVAL's DB* of it.

    Takes logits s (N, C) and labels (N, C); returns the mean over both.
    1. v_i = -log(N / n_i - 1) * kappa / lambda is added to the logits (eq. 13).
    2. negative logits are multiplied, their loss divided, by lambda = `neg_scale`.
    3. r = shift + sigmoid(beta (p - mu)) weights each element, with p = (1 / n_i) over the sum of
       1 / n_j of the image's positives (eq. 11, 12).
    4. focal factor (1 - p_t)^gamma times `balance`.
    DB* also scales positive logits: `positive="frequency"` by w_i = n_i / max_j n_j (HP-DVAL's
    eq. 14, 15); a number by that number (the released code's pos_scale); 1.0 is plain DB.
    `focal_on="batch"` is the released code's helper: the cross entropies are averaged first, and
    the focal factor then acts on the mean.
    """

    def __init__(
        self,
        class_counts: Tensor,
        num_images: int,
        *,
        mu: float,
        neg_scale: float,
        shift: float = 0.1,
        beta: float = 10.0,
        kappa: float = 0.05,
        gamma: float = 2.0,
        balance: float = 2.0,
        positive: str | float = 1.0,
        focal_on: str = "element",
    ) -> None:
        counts = class_counts.float().clamp(min=1)
        self.inverse = 1 / counts
        # A class that every image has would get an infinite bias: count it once less.
        odds = num_images / counts.clamp(max=max(1.0, num_images - 1)) - 1
        self.bias = -odds.clamp(min=1e-6).log() * kappa / neg_scale
        self.mu, self.beta, self.shift, self.neg_scale = mu, beta, shift, neg_scale
        self.gamma, self.balance, self.focal_on = gamma, balance, focal_on
        frequency = positive == "frequency"
        self.positive = counts / counts.max() if frequency else torch.full_like(counts, positive)

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        weight = self._rebalance(labels)
        x = logits + self.bias.to(logits.device)
        x = x * (labels * self.positive.to(x.device) + (1 - labels) * self.neg_scale)
        weight = weight * (labels + (1 - labels) / self.neg_scale)
        plain = F.binary_cross_entropy_with_logits(x, labels, reduction="none")
        if self.focal_on == "batch":
            focal = (1 - torch.exp(-plain.mean())) ** self.gamma
            return self.balance * focal * (plain * weight).mean()
        focal = (1 - torch.exp(-plain)) ** self.gamma
        return self.balance * (focal * plain * weight).mean()

    def _rebalance(self, labels: Tensor) -> Tensor:
        inverse = self.inverse.to(labels.device)
        total = (labels * inverse).sum(1, keepdim=True).clamp(min=1e-12)
        return self.shift + torch.sigmoid(self.beta * (inverse / total - self.mu))


# The DB authors' constants per dataset (configs/{coco,voc}/LT_resnet50_pfc_DB.py).
DB_CONSTANTS = {"coco": {"mu": 0.2, "neg_scale": 2.0}, "voc": {"mu": 0.3, "neg_scale": 5.0}}


def make(name: str, labels: Tensor, dataset: str, **options):
    """A loss by name on training labels (N, C): "bce", "asl", "db" or "db*"; f(logits, labels)."""
    if name == "bce":
        return F.binary_cross_entropy_with_logits
    if name == "asl":
        return asymmetric
    if name in ("db", "db*"):
        options.setdefault("positive", "frequency" if name == "db*" else 1.0)
        constants = DB_CONSTANTS[dataset]
        return DistributionBalanced(labels.sum(0), len(labels), **constants, **options)
    raise ValueError(f"loss: unknown '{name}'; known: bce, asl, db, db*")
