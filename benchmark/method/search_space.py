"""Search spaces: which values of a method's hyperparameters `python -m benchmark tune` may try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.common import errors, identity
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
    """The space that a class declares; InputError, which `where` begins, for one with a fault.

    defaults   of the class's hyperparameters
    """
    for fault, remedy in faults(space, defaults):
        raise InputError(f"{where}: {fault}; {remedy}")
    return dict(space)


def faults(space: Any, defaults: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with a space, entry by entry, and how to mend it.

    Names are hyperparameters; values are of their defaults' types to the letter, as 1 and 1.0 make
    two records; beside a default of None any that a record can hold.
    """
    if not isinstance(space, Mapping):
        remedy = 'write {"lr": Range(1e-4, 0.1, log=True)}, of benchmark.method.search_space'
        yield f"search_space is {space!r}", remedy
        return
    for name, of in space.items():
        if name not in defaults:
            fault = str(errors.unknown("hyperparameter in search_space", str(name), defaults))
            yield fault, "name a keyword of __init__, or add it there"
        elif not isinstance(of, (Range, Choice)):
            yield f"search_space of {name} is {of!r}", "write Range(low, high) or Choice((a, b))"
        else:
            yield from _misfits(name, of, defaults[name])


def _misfits(name: str, of: Range | Choice, default: Any) -> Iterator[tuple[str, str]]:
    if isinstance(of, Range) and not (default is None or type(default) in (int, float)):
        fault = f"search_space of {name} is a Range, and its default {default!r} no number"
        yield fault, "list what may be tried: Choice((a, b))"
        return
    for value in of.values if isinstance(of, Choice) else (of.low, of.high):
        kind, wanted = type(value).__name__, type(default).__name__
        has = f"search_space of {name} has {value!r}"
        if default is not None and kind != wanted:
            fault = f"{has}, of type {kind}; its default {default!r} is of type {wanted}"
            yield fault, "write all values as the default is written: 1.0 is a float, 1 is not"
            continue
        try:
            identity.canonical(value)
        except (TypeError, ValueError):
            yield f"{has}, which no record can hold", "a number, a text, a bool, None or a tuple"


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
