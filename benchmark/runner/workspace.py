"""What a process keeps between units: CLIP, features, tasks, method classes, failed stages."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmark.clip import model
from benchmark.clip.backbone import Backbone
from benchmark.clip.feature_cache import FeatureStore
from benchmark.common import seeding
from benchmark.common.errors import InputError
from benchmark.common.identity import canonical, seed_of
from benchmark.data import preprocessing, tasks
from benchmark.data.preprocessing import CLIP
from benchmark.method import discovery, precision
from benchmark.method.base import Method
from benchmark.method.precision import FLOAT32
from benchmark.method.run import Run
from benchmark.records import provenance
from benchmark.runner import checkpoints, devices
from benchmark.runner.checkpoints import Checkpoint
from benchmark.suites.unit import Unit

_TASKS_KEPT = 8  # a task's labels take up to 2 MB


@dataclass(kw_only=True, eq=False)
class Workspace:
    """One process's, on one device; sets the process up for it.

    plugins   files of methods beside the shipped and installed ones; None: shipped ones alone
    broken    stages that failed, by their identity, here or in another process of the run: they
              are not tried again
    """

    backbone: Backbone
    device: str  # "cpu" or "cuda:0"
    cache: Path  # below it lie pictures, features and checkpoints
    root: Path  # the data root
    plugins: Sequence[Path] | None = ()
    stale: Mapping[str, int] = field(default_factory=dict)  # see `checkpoints.fetch`
    origin: Mapping[str, Any] = field(default_factory=dict)  # provenance of the code
    oracle: bool = False  # evaluate each epoch on the test images too
    plain: bool = False  # encode prompts the slow way of the references
    results: Path | None = None  # <results>/<suite>/<scale>, to keep scores in; None: nowhere

    def __post_init__(self) -> None:
        self.folder = Path.cwd()
        devices.make_deterministic(self.device)
        self.classes: dict[str, type[Method]] = (
            discovery.shipped() if self.plugins is None else discovery.discover(list(self.plugins))
        )
        self.clips: dict[int | None, model.Clip] = {}  # by image side; None: the model's own
        self.stores: dict[tuple[str, bool], FeatureStore] = {}  # by preprocessing, half or not
        self.load_task = functools.lru_cache(_TASKS_KEPT)(tasks.load)
        self.broken: dict[str, Exception] = {}

    def settle(self, broken: Mapping[str, Exception]) -> None:
        """Before a unit: what an earlier one may have set for the whole process is set anew."""
        self.broken |= broken
        os.chdir(self.folder)
        devices.make_deterministic(self.device)

    def task(self, unit: Unit) -> tasks.Task:
        """The unit's task, kept for the next units."""
        return self.load_task(unit.task, unit.scale, self.root, unit.episode)

    def store(self, preprocess: str = CLIP.name, half: bool = False) -> FeatureStore:
        """The preprocessing's features, local ones in `half` the bits; one CLIP an image size."""
        if (preprocess, half) not in self.stores:
            self.stores[preprocess, half] = self.new_store(self.cache, preprocess, half)
        return self.stores[preprocess, half]

    def new_store(self, folder: Path, preprocess: str, half: bool) -> FeatureStore:
        """The same, kept below a folder other than the cache."""
        how = preprocessing.parse(preprocess)
        if how.size not in self.clips:
            self.clips[how.size] = model.load(self.backbone, self.device, how.size)
            self.clips[how.size].plain_text = self.plain
        return FeatureStore(self.clips[how.size], folder, how, half=half)

    def run(self, identity: str, preprocess: str = CLIP.name, bits: str = FLOAT32) -> Run:
        """A fresh Run; every generator in reach starts from a seed of that identity."""
        chosen = precision.parse(bits)
        store = self.store(preprocess, chosen.half_features)
        seeding.seed_everything(seed_of(identity, "global"))
        run = Run(clip=store.clip, store=store, device=self.device, identity=identity)
        run.precision = chosen
        return run

    def checkpoint(self, what: Mapping[str, Any], build: Callable[[], Checkpoint]) -> Checkpoint:
        """A kept stage; one that failed to build in this run fails again at once."""
        name = canonical(what)
        if name in self.broken:
            raise self.broken[name]
        try:
            return checkpoints.fetch(what, self.cache / "states", self.stale, build)
        except checkpoints.Busy:
            raise
        except Exception as error:
            known = isinstance(error, InputError)  # others may not travel between processes
            self.broken[name] = error if known else RuntimeError(f"{type(error).__name__}: {error}")
            raise

    def timed(self, step: Callable[[], Any]) -> tuple[Any, float]:
        """The step's result and the seconds it took, the device's queue included."""
        began = time.perf_counter()
        result = step()
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)
        return result, round(time.perf_counter() - began, 3)

    def provenance(self) -> dict[str, Any]:
        """{"provenance": ...} with what only the worker knows: device, threads, date."""
        cuda = self.device.startswith("cuda")
        device = f"cuda {torch.cuda.get_device_name(self.device)}" if cuda else "cpu"
        here = {"device": device, "threads": torch.get_num_threads(), "utc": provenance.now()}
        return {"provenance": {**self.origin, **here}}
