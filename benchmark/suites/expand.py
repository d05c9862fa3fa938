"""The units that a suite stands for, each with its settings checked against what is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.clip import pretrained
from benchmark.common import errors
from benchmark.common.errors import InputError
from benchmark.data import preprocessing, tasks
from benchmark.data.tasks import TaskInfo
from benchmark.method import declaration, precision
from benchmark.method.registry import MethodInfo
from benchmark.suites.suite import SCALES, MethodEntry, Override, Suite
from benchmark.suites.unit import Unit

FEW_SHOT_SEED = 0  # a few-shot unit varies by its episode, never by its seed


@dataclass(frozen=True)
class Known:
    """All that a suite is expanded against: the scale, its tasks, the methods, the backbone."""

    scale: str
    tasks: Mapping[str, TaskInfo]
    methods: Mapping[str, MethodInfo]
    backbone: str
    weights_sha256: str


def expand(
    suite: Suite,
    known: Known,
    seeds: tuple[int, ...] | None = None,
    preprocess: str | None = None,
    bits: str | None = None,
) -> list[Unit]:
    """All units of the suite at the known scale, checked: InputError for whatever is wrong.

    `seeds`, `preprocess` and `bits`, a precision, replace the suite's own. A deterministic method
    is run for the suite's first seed or the first episode only, which stands for all of them.
    """
    if preprocess is not None:
        preprocess = preprocessing.parse(preprocess).name
    if bits is not None:
        bits = precision.parse(bits).name
    for name in suite.tasks:
        if name not in known.tasks:
            raise InputError(f"{suite.origin}: tasks: {errors.unknown('task', name, known.tasks)}")
    for entry in suite.methods:
        _check(entry, suite, known)
    units = []
    for task in (known.tasks[name] for name in suite.tasks):
        episodes = min(suite.episodes, task.episodes or 0)  # own tasks may have fewer
        if task.episodes is not None and episodes < suite.episodes and not tasks.is_own(task.name):
            text = f"{suite.episodes} asked for, {task.name} has {task.episodes}"
            raise InputError(f"{suite.origin}: episodes: {text}; use at most that many")
        for entry in (e for e in suite.methods if task.name not in e.leaves):
            method = known.methods[entry.method]
            settings, own = _settings(entry, method, task, suite, known)
            if task.episodes is not None:
                seeds_and_episodes = [(FEW_SHOT_SEED, n + 1) for n in range(episodes)]
            else:
                own_seeds = suite.seeds if method.deterministic else seeds or suite.seeds
                seeds_and_episodes = [(seed, None) for seed in own_seeds]
            units += [
                Unit(
                    task=task.name,
                    label=entry.label,
                    method=method.name,
                    method_version=method.version,
                    hyperparameters=settings,
                    scale=known.scale,
                    seed=seed,
                    episode=episode,
                    split_sha256=task.split_sha256,
                    backbone=known.backbone,
                    weights_sha256=known.weights_sha256,
                    preprocess=preprocess or own,
                    precision=bits or entry.precision,
                )
                for seed, episode in seeds_and_episodes[: 1 if method.deterministic else None]
            ]
    return units


def _check(entry: MethodEntry, suite: Suite, known: Known) -> None:
    """That the entry's method exists and that each condition could come true."""
    where = f"{suite.origin}: methods.{entry.label}"
    if entry.method not in known.methods:
        raise InputError(f"{where}: {errors.unknown('method', entry.method, known.methods)}")
    for number, override in enumerate(entry.overrides):
        for key, values in override.when.items():
            possible = _possible(key, known)
            for value in values:
                if value not in possible:
                    problem = errors.unknown(key, value, possible)
                    raise InputError(f"{where}.overrides[{number}].when: {problem}")


def _possible(key: str, known: Known) -> Collection[str]:
    """The values that a condition on this field may name."""
    if key == "scale":
        return SCALES
    if key == "backbone":
        return pretrained.models()
    if key == "dataset":
        return set().union(*(task.datasets for task in known.tasks.values()))
    field = "name" if key == "task" else key
    return {getattr(task, field) for task in known.tasks.values()}


def _settings(
    entry: MethodEntry, method: MethodInfo, task: TaskInfo, suite: Suite, known: Known
) -> tuple[tuple[tuple[str, Any], ...], str]:
    """Hyperparameters, sorted by name, and preprocessing.

    The defaults of the method's signature, with the task's template in place of the method's, then
    what a settings file has for the entry, then the entry's values, then its overrides. What is set
    for a task is set for its hold-out too.
    """
    where = f"{suite.origin}: methods.{entry.label}"
    here = {"scale": {known.scale}, "setting": {task.setting}, "dataset": task.datasets}
    here["task"] = {task.name, tasks.stands_for(task.name)}
    model = known.backbone.partition(":")[0]
    here["backbone"] = {model, model.removesuffix("-quickgelu")}
    values, preprocess = dict(method.defaults), entry.preprocess
    if task.template is not None and "template" in values:
        values["template"] = task.template
    layers = [*entry.chosen.items()]
    layers += [(f"{where}.hyperparameters", Override({}, entry.hyperparameters))]
    layers += [(f"{where}.overrides[{i}].set", item) for i, item in enumerate(entry.overrides)]
    for at, layer in layers:
        applies = all(here[key].intersection(wanted) for key, wanted in layer.when.items())
        if applies and layer.preprocess is not None:
            preprocess = layer.preprocess
        for name, value in layer.set.items():
            if name not in method.defaults:
                kind = f"hyperparameter of {method.name}"
                raise InputError(f"{at}: {errors.unknown(kind, str(name), method.defaults)}")
            about = (name, method.defaults[name], method.search_space)
            value = declaration.value(value, *about, f"{at}.{name}")
            if applies:
                values[name] = value
    return tuple(sorted(values.items())), preprocess
