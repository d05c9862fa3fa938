"""Checks without training: what a class declares, its hyperparameters, which tasks it takes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

from benchmark.common.errors import InputError
from benchmark.data import tasks
from benchmark.diagnostics.check.findings import Wrong, calling
from benchmark.method import base, declaration, discovery, registry
from benchmark.method import search_space as spaces
from benchmark.method.base import Method

_ARGUMENTS = {
    "fit": ("train", "run"),
    "predict": ("images", "run"),
    "fit_base": ("base", "run"),
    "check_files": (),
}


def declared(cls: type[Method]) -> str:
    """Name, version, kind of scores, docstring and the arguments of its functions."""
    if faults := list(_undeclared(cls)):
        raise Wrong(*faults[0], *faults[1:])
    what = "deterministic" if cls.deterministic else "one unit a seed or episode"
    return f"name {cls.name}, version {cls.version}, scores {cls.scores}, {what}"


def _undeclared(cls: type[Method]) -> Iterator[tuple[str, str]]:
    yield from declaration.faults(cls)
    doc = (vars(cls).get("__doc__") or "").strip()
    if not doc or doc.startswith(f"{cls.__name__}("):  # the signature: `@dataclass` wrote it
        yield "no docstring", "its first line is what `run_all.py --list` shows: add one"
    for name, given in _ARGUMENTS.items():
        try:
            inspect.signature(getattr(cls, name)).bind(None, *given)
        except TypeError as error:
            text = f"{name} cannot be called as {name}({', '.join(given)}): {error}"
            yield text, f"write `def {name}(self, {', '.join(given)})`"
    together = ("fit_base", "load_state", "state")
    own = [name for name in together if getattr(cls, name) is not getattr(Method, name)]
    missing = ", ".join(name for name in together if name not in own)
    if own and missing:
        yield f"{', '.join(own)} without {missing}", f"add {missing}: they belong together"


def hyperparameters(cls: type[Method]) -> str:
    """`__init__` takes keywords with defaults that a record can hold, and only stores them."""
    try:
        defaults = registry.recordable(cls)
    except InputError as error:
        remedy = "a default must be a number, a text, a bool, None or a list"
        raise Wrong(str(error), remedy) from error
    if faults := _not_stored(cls, defaults):
        raise Wrong(*faults[0], *faults[1:])
    return f"{len(defaults)}, stored as they are given" if defaults else "none"


def _not_stored(cls: type[Method], defaults: dict[str, Any]) -> list[tuple[str, str]]:
    """What `__init__` does beside storing; values other than the defaults show it best."""
    others = {name: _other(value) for name, value in defaults.items()}
    faults: dict[str, tuple[str, str]] = {}  # the first of each hyperparameter
    for values in (defaults, others):
        with calling(f"__init__ with {json.dumps(values)[:200]}", cls):
            held = vars(cls(**values))
        for name, value in values.items():
            remedy = f"write `self.{name} = {name}`"
            if name not in held:
                faults.setdefault(name, (f"{name} is not stored", remedy))
            elif held[name] != value or type(held[name]) is not type(value):
                text = f"given {name}={value!r}, it stores {held[name]!r}"
                faults.setdefault(name, (text, f"{remedy}; compute from it in fit"))
        if more := sorted(held.keys() - values.keys()):
            remedy = "set them in fit: a method is made anew for each unit, from its settings alone"
            return [*faults.values(), (f"__init__ also sets {', '.join(more)}", remedy)]
    return list(faults.values())


def _other(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value * 2 + 1
    return f"{value}x" if isinstance(value, str) else value


def search_space(cls: type[Method]) -> str | None:
    """What a tuning may try are hyperparameters, and values that could be their defaults."""
    if faults := list(spaces.faults(cls.search_space, discovery.hyperparameters(cls))):
        raise Wrong(*faults[0], *faults[1:])
    return f"of {', '.join(cls.search_space)}" if cls.search_space else None


def skipping(cls: type[Method], method: Method, shown: list[tasks.Task]) -> str:
    """`skip` says None or a reason, and not a reason for every setting."""
    reasons = {}
    for task in shown:
        with calling(f"skip({task.setting} task)", cls):
            reasons[task.setting] = method.skip(task)
    for setting, reason in reasons.items():
        if not base.is_answer(reason):
            remedy = "return None to take the task, or the reason as text"
            raise Wrong(f"skip returned {reason!r} for a {setting} task", remedy)
    if all(reasons.values()):
        text = "; ".join(f"{setting}: {reason}" for setting, reason in reasons.items())
        remedy = "let it take tasks of one setting at least; nothing can be checked otherwise"
        raise Wrong(f"refuses every task ({text})", remedy)
    seen = [f"refuses {setting} tasks: {reason}" for setting, reason in reasons.items() if reason]
    return "; ".join(seen) or "takes long-tailed and few-shot tasks"
