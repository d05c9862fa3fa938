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
        if of.setting not in ("", *SETTINGS):
            raise InputError(f"{at}: {errors.unknown('setting', str(of.setting), SETTINGS)}")
        (_check_range if isinstance(of, Range) else _check_choice)(of, defaults[name], at)
    return dict(space)


def _check_range(of: Range, default: Any, where: str) -> None:
    low, high = (strict_yaml.typed(bound, float, where) for bound in (of.low, of.high))
    if isinstance(default, bool) or (default is not None and not isinstance(default, (int, float))):
        raise InputError(f"{where}: {default!r} is no number; give a Choice")
    if isinstance(default, int):
        low, high = (strict_yaml.typed(bound, int, where) for bound in (of.low, of.high))
    if low >= high or (of.log and low <= 0):
        above = " and above 0, for log" if of.log else ""
        raise InputError(f"{where}: low must be below high{above}, not {of.low} and {of.high}")


def _check_choice(of: Choice, default: Any, where: str) -> None:
    values = list(of.values)
    if not values or any(value in values[:n] for n, value in enumerate(values)):
        raise InputError(f"{where}: a Choice has at least one value, and none twice")
    for value in values:
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
