"""What a class says of itself, and which values its hyperparameters take: checked before a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.common import strict_yaml
from benchmark.common.errors import InputError
from benchmark.common.text import NAME_RULE, is_name
from benchmark.method.base import Method
from benchmark.method.search_space import Range

KINDS = ("logits", "probabilities", "raw")  # of scores


def faults(cls: type[Method]) -> Iterator[tuple[str, str]]:
    """What is wrong with name, title, version, scores and deterministic, and how to mend it."""
    if not is_name(cls.name):
        yield f"name is {cls.name!r}", f"a name {NAME_RULE}: it becomes a file name"
    if not isinstance(cls.title, str) or not cls.title.isprintable():
        yield (
            f"title is {cls.title!r}",
            "a printable text: tables and figures call the method by it",
        )
    if isinstance(cls.version, bool) or not isinstance(cls.version, int) or cls.version < 1:
        yield f"version is {cls.version!r}", "a whole number from 1 on, raised when results change"
    if cls.scores not in KINDS:
        yield f"scores is {cls.scores!r}", f"one of {', '.join(map(repr, KINDS))}"
    if not isinstance(cls.deterministic, bool):
        yield f"deterministic is {cls.deterministic!r}", "True or False"


def is_plain(value: Any) -> bool:
    """Whether a record can hold the value: a number, a text, a bool, None or a tuple of them."""
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def value(given: Any, name: str, default: Any, space: Any, where: str) -> Any:
    """A value for a hyperparameter, of its default's type; InputError, which begins with `where`.

    Most numbers are counts, rates and weights, so below 0 is refused where the default is above 0,
    is a whole number from 0 on, or is a learning rate; unless the search space goes there.
    """
    found = strict_yaml.like(given, default, where)
    number = type(default) in (int, float) and type(found) in (int, float)
    if number and found < 0 and _is_amount(name, default) and not _goes_below_zero(space, name):
        remedy = "if it may be, let the method's search_space have a value below 0"
        raise InputError(f"{where}: {found!r} is below 0, which {name} cannot be; {remedy}")
    return found


def _is_amount(name: str, default: int | float) -> bool:
    rate = "lr" in name.split("_")
    return default > 0 or (default == 0 and (isinstance(default, int) or rate))


def _goes_below_zero(space: Any, name: str) -> bool:
    of = space.get(name) if isinstance(space, Mapping) else None
    values = (of.low,) if isinstance(of, Range) else getattr(of, "values", ())
    return any(type(value) in (int, float) and value < 0 for value in values)
