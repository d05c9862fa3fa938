"""The check of a search space: its names are hyperparameters, its values of their types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.common import identity
from benchmark.common.errors import unknown
from benchmark.diagnostics.check.findings import Wrong
from benchmark.method import discovery
from benchmark.method.base import Method
from benchmark.method.search_space import Choice, Range


def search_space(cls: type[Method]) -> str | None:
    """What a tuning may try are hyperparameters, and values that could be their defaults."""
    space = cls.search_space
    if not isinstance(space, Mapping):
        remedy = 'write {"lr": Range(1e-4, 0.1, log=True)}, of benchmark.method.search_space'
        raise Wrong(f"search_space is {space!r}", remedy)
    defaults = discovery.hyperparameters(cls)
    found = [fault for name, tried in space.items() for fault in _faults(name, tried, defaults)]
    if found:
        raise Wrong(*found[0], *found[1:])
    return f"of {', '.join(space)}" if space else None


def _faults(name: str, tried: Any, defaults: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with one entry, and how to mend it."""
    if name not in defaults:
        remedy = "name a keyword of __init__, or add it there"
        yield str(unknown("hyperparameter in search_space", str(name), defaults)), remedy
    elif not isinstance(tried, (Range, Choice)):
        yield f"search_space of {name} is {tried!r}", "write Range(low, high) or Choice((a, b))"
    elif isinstance(tried, Range) and type(defaults[name]) not in (int, float):
        text = f"search_space of {name} is a Range, and its default {defaults[name]!r} no number"
        yield text, "list what may be tried: Choice((a, b))"
    else:
        values = tried.values if isinstance(tried, Choice) else (tried.low, tried.high)
        for value in values:
            yield from _misfit(f"search_space of {name} has {value!r}", value, defaults[name])


def _misfit(text: str, value: Any, default: Any) -> Iterator[tuple[str, str]]:
    """Why a value cannot stand in the default's place; None may have values of any type beside."""
    kind, wanted = type(value).__name__, type(default).__name__
    if default is not None and kind != wanted:
        yield (
            f"{text}, of type {kind}; its default {default!r} is of type {wanted}",
            ("write all values as the default is written: 1.0 is a float, 1 is not"),
        )
        return
    try:
        identity.canonical(value)
    except (TypeError, ValueError):
        yield f"{text}, which no record can hold", "a number, a text, a bool, None or a tuple"
