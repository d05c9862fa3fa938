"""What the methods say of themselves, without importing them again while no source file changes.

Method files import torch, which takes seconds; `--status` and a run with nothing to do need
only names, versions and defaults.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import inspect
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from benchmark import discovery, records, units
from benchmark.errors import InputError
from benchmark.facts import MethodFacts
from benchmark.method import Method

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Card(MethodFacts):
    """A method's facts, the first line of its docstring and the file that it is in."""

    summary: str = ""
    file: str = ""


def cache() -> Path:
    """$CIMLIC_CACHE or ~/.cache/cimlic: rendered images, features, base states, method cards."""
    return Path(os.environ.get("CIMLIC_CACHE") or "~/.cache/cimlic").expanduser().resolve()


def cards(plugins: Sequence[Path] = ()) -> dict[str, Card]:
    """A card for each method there is, by name; InputError as `discovery.discover`.

    Plugin files and installed packages are always imported: what they depend on is not known.
    """
    if plugins or entry_points(group=discovery.ENTRY_POINTS):
        return _ask(plugins)
    stored = cache() / "methods" / f"{_sources()}.json"
    try:
        found = {name: Card(**card) for name, card in json.loads(stored.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        found = _ask(plugins)
        text = json.dumps({name: dataclasses.asdict(card) for name, card in found.items()})
        with contextlib.suppress(OSError), records.atomic(stored) as temporary:
            temporary.write_text(text)
    return {n: dataclasses.replace(c, defaults=_tuples(c.defaults)) for n, c in found.items()}


def _ask(plugins: Sequence[Path]) -> dict[str, Card]:
    return {name: card(name, cls) for name, cls in discovery.discover(list(plugins)).items()}


def card(name: str, cls: type[Method]) -> Card:
    """What the class says of itself; InputError for defaults that no record can hold."""
    file = inspect.getfile(cls)
    defaults = _tuples(discovery.hyperparameters(cls))
    try:
        units.canonical(defaults)
    except (TypeError, ValueError) as error:
        raise InputError(f"{file}: {cls.__name__}.__init__: a default: {error}") from None
    summary = (cls.__doc__ or "").strip().partition("\n")[0]
    return Card(name, cls.version, cls.deterministic, defaults, summary, file)


def _tuples(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows no tuples; as hyperparameters there are no lists."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in defaults.items()}


def _sources() -> str:
    """One digest of everything that shipped methods are made of, and of where it lies."""
    digest = hashlib.sha256(f"{_ROOT} {sys.version}".encode())
    for folder in ("baselines", "hpdval", "benchmark"):
        for path in sorted((_ROOT / folder).glob("*.py")):
            digest.update(f"\n{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:24]
