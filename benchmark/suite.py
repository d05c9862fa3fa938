"""Suites: what a suite's YAML asks for, and the units of work that it stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark import errors, including, layouts, precision, preprocessing, strict
from benchmark.errors import InputError
from benchmark.facts import MethodFacts, TaskFacts, World
from benchmark.layouts import Arrangement
from benchmark.units import Unit

FOLDER = Path(__file__).parent / "suites"
SCALES = ("miniature", "paper")
FEW_SHOT_SEED = 0  # a few-shot unit varies by its episode, never by its seed
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # names become file names
_CONDITIONS = ("scale", "setting", "task", "dataset")
_CLIP = preprocessing.CLIP.name


@dataclass(frozen=True)
class Override:
    """Settings for the tasks that `when` describes: all its fields must match."""

    when: Mapping[str, tuple[str, ...]]  # field -> the values that match
    set: Mapping[str, Any]
    preprocess: str | None = None  # None: stays as it is


@dataclass(frozen=True)
class MethodEntry:
    """One row of the tables: a plugin, and the settings that the suite gives it."""

    label: str
    method: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    preprocess: str = _CLIP
    precision: str = precision.FLOAT32
    leaves: frozenset[str] = frozenset()  # tasks of the suite that are not for this entry


@dataclass(frozen=True)
class Suite:
    """A parsed suite file; `origin` names it in errors, `summary` is its first comment line."""

    name: str
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    episodes: int
    methods: tuple[MethodEntry, ...]
    origin: str = "suite"
    summary: str = ""
    arrangement: Arrangement = Arrangement()  # how its report is arranged


def names(folder: Path = FOLDER) -> list[str]:
    """The names that `--suite` accepts beside a path to a .yaml file."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load(name: str, folder: Path = FOLDER, member: bool = False) -> Suite:
    """The suite of that name, or of that .yaml file; InputError names the file and the field.

    `include: [NAME, ...]` in place of tasks and methods makes a suite of others; such a one can
    be no `member` of another.
    """
    named = not name.endswith((".yaml", ".yml"))
    path = folder / f"{name}.yaml" if named else Path(name)
    if not path.is_file():
        raise errors.unknown("suite", name, names(folder))
    origin = f"{folder.name}/{path.name}" if named else name
    data, summary = strict.read(path, origin)
    several = isinstance(data, dict) and "include" in data
    known = ("include",) if several else ("tasks", "methods", "tables")
    fields = strict.Fields(data, origin, ("name", "seeds", "episodes", *known))
    name = fields.get("name", str)
    if not _NAME.fullmatch(name) or name == "reference":
        raise InputError(f"{origin}: name: '{name}' cannot name a results folder; use another")
    seeds = fields.items("seeds", int)
    episodes = fields.get("episodes", int)
    if min(seeds) < 0 or episodes < 1:
        raise InputError(f"{origin}: seeds must be 0 or more, episodes 1 or more")
    if several:
        if member:
            raise InputError(f"{origin}: include: it is itself included; name its members instead")
        head = Suite(name, (), seeds, episodes, (), origin, summary)
        members = [load(other, folder, True) for other in fields.items("include", str)]
        return including.merged(head, members)
    methods = fields.get("methods", dict)
    if not methods:
        raise InputError(f"{origin}: methods: there is none; add one")
    entries = tuple(_entry(label, methods[label], origin) for label in methods)
    arrangement = layouts.parse(fields, methods, origin)
    tasks = fields.items("tasks", str)
    return Suite(name, tasks, seeds, episodes, entries, origin, summary, arrangement)


def _entry(label: Any, data: Any, origin: str) -> MethodEntry:
    where = f"{origin}: methods.{label}"
    if not isinstance(label, str) or not _NAME.fullmatch(label):
        raise InputError(f"{where}: a label has letters, digits, '.', '_' and '-' only")
    known = ("method", "hyperparameters", "preprocess", "precision", "overrides")
    fields = strict.Fields({} if data is None else data, where, known)
    overrides = []
    for number, item in enumerate(fields.get("overrides", list, [])):
        at = f"{where}.overrides[{number}]"
        part = strict.Fields(item, at, ("when", "set", "preprocess"))
        when = strict.Fields(part.get("when", dict), f"{at}.when", _CONDITIONS)
        wanted = {}
        for key, value in when.data.items():
            values = value if isinstance(value, list) else [value]
            wanted[key] = tuple(strict.typed(v, str, f"{at}.when.{key}") for v in values)
        fit = _preprocess(part) if part.data.get("preprocess") is not None else None
        overrides.append(Override(wanted, part.get("set", dict, {} if fit else None), fit))
    given = fields.get("hyperparameters", dict, {})
    method = fields.get("method", str, label)
    bits = _named(fields, "precision", precision.FLOAT32, precision.parse)
    return MethodEntry(label, method, given, tuple(overrides), _preprocess(fields), bits)


def _preprocess(fields: strict.Fields) -> str:
    return _named(fields, "preprocess", _CLIP, preprocessing.parse)


def _named(fields: strict.Fields, field: str, default: str, parse: Callable[[str], Any]) -> str:
    """A field's one spelling; `parse` says what is wrong with a name."""
    name = fields.get(field, str, default)
    try:
        return parse(name).name
    except InputError as error:
        raise InputError(f"{fields.where}: {field}: {error}") from None


def expand(
    suite: Suite,
    world: World,
    seeds: tuple[int, ...] | None = None,
    preprocess: str | None = None,
    bits: str | None = None,
) -> list[Unit]:
    """All units of the suite at the world's scale, checked: InputError for whatever is wrong.

    `seeds`, `preprocess` and `bits`, a precision, replace the suite's own. A deterministic method
    is run for the suite's first seed or the first episode only, which stands for all of them.
    """
    if preprocess is not None:
        preprocess = preprocessing.parse(preprocess).name
    if bits is not None:
        bits = precision.parse(bits).name
    for name in suite.tasks:
        if name not in world.tasks:
            raise InputError(f"{suite.origin}: tasks: {errors.unknown('task', name, world.tasks)}")
    for entry in suite.methods:
        _check(entry, suite, world)
    units = []
    for task in (world.tasks[name] for name in suite.tasks):
        if task.episodes is not None and suite.episodes > task.episodes:
            text = f"{suite.episodes} asked for, {task.name} has {task.episodes}"
            raise InputError(f"{suite.origin}: episodes: {text}; use at most that many")
        for entry in (e for e in suite.methods if task.name not in e.leaves):
            facts = world.methods[entry.method]
            settings, fit = _settings(entry, facts, task, suite, world.scale)
            if task.episodes is None:
                turns = [(seed, None) for seed in seeds or suite.seeds]
                first = (suite.seeds[0], None)
            else:
                turns = [(FEW_SHOT_SEED, number + 1) for number in range(suite.episodes)]
                first = turns[0]
            units += [
                Unit(
                    task=task.name,
                    label=entry.label,
                    method=facts.name,
                    method_version=facts.version,
                    hyperparameters=settings,
                    scale=world.scale,
                    seed=seed,
                    episode=episode,
                    split_sha256=task.split_sha256,
                    backbone=world.backbone,
                    weights_sha256=world.weights_sha256,
                    preprocess=preprocess or fit,
                    precision=bits or entry.precision,
                )
                for seed, episode in ([first] if facts.deterministic else turns)
            ]
    return units


def _check(entry: MethodEntry, suite: Suite, world: World) -> None:
    """That the entry's method exists and that each condition could come true."""
    where = f"{suite.origin}: methods.{entry.label}"
    if entry.method not in world.methods:
        raise InputError(f"{where}: {errors.unknown('method', entry.method, world.methods)}")
    tasks = world.tasks.values()
    known = {
        "scale": set(SCALES),
        "setting": {task.setting for task in tasks},
        "task": {task.name for task in tasks},
        "dataset": {task.dataset for task in tasks},
    }
    for number, override in enumerate(entry.overrides):
        for key, values in override.when.items():
            for value in values:
                if value not in known[key]:
                    problem = errors.unknown(key, value, known[key])
                    raise InputError(f"{where}.overrides[{number}].when: {problem}")


def _settings(
    entry: MethodEntry, facts: MethodFacts, task: TaskFacts, suite: Suite, scale: str
) -> tuple[tuple[tuple[str, Any], ...], str]:
    """Hyperparameters, sorted by name, and preprocessing.

    The defaults of the method's signature, then the entry's values, then its overrides.
    """
    where = f"{suite.origin}: methods.{entry.label}"
    here = {"scale": scale, "setting": task.setting, "task": task.name, "dataset": task.dataset}
    values, preprocess = dict(facts.defaults), entry.preprocess
    layers = [(f"{where}.hyperparameters", Override({}, entry.hyperparameters))]
    layers += [(f"{where}.overrides[{i}].set", item) for i, item in enumerate(entry.overrides)]
    for at, layer in layers:
        applies = all(here[key] in wanted for key, wanted in layer.when.items())
        if applies and layer.preprocess is not None:
            preprocess = layer.preprocess
        for name, value in layer.set.items():
            if name not in facts.defaults:
                kind = f"hyperparameter of {facts.name}"
                raise InputError(f"{at}: {errors.unknown(kind, str(name), facts.defaults)}")
            value = strict.like(value, facts.defaults[name], f"{at}.{name}")
            if applies:
                values[name] = value
    return tuple(sorted(values.items())), preprocess
