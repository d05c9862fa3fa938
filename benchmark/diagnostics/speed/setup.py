"""What speed is measured on: methods as the suite sets them, drawn pictures, a device."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmark.common.errors import unknown
from benchmark.data import splits, tasks
from benchmark.data.images import ImageList, LabelledImages
from benchmark.method import registry
from benchmark.miniature import banks, scenes
from benchmark.suites import expand, load
from benchmark.suites.unit import Unit

TASK = "coco-lt"
COUNTS = {"train": 1909, "test": 5000}  # images of the official COCO-LT
_sprites = cache(banks.instances)


@dataclass(frozen=True)
class Choice:
    """What the flags of --steps and --paper choose; None, or no names, stands for all."""

    cache: Path
    device: str
    backbone: str
    images: int | None = None
    only: Sequence[str] = ()
    rounds: int = 2
    threads: int | None = None
    classes: int | None = None
    methods: Sequence[str] = ()
    epochs: int | None = None


def units(scale: str, methods: Sequence[str] = ()) -> list[Unit]:
    """Suite cimlic's methods, or these of suite paper, on coco-lt with a scale's settings, seed 0.

    InputError for a method that the suite does not have.
    """
    suite = load.load_suite("paper" if methods else "cimlic")
    labels = [entry.label for entry in suite.methods]
    for name in methods:
        if name not in labels:
            raise unknown("method of suite paper", name, labels)
    chosen = tuple(entry for entry in suite.methods if entry.label in (methods or labels))
    infos = {name: tasks.unread(name) for name in tasks.ALL}
    known = expand.Known(scale, infos, registry.methods(), "", "")
    return expand.expand(replace(suite, tasks=(TASK,), methods=chosen), known, seeds=(0,))


def pictures(
    folder: Path, side: int, part: str, count: int | None = None, classes: int | None = None
) -> LabelledImages:
    """Scenes of (side, side) pixels below the folder, each drawn once; the first `count`, or all.

    They follow the miniature's list of the part, "train" or "test", gone through anew where the
    official one is longer; labels are of the first `classes`, or all.
    """
    folder, split = folder / str(side), splits.read(TASK, "miniature")
    count = min(count or COUNTS[part], COUNTS[part])
    rows = islice(cycle(splits.entries(split, f"{part}.txt")), count)
    paths = tuple(f"{part}/{n:05d}.jpg" for n in range(count))
    labels = np.zeros((count, len(split.classes)), np.float32)
    (folder / part).mkdir(parents=True, exist_ok=True)
    for n, (path, (_, drawn)) in enumerate(zip(paths, rows, strict=True)):
        labels[n, list(drawn)] = 1
        if not (folder / path).exists():
            bank = {name: _sprites(name, 4, (0,)) for name in (split.classes[k] for k in drawn)}
            style, random = scenes.BENCHMARK, np.random.default_rng(n)
            image, _ = scenes.compose(list(bank), style, bank, random)
            image.resize((side, side), Image.Resampling.BICUBIC).save(folder / path, quality=90)
    return LabelledImages(ImageList(folder, paths), labels[:, :classes], split.classes[:classes])


def wait(device: str) -> None:
    """Until the device has done all that it was asked for."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def rate(step: Callable[[], object], count: int, device: str, seconds: float) -> float:
    """Counts a second of a step that counts so much: repeated for a while, once to warm up."""
    step()
    wait(device)
    began, times = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step()
        wait(device)
        times += 1
    return times * count / (time.perf_counter() - began)


def device_name(device: str) -> str:
    """For people: the GPU's name, or the CPU's threads."""
    threads = f"cpu, {torch.get_num_threads()} thread(s)"
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else threads
