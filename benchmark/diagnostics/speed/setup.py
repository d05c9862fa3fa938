"""What the speed commands measure on: methods as the suite sets them, drawn pictures, a device."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmark.common.errors import unknown
from benchmark.data import splits, tasks
from benchmark.data.images import ImageList, LabelledImages
from benchmark.method import registry
from benchmark.miniature import scenes
from benchmark.suites import expand, load
from benchmark.suites.expand import Known
from benchmark.suites.unit import Unit

TASK = "coco-lt"
TRAIN, TEST = 1909, 5000  # images of the official COCO-LT


def units(scale: str, methods: Sequence[str] = ()) -> list[Unit]:
    """The methods of suite cimlic (or some of them) on coco-lt with a scale's settings, seed 0."""
    infos = {name: tasks.info(name, "") for name in (*tasks.TASKS, *tasks.HOLDOUTS)}
    whole = load.load_suite("cimlic")
    for name in methods:
        if name not in {entry.label for entry in whole.methods}:
            raise unknown("method of suite cimlic", name, (e.label for e in whole.methods))
    chosen = tuple(e for e in whole.methods if not methods or e.label in methods)
    known = Known(scale, infos, registry.methods(), "", "")
    return expand.expand(
        dataclasses.replace(whole, tasks=(TASK,), methods=chosen), known, seeds=(0,)
    )


def pictures(
    folder: Path, side: int, train: int = TRAIN, test: int = TEST
) -> tuple[LabelledImages, LabelledImages]:
    """Drawn scenes of (side, side) pixels below the folder, drawn once; at most `train` and `test`.

    They follow the miniature's lists of coco-lt; its test list is gone through twice.
    """
    folder = folder / str(side)
    split = splits.read(TASK, "miniature")
    known = scenes.bank(4, 0)
    parts = []
    for file, count in (("train.txt", min(train, TRAIN)), ("test.txt", min(test, TEST))):
        rows = splits.entries(split, file)
        rows = [rows[n % len(rows)] for n in range(count)]
        paths = [f"{Path(file).stem}/{n:05d}.jpg" for n in range(len(rows))]
        (folder / Path(file).stem).mkdir(parents=True, exist_ok=True)
        matrix = np.zeros((len(rows), len(split.classes)), np.float32)
        for n, (path, (_, labels)) in enumerate(zip(paths, rows, strict=True)):
            matrix[n, list(labels)] = 1
            if not (folder / path).exists():
                image = _draw([split.classes[k] for k in labels], known, n, side)
                image.save(folder / path, quality=90)
        parts.append(LabelledImages(ImageList(folder, tuple(paths)), matrix, split.classes))
    return parts[0], parts[1]


def _draw(names: list[str], known: scenes.Bank, seed: int, side: int) -> Image.Image:
    image, _ = scenes.compose(names, scenes.BENCHMARK, known, np.random.default_rng(seed))
    return image.resize((side, side), Image.Resampling.BICUBIC)


def wait(device: str) -> None:
    """Until the device has done all that it was asked for."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def device_name(device: str) -> str:
    """For people: the GPU's name, or the CPU's threads."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} thread(s)"
