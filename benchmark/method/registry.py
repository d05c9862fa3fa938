"""Names, versions and hyperparameters of all methods, kept until one of their sources changes.

Method files import torch, which takes seconds; `--status` and a run with nothing to do need
only names, versions and defaults.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from benchmark.common import environment, files, identity, processes
from benchmark.common.errors import InputError
from benchmark.method import declaration, discovery, search_space
from benchmark.method.base import Method
from benchmark.method.search_space import SearchSpace


@dataclass(frozen=True)
class MethodInfo:
    """What a unit must know of a method before one is made, and what --list says of it."""

    name: str
    version: int
    deterministic: bool
    defaults: Mapping[str, Any]  # hyperparameters
    summary: str = ""  # the first line of its docstring
    file: str = ""
    title: str = ""  # its name in tables and figures
    search_space: SearchSpace = field(default_factory=dict)  # as declared: see `checked`
    foreign: bool = False  # of a plugin file or an installed package

    def __post_init__(self) -> None:  # JSON knows no tuples; as hyperparameters there are no lists
        defaults = {k: tuple(v) if isinstance(v, list) else v for k, v in self.defaults.items()}
        object.__setattr__(self, "defaults", defaults)
        object.__setattr__(self, "search_space", search_space.from_plain(self.search_space))


def methods(plugins: Sequence[Path] = ()) -> dict[str, MethodInfo]:
    """Each method there is, by name; InputError as `discovery.discover`.

    Plugin files and installed packages are always imported, as what they depend on is not known,
    and in a process of their own, as is what they do.
    """
    if plugins or entry_points(group=discovery.ENTRY_POINTS):
        try:
            return processes.apart(_ask, plugins)
        except processes.Died as death:
            named = ", ".join(map(str, plugins)) or "an installed package"
            raise InputError(f"{named}: does not import: {death}; mend the file") from None
    stored = environment.cache() / "methods" / f"{_sources()}.json"
    with contextlib.suppress(OSError, ValueError):
        return {name: MethodInfo(**kept) for name, kept in _kept(stored).items()}
    found = _ask(plugins)
    text = json.dumps({name: dataclasses.asdict(one) for name, one in found.items()})
    with contextlib.suppress(OSError), files.atomic(stored, read_only=True) as temporary:
        temporary.write_text(f"{_digest(text)}\n{text}", encoding="utf-8")
    return found


def _kept(stored: Path) -> dict[str, dict[str, Any]]:
    """What the file says; OSError or ValueError if it is not what was written there."""
    digest, _, text = stored.read_text(encoding="utf-8").partition("\n")
    if digest != _digest(text):
        raise ValueError(f"{stored}: damaged")
    return json.loads(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _ask(plugins: Sequence[Path]) -> dict[str, MethodInfo]:
    return {name: info(name, cls) for name, cls in discovery.discover(list(plugins)).items()}


def info(name: str, cls: type[Method]) -> MethodInfo:
    """What the class says of itself; InputError for what is none of the kind, see declaration."""
    file = inspect.getfile(cls)
    for fault, remedy in declaration.faults(cls):
        raise InputError(f"{file}: {cls.__name__}: {fault}; {remedy}")
    defaults = recordable(cls)
    summary = str(cls.__doc__ or "").strip().partition("\n")[0]
    title = cls.title or name
    about = (cls.version, cls.deterministic, defaults, summary, file, title)
    return MethodInfo(name, *about, cls.search_space, not discovery.is_shipped(cls))


def recordable(cls: type[Method]) -> dict[str, Any]:
    """The class's hyperparameters and their defaults; InputError for one that no record holds."""
    defaults = discovery.hyperparameters(cls)
    for name, default in defaults.items():
        where = f"{inspect.getfile(cls)}: {cls.__name__}.__init__: a default: {name}"
        if not declaration.is_plain(default):
            kinds = "a number, a text, a bool, None or a tuple of them"
            raise InputError(f"{where} is a {type(default).__name__}; give it {kinds}")
        try:
            identity.canonical(default)
        except ValueError as error:
            raise InputError(f"{where}: {error}") from None
    return defaults


def _sources() -> str:
    """One digest of everything that shipped methods are made of, and of where it lies."""
    digest = hashlib.sha256(f"{environment.ROOT} {sys.version}".encode())
    for folder in ("baselines", "hpdval", "benchmark"):
        for path in sorted((environment.ROOT / folder).rglob("*.py")):
            digest.update(f"\n{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:24]
