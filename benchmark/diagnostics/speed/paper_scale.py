"""The paper's shapes, phase by phase: what the long-tailed comparison on COCO costs here."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
import torch

from benchmark.clip import resolve
from benchmark.common.environment import GIB
from benchmark.common.text import aligned
from benchmark.data.images import LabelledImages
from benchmark.diagnostics.speed import setup
from benchmark.runner import devices
from benchmark.runner.workspace import Workspace
from benchmark.suites.unit import Unit

SIDE = 224
_LIMIT_SECONDS = 2.0  # how long the bare image tower is timed
_TOWER_STAGES = ("base", "stage 1")  # the stages that run and train the image tower
Found = dict[str, Any]
Parts = Sequence[LabelledImages]  # train and test


def measure(choice: setup.Choice) -> Found:
    """Seconds, images a second and peak memory of each phase and method, as plain data."""
    units = setup.units("paper", choice.methods)
    device = devices.worker_devices(choice.device, 1, 1)[0]
    backbone = resolve.resolve(choice.backbone, "paper")
    root = choice.cache / "speed"
    parts = [setup.pictures(root, SIDE, part, choice.images) for part in ("train", "test")]
    with tempfile.TemporaryDirectory(dir=choice.cache, prefix="speed-") as scratch:
        workspace = Workspace(backbone=backbone, device=device, cache=Path(scratch), root=root)
        limit, most = _limit(workspace), choice.epochs or math.inf
        return {
            "device": setup.device_name(device),
            "backbone": backbone.name,
            "images": {"train": len(parts[0].images), "test": len(parts[1].images)},
            "limit": limit,
            "phases": _phases(workspace, units, parts, limit),
            "methods": {u.label: _method(workspace, u, parts, most, limit) for u in units},
        }


def _limit(workspace: Workspace) -> Found:
    """Images a second of the image tower alone, its input already on the device."""
    clip, device = workspace.store().clip, workspace.device
    student, side = clip.student(), clip.image_size
    most = 128 if device.startswith("cuda") else 8  # a CPU is busy with few images already
    images = torch.randn(most, 3, side, side, device=device)
    batch = images[:32]

    def train() -> None:
        output = student(batch)
        (output[0] if isinstance(output, tuple) else output).sum().backward()
        student.zero_grad(set_to_none=True)

    with torch.inference_mode():
        forward = setup.rate(lambda: clip.visual(images), most, device, _LIMIT_SECONDS)
    return {"forward": forward, "train": setup.rate(train, len(batch), device, _LIMIT_SECONDS)}


def _phases(workspace: Workspace, units: Sequence[Unit], parts: Parts, limit: Found) -> Found:
    """What all methods share: decoding, and frozen features of each kind that a method asks for."""
    run, count, found = workspace.run("speed"), sum(len(part.images) for part in parts), {}
    kinds = {dict(unit.hyperparameters).get("local") or "global" for unit in units} | {"global"}
    steps = {f"features {kind}": partial(run.features, kind=kind) for kind in sorted(kinds)}
    for name, step in ({"pictures": run.pixels} | steps).items():
        _, seconds = workspace.timed(lambda s=step: [s(part.images) for part in parts])
        found[name] = {"seconds": seconds, "images_per_second": count / seconds}
        if name in steps:
            found[name]["of_limit"] = count / seconds / limit["forward"]
    return found


class Clock(list):
    """A loss curve that notes when each epoch ended."""

    def append(self, item: dict[str, Any]) -> None:
        super().append(item | {"at": time.perf_counter()})


def _method(workspace: Workspace, unit: Unit, parts: Parts, most: float, limit: Found) -> Found:
    """Fit and predict with a clock on each epoch, of which there are at most so many a stage."""
    settings, (train, test) = dict(unit.hyperparameters), parts
    full = {k: v for k, v in settings.items() if k == "epochs" or k.endswith("_epochs")}
    less = {k: min(v, most) for k, v in full.items()}
    method = workspace.classes[unit.method](**settings | less)
    run = workspace.run("speed")
    run.curve = Clock()
    cuda = workspace.device.startswith("cuda")
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    _, fit = workspace.timed(lambda: method.fit(train, run))
    _, predict = workspace.timed(lambda: method.predict(test.images, run))
    # What tensors took; on the CPU the process's most so far.
    peak = torch.cuda.max_memory_allocated() if cuda else 1024 * getrusage(RUSAGE_SELF).ru_maxrss
    found = {"fit": fit, "fit_expected": fit, "predict": predict, "peak_gib": peak / GIB}
    found["stages"] = _stages(run.curve, began, len(train.images), limit)
    names = [name for name, value in full.items() if value and name != "novel_epochs"]
    for name, stage in zip(names, found["stages"].values(), strict=False):
        found["fit_expected"] += (full[name] - less[name]) * stage["seconds"] / stage["epochs"]
    return found


def _stages(curve: Clock, began: float, images: int, limit: Found) -> Found:
    """Each stage's epochs; its rate is that of the median epoch, so that set-up does not count."""
    found: Found = {}
    for stage in dict.fromkeys(item["stage"] for item in curve):
        ends = [item["at"] for item in curve if item["stage"] == stage]
        epochs = np.diff([began, *ends]).tolist()
        rate = images / statistics.median(epochs)
        found[stage] = {"epochs": len(ends), "seconds": sum(epochs), "images_per_second": rate}
        if stage in _TOWER_STAGES:
            found[stage]["of_limit"] = rate / limit["train"]
        began = ends[-1]
    return found


def text(found: Found) -> str:
    """The measurement as a table."""
    images, limit = found["images"], found["limit"]
    rows, short = [["phase", "seconds", "images/s", "of the limit", "peak GiB"]], []
    rows += [[name, *_cells(part), ""] for name, part in found["phases"].items()]
    for label, part in found["methods"].items():
        for stage, numbers in part["stages"].items():
            rows.append([f"{label} {stage}, {numbers['epochs']} epochs", *_cells(numbers), ""])
        rows.append([f"{label} fit", f"{part['fit']:.1f}", "", "", f"{part['peak_gib']:.1f}"])
        rows.append([f"{label} predict", f"{part['predict']:.1f}", "", "", ""])
        whole = part["fit_expected"]
        if not math.isclose(whole, part["fit"]):
            short.append(f"{label}: at the suite's own epochs about {whole:.0f} s to fit")
    head = (
        f"{found['device']}, {found['backbone']}, {images['train']} training and {images['test']} "
        f"test images of {SIDE} px\nlimit of the bare image tower: {limit['forward']:.1f} images/s "
        f"forward, {limit['train']:.1f} forward and backward"
    )
    return "\n".join([head, "", *aligned(rows), *([""] if short else []), *short])


def _cells(numbers: Found) -> list[str]:
    share = f"{numbers['of_limit']:.2f}" if "of_limit" in numbers else ""
    return [f"{numbers['seconds']:.1f}", f"{numbers['images_per_second']:.1f}", share]
