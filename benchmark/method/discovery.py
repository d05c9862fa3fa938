"""Finds the methods: shipped ones by scanning folders, plugin files, installed packages."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import itertools
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.method.base import Method

_FOLDERS = ("baselines", "hpdval")
ENTRY_POINTS = "cimlic.methods"


def hyperparameters(cls: type[Method]) -> dict[str, Any]:
    """Names and defaults of `__init__`'s keywords, those first that the class itself annotates.

    Where `__init__` takes **others, those of the base class follow. InputError if one has no
    default, or if the class states another default where `__init__` does not see it.
    """
    found: dict[str, Any] = {}
    for owner in (c for c in cls.__mro__[:-1] if "__init__" in vars(c)):
        parameters = list(inspect.signature(owner.__init__).parameters.values())[1:]
        keywords = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
        for keyword in keywords:
            if keyword.default is keyword.empty:
                at = f"{inspect.getfile(cls)}: {owner.__name__}.__init__"
                raise InputError(f"{at}: {keyword.name} needs a default")
            found.setdefault(keyword.name, keyword.default)
        if keywords == parameters:
            break
    undecorated = dataclasses.is_dataclass(cls) and "__init__" not in vars(cls)
    for name in sorted(found.keys() & vars(cls).keys()) if undecorated else ():
        raise InputError(
            f"{inspect.getfile(cls)}: {cls.__name__}.{name}: its base class's default stays; write "
            "@dataclass(kw_only=True, eq=False) above the class"
        )
    own = [name for name in inspect.get_annotations(cls) if name in found]
    return {name: found[name] for name in dict.fromkeys([*own, *found])}


def shipped() -> dict[str, type[Method]]:
    """Name -> class of every method in baselines/ and hpdval/."""
    return _methods(_shipped_modules(), [])


def is_shipped(cls: type[Method]) -> bool:
    """Whether the method is one of baselines/ and hpdval/."""
    return cls.__module__.partition(".")[0] in _FOLDERS


def discover(plugins: list[Path] | None = None) -> dict[str, type[Method]]:
    """Name -> class of every method in baselines/, hpdval/, installed packages and plugin files.

    InputError names a file that does not import, holds no method, or takes a name that is taken.
    """
    plugins = plugins or []
    return _methods(itertools.chain(_shipped_modules(), _foreign_modules(plugins)), plugins)


def _methods(
    modules: Iterable[tuple[str, ModuleType]], plugins: list[Path]
) -> dict[str, type[Method]]:
    found: dict[str, type[Method]] = {}
    for source, module in modules:
        own = [value for value in vars(module).values() if _is_own(value, module)]
        classes = [cls for cls in own if not inspect.isabstract(cls)]
        if not classes and source in map(str, plugins):
            raise InputError(f"{source}: {_lack(own)}")
        for cls in classes:
            if not isinstance(getattr(cls, "name", None), str):
                raise InputError(f"{source}: {cls.__name__}: 'name' is missing; give it a string")
            other = found.setdefault(cls.name, cls)
            if other is not cls:
                raise InputError(
                    f"{source}: {cls.__name__}: the name '{cls.name}' is taken by "
                    f"{inspect.getfile(other)}; choose another"
                )
    return found


def _is_own(value: Any, module: ModuleType) -> bool:
    own = isinstance(value, type) and issubclass(value, Method)
    return own and value.__module__ == module.__name__


def _lack(abstract: list[type[Method]]) -> str:
    """What a plugin file without a method lacks: a part of one, or all of it."""
    if not abstract:
        return "defines no Method; `run_all.py --new-method NAME` writes one to start from"
    missing = " and ".join(sorted(abstract[0].__abstractmethods__))
    return f"{abstract[0].__name__}: {missing} is missing; add it"


def _shipped_modules() -> Iterator[tuple[str, ModuleType]]:
    for folder in _FOLDERS:
        for path in sorted((environment.ROOT / folder).glob("*.py")):
            if path.stem != "__init__":
                name = f"{folder}.{path.stem}"
                yield str(path), _guarded(str(path), lambda n=name: importlib.import_module(n))


def _foreign_modules(plugins: list[Path]) -> Iterator[tuple[str, ModuleType]]:
    for point in entry_points(group=ENTRY_POINTS):
        source = f"entry point {point.name}"
        module = _guarded(source, lambda p=point: sys.modules[p.load().__module__], BaseException)
        yield source, module
    for path in plugins:
        yield str(path), _guarded(str(path), lambda p=path: _load_file(p), BaseException)


def _load_file(path: Path) -> ModuleType:
    name = f"cimlic_plugin_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:10]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _guarded(source: str, load: Any, faults: type[BaseException] = Exception) -> Any:
    """What `load` returns; InputError for what it raises, a stranger's sys.exit included."""
    try:
        return load()
    except faults as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        raise InputError(
            f"{source}: does not import ({type(error).__name__}: {reason}); mend the file"
        ) from error
