"""One unit from its task to its record: base state, fit, predict, metrics. Needs torch."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import threadpoolctl
import torch

from benchmark import (
    clip,
    generators,
    heap,
    measured,
    oracle,
    precision,
    preprocessing,
    provenance,
    scoring,
    showcase,
    states,
    stored,
    tasks,
)
from benchmark.discovery import discover
from benchmark.features import FeatureStore
from benchmark.measured import METRICS
from benchmark.method import Method, Run
from benchmark.precision import FLOAT32
from benchmark.stages import SharedStages
from benchmark.units import Unit, canonical, seed_of

_TASKS_KEPT = 8  # a task's labels take up to 2 MB


class Lab:
    """What a worker keeps between units: the CLIP model, features, tasks and method classes."""

    def __init__(
        self,
        *,
        backbone: Any,
        device: str,
        cache: Path,
        root: Path,
        plugins: tuple[Path, ...] = (),
        stale: Mapping[str, int] | None = None,
        origin: Mapping[str, Any] | None = None,
        oracle: bool = False,
        plain: bool = False,
        results: Path | None = None,
    ):
        settle(device)
        self.device, self.cache, self.root = device, cache, root
        self.stale, self.origin = stale or {}, origin or {}
        self.oracle = oracle  # evaluate each epoch too
        self.plain = plain  # encode prompts the slow way
        self.results = results  # <results>/<suite>/<scale>, to keep scores in; None: nowhere
        self.classes: dict[str, type[Method]] = discover(list(plugins))
        self.backbone = backbone
        self.clips: dict[int | None, clip.Clip] = {}  # by image side; None: the model's own
        self.stores: dict[tuple[str, bool], FeatureStore] = {}  # by preprocessing, half or not
        self.tasks: dict[tuple[str, int | None], tasks.Task] = {}
        self.broken: dict[str, Exception] = {}  # states that failed here: not tried again

    def compute(self, unit: Unit) -> dict[str, Any]:
        """The unit's record without suite and label's context; raises what the method raises.

        states.Busy when another process is just building a state that the unit needs.
        """
        task = self.task(unit)
        cls = self.classes[unit.method]
        method = cls(**dict(unit.hyperparameters))
        reason = method.skip(task)
        record = describe(unit, task)
        if reason is not None:
            return record | {"status": "skipped", "reason": str(reason)} | self.traces()
        curve: list[dict[str, Any]] = []
        seconds: dict[str, float | None] = {"base": None}
        if task.base is not None and has_base(method):
            base = self.base_state(unit, task, cls)
            curve += base.curve
            seconds["base"] = round(base.seconds, 3)
            method.load_state(base.tensors)
        run = self.run(unit.seed_identity, unit.preprocess, unit.precision)
        stages = SharedStages(self, unit, task, run)
        score = functools.partial(scoring.scored, method, task, run)
        watch = oracle.Watch(method, task, run, score) if self.oracle else None
        _, seconds["fit"] = self.timed(lambda: method.fit(task.train, run))
        seconds["fit"] = round(seconds["fit"] - stages.building, 3)
        seconds["shared"] = stages.seconds
        best = watch.close() if watch else {}
        run.clip.check_frozen()
        scores, seconds["predict"] = self.timed(score)
        if watch:
            seconds["fit"] = round(seconds["fit"] - watch.seconds, 3)
            seconds["oracle"] = round(watch.seconds, 3)
        found = measured.fields(scores, stored.truth_of(task), cls.scores)
        return (
            record
            | {
                "status": "done",
                "metrics": found["metrics"],
                "n_classes": record["n_classes"] | {"absent": found["absent"]},
                "per_class_ap": found["per_class_ap"],
                "curve": curve + list(run.curve),
                "seconds": record["seconds"] | seconds,
            }
            | best
            | self.keep(record, task, method, scores, run)
            | self.traces()
        )

    def keep(
        self, record: dict[str, Any], task: tasks.Task, method: Method, scores: Any, run: Run
    ) -> dict[str, str]:
        """Store the scores, and a long-tailed task's first seed's local ones; their hash."""
        if self.results is None:
            return {}
        maps = showcase.maps(method, task, run) if record["seed"] == 0 else None
        return stored.write(self.results, record, task, type(method).scores, scores, maps)

    def task(self, unit: Unit) -> tasks.Task:
        """The unit's task, kept for the next units."""
        at = (unit.task, unit.episode)
        if at not in self.tasks:
            while len(self.tasks) >= _TASKS_KEPT:
                del self.tasks[next(iter(self.tasks))]
            self.tasks[at] = tasks.load(unit.task, unit.scale, self.root, unit.episode)
        return self.tasks[at]

    def store(self, preprocess: str = preprocessing.CLIP.name, half: bool = False) -> FeatureStore:
        """The preprocessing's features, local ones in `half` the bits; one CLIP an image size."""
        if (preprocess, half) not in self.stores:
            how = preprocessing.parse(preprocess)
            if how.size not in self.clips:
                self.clips[how.size] = clip.load(self.backbone, self.device, how.size)
                self.clips[how.size].plain_text = self.plain
            made = FeatureStore(self.clips[how.size], self.cache, how, half=half)
            self.stores[preprocess, half] = made
        return self.stores[preprocess, half]

    def run(
        self, identity: str, preprocess: str = preprocessing.CLIP.name, bits: str = FLOAT32
    ) -> Run:
        """A fresh Run; every generator in reach starts from a seed of that identity."""
        chosen = precision.parse(bits)
        store = self.store(preprocess, chosen.half_features)
        generators.settle(seed_of(identity, "global"))
        run = Run(clip=store.clip, store=store, device=self.device, identity=identity)
        run.precision = chosen
        return run

    def base_state(self, unit: Unit, task: tasks.Task, cls: type[Method]) -> states.State:
        """The state that all episodes start from: trained once, then always read from its file."""
        what = states.identity(unit, task.base)
        return self.state(what, lambda: self.build(unit, task, cls, what))

    def state(self, what: dict[str, Any], build: Callable[[], states.State]) -> states.State:
        """The kept state; one that failed to build in this process fails again at once."""
        name = canonical(what)
        if name in self.broken:
            raise self.broken[name]
        try:
            return states.fetch(what, self.cache / "states", self.stale, build)
        except states.Busy:
            raise
        except Exception as error:
            self.broken[name] = error
            raise

    def build(self, unit: Unit, task: tasks.Task, cls: type[Method], what: dict) -> states.State:
        """Run the base stage; its seeds know neither the method nor the episode."""
        method = cls(**dict(unit.hyperparameters))
        identity = f"base {what['base_sha256']}/seed {unit.seed}"
        run = self.run(identity, unit.preprocess, unit.precision)
        _, seconds = self.timed(lambda: method.fit_base(task.base, run))
        run.clip.check_frozen()
        return states.State(method.state(), seconds, list(run.curve))

    def timed(self, step: Callable[[], Any]) -> tuple[Any, float]:
        """The step's result and the seconds it took, the device's queue included."""
        began = time.perf_counter()
        result = step()
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)
        return result, round(time.perf_counter() - began, 3)

    def traces(self) -> dict[str, Any]:
        """{"provenance": ...} with what only the worker knows."""
        cuda = self.device.startswith("cuda")
        device = f"cuda {torch.cuda.get_device_name(self.device)}" if cuda else "cpu"
        here = {"device": device, "threads": torch.get_num_threads(), "utc": provenance.now()}
        return {"provenance": {**self.origin, **here}}


def settle(device: str) -> None:
    """Make this process compute the same bits whatever runs beside it.

    On the CPU one thread: sums depend on how many threads share them. On CUDA the deterministic
    kernels, with a warning where there is none.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    # The above also fills each new tensor with NaN, to show code that reads what it never wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False
    if device == "cpu":
        heap.keep()
        torch.set_num_threads(1)
        threadpoolctl.threadpool_limits(limits=1)
    else:
        torch.cuda.set_device(device)


def describe(unit: Unit, task: tasks.Task) -> dict[str, Any]:
    """The fields of a record that are known before the method runs; null where none applies."""
    groups = {g: len(task.groups[g]) if g in task.groups else None for g in _GROUPS}
    counts = zip(task.class_names, task.train.class_counts, strict=True)
    return {
        "key": unit.key,
        "scale": unit.scale,
        "task": unit.task,
        "setting": task.setting,
        "label": unit.label,
        "method": unit.method,
        "method_version": unit.method_version,
        "seed": unit.seed,
        "episode": unit.episode,
        "status": None,
        "reason": None,
        "selection": "last",
        "metrics": dict.fromkeys(METRICS),
        "oracle": None,
        "oracle_reason": None,
        "n_classes": {"all": len(task.class_names), **groups, "absent": None},
        "per_class_ap": dict.fromkeys(task.class_names),
        "train_counts": {name: int(count) for name, count in counts},
        "curve": [],
        "hyperparameters": dict(unit.hyperparameters),
        "preprocess": unit.preprocess,
        "precision": unit.precision,
        "split_sha256": unit.split_sha256,
        "restriction": task.restriction,
        "scores_sha256": None,
        "backbone": unit.backbone,
        "weights_sha256": unit.weights_sha256,
        "seconds": dict.fromkeys(("base", "shared", "fit", "predict", "oracle")),
    }


_GROUPS = ("head", "medium", "tail", "novel")


def has_base(method: Method) -> bool:
    """Whether it learns on base classes; a hyperparameter `base` that is false leaves that out."""
    return type(method).fit_base is not Method.fit_base and getattr(method, "base", True)
