"""Search spaces: which values of a method's hyperparameters `python -m benchmark tune` may try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SETTINGS = ("", "long-tailed", "few-shot")


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included; whole ones if both bounds are ints.

    log      uniform in the logarithm, as learning rates are searched
    setting  "long-tailed" or "few-shot" where only those tasks know the hyperparameter; "" for both
    ValueError if there is nothing between the bounds, for a logarithm of 0 or less, and for an
    unknown setting.
    """

    low: float
    high: float
    log: bool = False
    setting: str = ""

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"Range({self.low}, {self.high}): the first must be below the second")
        if self.log and not self.low > 0:
            raise ValueError(f"Range({self.low}, {self.high}, log=True): {self.low} has no log")
        _check_setting(self.setting)


@dataclass(frozen=True)
class Choice:
    """One of some values, each of the hyperparameter's type; `setting` as in `Range`.

    ValueError if there is no value, and for an unknown setting.
    """

    values: tuple[Any, ...]
    setting: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple) or not self.values:
            raise ValueError(f"Choice({self.values!r}): give a tuple of one value or more")
        _check_setting(self.setting)


SearchSpace = Mapping[str, Range | Choice]  # hyperparameter -> what may be tried


def _check_setting(setting: str) -> None:
    if setting not in SETTINGS:
        raise ValueError(f"setting '{setting}': must be one of {', '.join(map(repr, SETTINGS))}")
