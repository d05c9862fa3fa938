"""Search spaces: which values of a method's hyperparameters `python -m benchmark tune` may try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included; whole ones if both bounds are ints.

    log      uniform in the logarithm, as learning rates are searched
    setting  "long-tailed" or "few-shot" where only those tasks know the hyperparameter; "" for both
    """

    low: float
    high: float
    log: bool = False
    setting: str = ""


@dataclass(frozen=True)
class Choice:
    """One of some values, each of the hyperparameter's type; `setting` as in `Range`."""

    values: tuple[Any, ...]
    setting: str = ""


SearchSpace = Mapping[str, Range | Choice]  # hyperparameter -> what may be tried
