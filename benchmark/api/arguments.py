"""What a call is given, in the form that the rest takes; InputError for what cannot be meant."""

from __future__ import annotations

import inspect
import operator
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.common.text import shortened

if TYPE_CHECKING:
    from benchmark.method.base import Method

    Names = str | Sequence[str] | None
    Methods = str | type[Method] | Sequence[str | type[Method]] | None
    PathLike = str | os.PathLike[str]

MOST = 10**18  # whole numbers below it fit 64 bits


def maybe(read: Callable[[Any, str], Any], value: Any, flag: str) -> Any:
    """What is read of the value; None where none is given."""
    return None if value is None else read(value, flag)


def text(value: Any, flag: str) -> str:
    """A text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{flag}: {_shown(value)} is not a name; give one or leave it out")
    return value


def names(given: Names, flag: str) -> tuple[str, ...] | None:
    """Names, each once; of a text those that its commas separate. None: no choice is made."""
    if given is None:
        return None
    parts = given.split(",") if isinstance(given, str) else listed(given, flag)
    return _filled([text(name, flag).strip() for name in parts], flag)


def methods(
    given: Methods, plugins: tuple[Path, ...]
) -> tuple[tuple[str, ...] | None, tuple[Path, ...]]:
    """Names of methods, and the plugin files, with those added that classes among them are from."""
    if given is None or isinstance(given, str):
        return names(given, "--methods"), plugins
    parts = [given] if isinstance(given, type) else listed(given, "--methods")
    files = [_source(method) for method in parts if isinstance(method, type)]
    called = [_name(one) if isinstance(one, type) else one for one in parts]
    added = (path for path in files if path is not None)
    return names(called, "--methods"), tuple(dict.fromkeys((*plugins, *added)))


def _name(cls: type[Method]) -> str:
    name = getattr(cls, "name", None)
    if not isinstance(name, str):
        raise InputError(f"--methods: {cls.__name__}: 'name' is missing; give the class one")
    return name


def _source(cls: type[Method]) -> Path | None:
    """The file that a process can import the class from; None for a shipped method."""
    from benchmark.method import discovery

    if discovery.is_shipped(cls):
        return None
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file is None or cls.__module__ == "__main__":
        where = "a notebook or the script that calls, which no process can import"
        remedy = "put it into a file of its own and name that in plugins"
        raise InputError(f"--methods: {cls.__name__} is defined in {where}; {remedy}")
    return Path(inspect.getfile(cls)).resolve()


def numbers(given: int | Iterable[int] | None, flag: str) -> tuple[int, ...] | None:
    """Whole numbers from 0 on, each once; None: no choice is made."""
    if given is None:
        return None
    parts = [given] if hasattr(given, "__index__") else listed(given, flag)
    return _filled([number(value, flag, 0) for value in parts], flag)


def number(value: Any, flag: str, least: int = 1) -> int:
    """A whole number of at least so much."""
    try:
        found = operator.index(value)
    except TypeError:
        found = -1
    if not least <= found < MOST:
        raise InputError(f"{flag} {_shown(value)}: must be a whole number, {least} or more")
    return found


def seconds(value: Any, flag: str) -> float:
    """A number of seconds."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{flag} {_shown(value)}: must be a number of seconds") from None


def path(value: PathLike, flag: str) -> Path:
    """A path with its ~ replaced."""
    if not isinstance(value, str | os.PathLike):
        raise InputError(f"{flag}: {_shown(value)} is no path; give one")
    return environment.expanded(os.fsdecode(value), flag)


def paths(given: PathLike | Iterable[PathLike], flag: str) -> tuple[Path, ...]:
    """Paths from the root on, links followed."""
    parts = listed(given, flag)
    return tuple(environment.absolute(str(path(value, flag)), flag) for value in parts)


def listed(given: Any, flag: str) -> list[Any]:
    """The values of a list, or of anything like one; a path alone is a list of one."""
    if isinstance(given, str | os.PathLike):
        return [given]
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise InputError(f"{flag}: {_shown(given)} is no list; give one")
    return [*given]


def _filled(parts: Sequence[Any], flag: str) -> tuple[Any, ...]:
    """Each once; InputError where there are none: an empty choice is no choice, thus everything."""
    if not parts:
        raise InputError(f"{flag}: is empty; give a value or leave it out")
    return tuple(dict.fromkeys(parts))


def _shown(value: Any) -> str:
    return shortened(repr(value))
