"""Multi-label losses by name; each takes logits and labels (N, C) and returns a scalar."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.common.errors import unknown
from benchmark.method.losses.asymmetric import asymmetric, two_way_asymmetric
from benchmark.method.losses.balanced import DB_CONSTANTS, DistributionBalanced
from benchmark.method.losses.balanced_asymmetric import BalancedAsymmetric
from benchmark.method.losses.focal import ClassBalancedFocal, focal
from benchmark.method.losses.softmax import multilabel_softmax

__all__ = [
    "DB_CONSTANTS",
    "NAMES",
    "BalancedAsymmetric",
    "ClassBalancedFocal",
    "DistributionBalanced",
    "asymmetric",
    "best_offset",
    "focal",
    "make",
    "make_mean",
    "multilabel_softmax",
    "two_way_asymmetric",
]

Loss = Callable[[Tensor, Tensor], Tensor]
_LOSSES: dict[str, Callable] = {  # the classes know the training set's class counts
    "bce": F.binary_cross_entropy_with_logits,
    "mls": multilabel_softmax,
    "focal": focal,
    "asl": asymmetric,
    "bal": BalancedAsymmetric,
    "cb-focal": ClassBalancedFocal,
    "db": DistributionBalanced,
    "db*": DistributionBalanced,
}
NAMES = tuple(_LOSSES)


def make(name: str, labels: Tensor, dataset: str, **options: Any) -> Loss:
    """A loss by its name in the tables, for training labels (N, C); f(logits, labels) -> scalar.

    name      bce, mls (multi-label softmax), focal, cb-focal, asl, bal (LM-CLIP's), db (DB focal)
              or db*
    dataset   "coco" or "voc": whose constants the db losses take
    options   of the loss: its keyword arguments, such as gamma_neg of asl
    Mean over images; over classes the sum (asl), the mean (bce, focal, cb-focal, bal, db,
    db*), or one softmax (mls). InputError for an unknown name, data set or option.
    """
    if name not in NAMES:
        raise unknown("loss", name, NAMES)
    loss = _LOSSES[name]
    if loss is DistributionBalanced and dataset not in DB_CONSTANTS:
        raise unknown(f"data set for the constants of {name}", dataset, DB_CONSTANTS)
    parameters = inspect.signature(loss).parameters.values() if name != "bce" else ()
    known = [p.name for p in parameters if p.default is not p.empty or p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise unknown(f"option of the loss {name}", option, known)
    if loss is ClassBalancedFocal:
        return loss(labels.sum(0), **options)
    if loss is BalancedAsymmetric:
        return loss(labels.sum(0), len(labels), **options)
    if loss is DistributionBalanced:
        start = {"positive": "frequency" if name == "db*" else 1.0, **DB_CONSTANTS[dataset]}
        return loss(labels.sum(0), len(labels), **(start | options))
    return partial(loss, **options) if options else loss


def make_mean(name: str, labels: Tensor, dataset: str, **options: Any) -> Loss:
    """As `make`, but asl is the mean over classes too, as LM-CLIP and CPRFL have it."""
    loss, classes = make(name, labels, dataset, **options), labels.shape[1]
    return (lambda logits, wanted: loss(logits, wanted) / classes) if name == "asl" else loss


def best_offset(logits: Tensor, labels: Tensor, loss: Loss, steps: int = 200) -> Tensor:
    """The offset (C,) that minimises loss(logits + offset, labels) for fixed logits (N, C).

    For scores whose level says nothing, such as CLIP's cosines, before a loss that reads a level.
    It is where the gradient vanishes: of asl, whose focusing weight passes none, that is where
    training would leave it and not where the loss has its least value.
    200 steps of Adam at 0.1 from the offset that takes the mean logit to zero. Zero for a loss that
    is relative to its batch's scores, as bal.
    """
    if getattr(loss, "relative", False):
        return torch.zeros_like(logits[0])
    offset = nn.Parameter(-logits.mean(dim=0))
    optimiser = torch.optim.Adam([offset], lr=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(logits + offset, labels).backward()
        optimiser.step()
    return offset.detach()
