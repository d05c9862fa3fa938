"""The paper's shapes, phase by phase: what the long-tailed comparison on COCO costs here."""

from __future__ import annotations

import math
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.clip import resolve
from benchmark.common.text import aligned
from benchmark.diagnostics.speed import setup
from benchmark.method.run import Run
from benchmark.runner import process
from benchmark.runner.workspace import Workspace
from benchmark.suites.unit import Unit

SIDE = 224
_LIMIT_SECONDS = 2.0  # how long the bare image tower is timed
_TOWER_STAGES = ("base", "stage 1")  # the stages that run and train the image tower


@dataclass(frozen=True)
class Choice:
    """What the flags choose; None stands for the full number, () for all methods."""

    device: str
    backbone: str
    methods: tuple[str, ...]
    images: int | None
    epochs: int | None
    cache: Path


class Clock(list):
    """A loss curve that notes when each epoch ended."""

    def append(self, item: dict[str, Any]) -> None:
        super().append(item | {"at": time.perf_counter()})


def measure(choice: Choice) -> dict[str, Any]:
    """Seconds, images a second and peak memory of each phase and method, as plain data."""
    units = setup.units("paper", choice.methods)
    device = process.devices(choice.device, 1, 1)[0]
    backbone = resolve.resolve(choice.backbone, "paper")
    choice.cache.mkdir(parents=True, exist_ok=True)
    limits = (choice.images,) * 2 if choice.images else ()
    train, test = setup.pictures(choice.cache / "speed", SIDE, *limits)
    with tempfile.TemporaryDirectory(dir=choice.cache, prefix="speed-") as scratch:
        workspace = Workspace(
            backbone=backbone, device=device, cache=Path(scratch), root=train.images.root
        )
        limit = _limit(workspace)
        kinds = sorted({"global", *(_value(u, "local") for u in units if _value(u, "local"))})
        return {
            "device": setup.device_name(device),
            "backbone": backbone.name,
            "images": {"train": len(train.images), "test": len(test.images)},
            "limit": limit,
            "phases": _phases(workspace, (train, test), kinds, limit),
            "methods": {u.label: _method(workspace, u, train, test, choice, limit) for u in units},
        }


def text(found: dict[str, Any]) -> str:
    """The measurement as a table."""
    images, limit = found["images"], found["limit"]
    rows = [["phase", "seconds", "images/s", "of the limit", "peak GiB"]]
    for name, part in found["phases"].items():
        rows.append([name, *_cells(part), ""])
    for label, part in found["methods"].items():
        for stage, numbers in part["stages"].items():
            rows.append([f"{label} {stage}, {numbers['epochs']} epochs", *_cells(numbers), ""])
        memory = f"{part['peak_gib']:.1f}"
        rows.append([f"{label} fit", f"{part['fit']:.1f}", "", "", memory])
        rows.append([f"{label} predict", f"{part['predict']:.1f}", "", "", ""])
    head = (
        f"{found['device']}, {found['backbone']}, {images['train']} training and {images['test']} "
        f"test images of {SIDE} px\nlimit of the bare image tower: {limit['forward']:.1f} images/s "
        f"forward, {limit['train']:.1f} forward and backward"
    )
    short = [
        f"{label}: at the suite's own epochs about {part['fit_expected']:.0f} s to fit"
        for label, part in found["methods"].items()
        if not math.isclose(part["fit_expected"], part["fit"])
    ]
    return "\n".join([head, "", *aligned(rows), *([""] if short else []), *short])


def _cells(numbers: dict[str, Any]) -> list[str]:
    share = numbers.get("of_limit")
    rate = f"{numbers['images_per_second']:.1f}"
    return [f"{numbers['seconds']:.1f}", rate, "" if share is None else f"{share:.2f}"]


def _value(unit: Unit, name: str) -> Any:
    return dict(unit.hyperparameters).get(name)


def _limit(workspace: Workspace) -> dict[str, float]:
    """Images a second of the image tower alone, its input already on the device."""
    run = workspace.run("speed")
    side = run.clip.image_size
    student = run.clip.student()
    most = (
        128 if workspace.device.startswith("cuda") else 8
    )  # a CPU is busy with few images already
    whole = torch.randn(most, 3, side, side, device=workspace.device)
    part = whole[:32]

    @torch.inference_mode()
    def forward() -> int:
        run.clip.visual(whole)
        return len(whole)

    def train() -> int:
        output = student(part)
        (output[0] if isinstance(output, tuple) else output).sum().backward()
        student.zero_grad(set_to_none=True)
        return len(part)

    return {"forward": _rate(forward, workspace.device), "train": _rate(train, workspace.device)}


def _rate(step: Callable[[], int], device: str) -> float:
    """Images a second of a step that returns how many it took, after one step to warm up."""
    step()
    setup.wait(device)
    began, images = time.perf_counter(), 0
    while time.perf_counter() - began < _LIMIT_SECONDS:
        images += step()
        setup.wait(device)
    return images / (time.perf_counter() - began)


def _phases(
    workspace: Workspace, parts, kinds: list[str], limit: dict[str, float]
) -> dict[str, Any]:
    """What all methods share: decoding, and frozen features of each kind that a method asks for."""
    run = workspace.run("speed")
    count = sum(len(part.images) for part in parts)
    seconds = _timed(lambda: [run.pixels(part.images) for part in parts], workspace.device)
    found = {"pictures": {"seconds": seconds, "images_per_second": count / seconds}}
    for kind in kinds:
        seconds = _timed(
            lambda k=kind: [run.features(p.images, k) for p in parts], workspace.device
        )
        rate = count / seconds
        found[f"features {kind}"] = {
            "seconds": seconds,
            "images_per_second": rate,
            "of_limit": rate / limit["forward"],
        }
    return found


def _method(workspace: Workspace, unit: Unit, train, test, choice: Choice, limit) -> dict[str, Any]:
    """Fit and predict with a clock on each epoch."""
    settings = dict(unit.hyperparameters)
    full = {k: v for k, v in settings.items() if k == "epochs" or k.endswith("_epochs")}
    less = {k: min(v, choice.epochs or v) for k, v in full.items()}
    method = workspace.classes[unit.method](**settings | less)
    run: Run = workspace.run("speed")
    run.curve = Clock()
    _forget_peak(workspace.device)
    began = time.perf_counter()
    fit = _timed(lambda: method.fit(train, run), workspace.device)
    predict = _timed(lambda: method.predict(test.images, run), workspace.device)
    stages = dict(_stages(run.curve, began, len(train.images), limit))
    names = [name for name, value in full.items() if value and name != "novel_epochs"]
    expected = fit
    for name, stage in zip(names, stages.values(), strict=False):
        expected += (full[name] - less[name]) * stage["seconds"] / stage["epochs"]
    return {
        "fit": fit,
        "fit_expected": expected,
        "predict": predict,
        "stages": stages,
        "peak_gib": _peak(workspace.device),
    }


def _stages(curve: Clock, began: float, images: int, limit) -> Iterator[tuple[str, dict]]:
    """Each stage's epochs; its rate is that of the median epoch, so that set-up does not count."""
    before = began
    for stage in dict.fromkeys(item["stage"] for item in curve):
        ends = [item["at"] for item in curve if item["stage"] == stage]
        epochs = np.diff([before, *ends]).tolist()
        rate = images / statistics.median(epochs)
        found = {"epochs": len(ends), "seconds": sum(epochs), "images_per_second": rate}
        if stage in _TOWER_STAGES:
            found["of_limit"] = rate / limit["train"]
        before = ends[-1]
        yield stage, found


def _timed(step: Callable[[], Any], device: str) -> float:
    setup.wait(device)
    began = time.perf_counter()
    step()
    setup.wait(device)
    return time.perf_counter() - began


def _forget_peak(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: str) -> float:
    """GiB: on CUDA what tensors took since `_forget_peak`, on the CPU the process's most so far."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
