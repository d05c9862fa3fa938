"""Search spaces: which values of a method's hyperparameters `python -m benchmark tune` may try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.common import errors, strict_yaml
from benchmark.common.errors import InputError

SETTINGS = ("long-tailed", "few-shot")


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

    ValueError if there is no value or one twice, and for an unknown setting.
    """

    values: tuple[Any, ...]
    setting: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple) or not self.values:
            raise ValueError(f"Choice({self.values!r}): give a tuple of one value or more")
        if any(value in self.values[:n] for n, value in enumerate(self.values)):
            raise ValueError(f"Choice({self.values!r}): gives a value twice")
        _check_setting(self.setting)


SearchSpace = Mapping[str, Range | Choice]  # hyperparameter -> what may be tried


def _check_setting(setting: str) -> None:
    if setting not in ("", *SETTINGS):
        known = ", ".join(map(repr, ("", *SETTINGS)))
        raise ValueError(f"setting {setting!r}: must be one of {known}")


def checked(space: Any, defaults: Mapping[str, Any], where: str) -> dict[str, Range | Choice]:
    """The space that a class declares; InputError, which `where` begins, for one that cannot be.

    defaults   of the class's hyperparameters, whose types the values must have
    """
    if not isinstance(space, Mapping):
        raise InputError(f"{where}: write a dict, hyperparameter: Range(...) or Choice(...)")
    for name, of in space.items():
        at = f"{where}: {name}"
        if name not in defaults:
            raise InputError(f"{where}: {errors.unknown('hyperparameter', str(name), defaults)}")
        if not isinstance(of, (Range, Choice)):
            raise InputError(f"{at}: {of!r} is neither a Range nor a Choice")
        (_check_range if isinstance(of, Range) else _check_choice)(of, defaults[name], at)
    return dict(space)


def _check_range(of: Range, default: Any, where: str) -> None:
    if isinstance(default, bool) or (default is not None and not isinstance(default, (int, float))):
        raise InputError(f"{where}: {default!r} is no number; give a Choice")
    for bound in (of.low, of.high):
        strict_yaml.typed(bound, int if isinstance(default, int) else float, where)


def _check_choice(of: Choice, default: Any, where: str) -> None:
    for value in of.values:
        strict_yaml.like(list(value) if isinstance(value, tuple) else value, default, where)


def in_setting(space: SearchSpace, setting: str) -> dict[str, Range | Choice]:
    """The part of the space that may be tried on tasks of a setting."""
    return {name: of for name, of in space.items() if of.setting in ("", setting)}


def from_plain(space: Any) -> Any:
    """The space again of whose Ranges and Choices JSON kept the fields; any other as it is."""
    if not isinstance(space, Mapping):
        return space
    return {name: _again(of) if isinstance(of, Mapping) else of for name, of in space.items()}


def _again(fields: Mapping[str, Any]) -> Range | Choice:
    if "values" not in fields:
        return Range(**fields)
    values = (tuple(value) if isinstance(value, list) else value for value in fields["values"])
    return Choice(tuple(values), fields["setting"])
