"""The distribution-balanced loss (Wu et al., ECCV 2020) and HP-DVAL's DB* (eq. 11 to 15)."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.common.errors import InputError, unknown

# The DB authors' constants per dataset (configs/{coco,voc}/LT_resnet50_pfc_DB.py).
DB_CONSTANTS = {"coco": {"mu": 0.2, "neg_scale": 2.0}, "voc": {"mu": 0.3, "neg_scale": 5.0}}
FOCAL_ON = ("element", "batch")


def class_bias(counts: Tensor, num_images: int, kappa: float, neg_scale: float) -> Tensor:
    """-v_i = -log(N / n_i - 1) kappa / lambda (C,): DB's class bias, part of eq. 11 to 13.

    Classes are to start at the log-odds of their frequency; it is added to the logits.
    """
    # A class that every image has would get an infinite bias: count it once less.
    odds = num_images / counts.clamp(max=max(1.0, num_images - 1)) - 1
    return -odds.clamp(min=1e-6).log() * kappa / neg_scale


def rebalancing(
    labels: Tensor, inverse: Tensor, mu: float, shift: float = 0.1, beta: float = 10.0
) -> Tensor:
    """r = shift + sigmoid(beta (p - mu)), the weight (N, C) of each element, part of eq. 11 to 13.

    p is 1 / n_i over the sum of 1 / n_j of the image's positives j: how often class i should be
    drawn over how often this image is. `inverse` (C,) holds 1 / n_i, `labels` are (N, C).
    """
    total = (labels * inverse).sum(1, keepdim=True).clamp(min=1e-12)
    return shift + torch.sigmoid(beta * (inverse / total - mu))


def positive_factors(counts: Tensor, positive: str | float) -> Tensor:
    """The factor (C,) on positive logits, 1 in plain DB.

    "frequency" is DB*'s w_i = (n_i / n) / max_j (n_j / n), eq. 14 and 15; a number is the scalar
    `pos_scale` of HP-DVAL's released code, 5 for COCO and 10 for VOC. InputError for other text.
    """
    if positive == "frequency":
        return counts / counts.max()
    if isinstance(positive, str):
        raise InputError(f"positive: '{positive}' must be \"frequency\" or a number, such as 5.0")
    return torch.full_like(counts, positive)


@dataclass(eq=False)
class DistributionBalanced:
    """Distribution-balanced loss (Wu et al., ECCV 2020) and HP-DVAL's DB* of it.

    Takes logits s (N, C) and labels (N, C); returns the mean over both. HP-DVAL writes it as eq. 11
    to 13, and DB*'s factor as eq. 14 and 15.
    1. `class_bias` is added to the logits.
    2. negative logits are multiplied, their loss divided, by lambda = `neg_scale`.
    3. `rebalancing` weights each element.
    4. focal factor (1 - p_t)^gamma times `balance`.
    DB* also scales positive logits, log(1 + exp(-w_i (s_i - v_i))), by `positive_factors`.
    `focal_on="batch"` is the released code's helper: the cross entropies are averaged first, and
    the focal factor then acts on the mean. The constants have the precision of `class_counts`
    (C,), float32 for whole numbers. InputError for an unknown `positive` or `focal_on`.
    """

    class_counts: Tensor
    num_images: int
    _: KW_ONLY
    mu: float
    neg_scale: float
    shift: float = 0.1
    beta: float = 10.0
    kappa: float = 0.05
    gamma: float = 2.0
    balance: float = 2.0
    positive: str | float = 1.0
    focal_on: str = "element"

    def __post_init__(self) -> None:
        if self.focal_on not in FOCAL_ON:
            raise unknown("focal_on", self.focal_on, FOCAL_ON)
        counts = self.class_counts
        counts = (counts if counts.is_floating_point() else counts.float()).clamp(min=1)
        self.inverse = 1 / counts
        self.bias = class_bias(counts, self.num_images, self.kappa, self.neg_scale)
        self.factors = positive_factors(counts, self.positive)

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        inverse = self.inverse.to(labels.device)
        weight = rebalancing(labels, inverse, self.mu, self.shift, self.beta)
        x = logits + self.bias.to(logits.device)
        x = x * (labels * self.factors.to(x.device) + (1 - labels) * self.neg_scale)
        weight = weight * (labels + (1 - labels) / self.neg_scale)
        plain = F.binary_cross_entropy_with_logits(x, labels, reduction="none")
        if self.focal_on == "batch":
            focal = (1 - torch.exp(-plain.mean())) ** self.gamma
            return self.balance * focal * (plain * weight).mean()
        focal = (1 - torch.exp(-plain)) ** self.gamma
        return self.balance * (focal * plain * weight).mean()
