"""Fast against plain: one training step and one epoch of each method, in pairs of runs."""

from __future__ import annotations

import dataclasses
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmark.clip import resolve
from benchmark.clip.model import load
from benchmark.common import environment
from benchmark.common.errors import unknown
from benchmark.data.images import LabelledImages
from benchmark.diagnostics.speed import flops, setup
from benchmark.diagnostics.speed.bench import CASES, SHAPES, Bench, Pass, Shape
from benchmark.diagnostics.speed.step_timer import PARTS
from benchmark.method import discovery
from benchmark.runner import process

WAYS = ("fast", "plain")  # the fast way goes first: what it takes to prepare is measured then
_STEPS = 5  # of a run
_LONG = 3.0  # seconds a step from which a run has one step only: it needs no warming up
_HEAVY = 10.0  # from which the run that counts operations is on the clock: that adds 0.3 s to it
_BUDGET = 60.0  # seconds of steps after which a case begins no other pair
_EPOCHS = 15.0  # the same of whole epochs, of which one has many steps
Found = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """What the flags choose; None stands for the full number."""

    device: str
    cache: Path
    only: tuple[str, ...] = ()
    rounds: int = 2
    threads: int | None = None
    images: int | None = None
    classes: int | None = None


def names() -> list[str]:
    """All that can be measured: shape, method and, where it has several, stage."""
    return [f"{shape}.{case}" for shape in SHAPES for case in CASES]


def chosen(only: Sequence[str]) -> list[str]:
    """The names that begin with one of `only`, all if there is none; InputError for others."""
    for start in only:
        if not any(_below(name, start) for name in names()):
            raise unknown("measurement", start, names())
    return [n for n in names() if not only or any(_below(n, start) for start in only)]


def _below(name: str, start: str) -> bool:
    return f"{name}.".startswith(f"{start}.")


def measure(choice: Choice) -> Found:
    """All numbers by their dotted names; `--help` says what they are."""
    wanted = chosen(choice.only)
    device = process.devices(choice.device, 1, 1)[0]
    process.make_deterministic(device)
    if device == "cpu":
        torch.set_num_threads(choice.threads or environment.cores())
    found: Found = {
        "device": setup.device_name(device),
        "torch": torch.__version__,
        "matmul_gflop_per_second": flops.limit(device),
    }
    choice.cache.mkdir(parents=True, exist_ok=True)
    for shape in SHAPES:
        cases = [name for name in wanted if _below(name, shape)]
        if cases:
            found |= _shape(shape, cases, choice, device)
    return found


def _shape(name: str, wanted: list[str], choice: Choice, device: str) -> Found:
    shape, found = SHAPES[name], {}
    model = load(resolve.resolve(shape.backbone, shape.scale), device)
    train = _train(shape, model.image_size, choice)
    labels = sorted({case.label for case in CASES.values()})
    units = {unit.label: unit for unit in setup.units(shape.scale, labels)}
    classes, whole = discovery.discover(), setup.TRAIN if choice.images is None else choice.images
    stages: dict[str, Found] = {}
    for full in wanted:
        part = full.removeprefix(f"{name}.")
        unit = units[CASES[part].label]
        print(f"{full} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=choice.cache, prefix="speed-") as scratch:
            bench = Bench(CASES[part], unit, classes[unit.method], model, train)
            stages[part] = _case(bench, shape, min(whole, setup.TRAIN), choice, Path(scratch))
        found |= {f"{full}.{key}": value for key, value in stages[part].items()}
    both = [stages.get(f"hpdval.{stage}") for stage in ("stage1", "stage2")]
    if all(both):
        found |= {f"{name}.hpdval.{key}": value for key, value in _together(both).items()}
    return found


def _train(shape: Shape, side: int, choice: Choice) -> LabelledImages:
    """All training images where an epoch is measured, else one batch, of all or some classes."""
    most = setup.TRAIN if shape.whole else 32
    count = min(choice.images or most, most)
    train, _ = setup.pictures(choice.cache / "speed", side, count, 0)
    labels, known = train.labels[:, : choice.classes], train.class_names[: choice.classes]
    return dataclasses.replace(train, labels=labels, class_names=known)


def _case(bench: Bench, shape: Shape, images: int, choice: Choice, scratch: Path) -> Found:
    """Both ways in turn: once to warm up, count and compare, then in pairs on the clock."""
    first = {way: bench.steps(way, scratch, 1, count=True) for way in WAYS}
    pairs = _pairs(bench, shape, choice.rounds, first, scratch)
    told = pairs
    if bench.clip.device != "cpu":  # shares need pauses, which those on the clock went without
        told = [{way: bench.steps(way, scratch, _STEPS, borders=True) for way in WAYS}]
    ways = {w: _way([p[w] for p in pairs], [p[w] for p in told], first[w]) for w in WAYS}
    measured, on = (pairs[0], bench.train) if shape.whole else (first, bench.batch)
    prepared = measured["fast"].prepared * bench.encodings * images / len(on.images)
    steps = math.ceil(images / bench.settings["batch_size"])
    for way, numbers in ways.items():
        once = prepared / bench.epochs if way == "fast" else 0.0
        numbers["epoch_seconds"] = steps * numbers["step_seconds"] + once
    return {
        "step_ratio": _median(pair["plain"].step / pair["fast"].step for pair in pairs),
        "epoch_ratio": ways["plain"]["epoch_seconds"] / ways["fast"]["epoch_seconds"],
        "pairs": len(pairs),
        "batch": len(bench.batch.images),
        "classes": len(bench.train.class_names),
        "context": bench.settings["context"],
        "steps_an_epoch": steps,
        "epochs": bench.epochs,
        "epoch_measured": shape.whole,
        "features_seconds": prepared,
        **_differences(first["plain"], first["fast"]),
        **{f"{way}.{key}": value for way in WAYS[::-1] for key, value in ways[way].items()},
    }


def _pairs(
    bench: Bench, shape: Shape, rounds: int, first: Mapping[str, Pass], scratch: Path
) -> list[dict[str, Pass]]:
    """Runs of both ways, in alternating order. A heavy step's first run counts as one of them."""
    heavy = {} if shape.whole else {w: one for w, one in first.items() if one.step > _HEAVY}
    spent, budget = sum(one.step for one in heavy.values()), _EPOCHS if shape.whole else _BUDGET
    pairs: list[dict[str, Pass]] = []
    while not pairs or (len(pairs) < rounds and spent < budget):
        began = time.perf_counter()
        pair = {} if pairs else dict(heavy)
        for way in WAYS[::-1] if len(pairs) % 2 else WAYS:
            if way in pair:
                continue
            if shape.whole:
                pair[way] = bench.epoch(way, scratch)
            else:
                steps = 1 if first[way].step > _LONG else _STEPS
                pair[way] = bench.steps(way, scratch, steps)
        pairs.append(pair)
        spent += time.perf_counter() - began
    return pairs


def _way(timed: list[Pass], told: list[Pass], counted: Pass) -> Found:
    """What one way of a case took: seconds a step, the parts' shares, operations and their rate."""
    step, total = _median(one.step for one in timed), sum(counted.flop.values())
    numbers = {"step_seconds": step}
    for part in PARTS:
        shares = [one.parts.get(part, 0.0) / sum(one.parts.values()) for one in told]
        numbers[f"{part}_share"] = statistics.mean(shares)
    for part in PARTS:
        numbers[f"{part}_gflop"] = counted.flop.get(part, 0) / 1e9
    return numbers | {"gflop": total / 1e9, "gflop_per_second": total / 1e9 / step}


def _differences(plain: Pass, fast: Pass) -> Found:
    """How far the first step's loss and gradients are apart, relative to those of the plain way."""
    pairs = list(zip(plain.gradients, fast.gradients, strict=True))
    apart = sum(float((a - b).double().square().sum()) for a, b in pairs)
    whole = sum(float(a.double().square().sum()) for a, _ in pairs)
    return {
        "loss_difference": abs(plain.loss - fast.loss) / abs(plain.loss),
        "gradient_difference": math.sqrt(apart / whole),
    }


def _together(stages: Sequence[Found]) -> Found:
    """Both stages of a method as one: its mean step and epoch over all of its training."""
    steps = [one["steps_an_epoch"] * one["epochs"] for one in stages]
    epochs = [one["epochs"] for one in stages]
    found: Found = {}
    for way in WAYS:
        for name, weights in (("step", steps), ("epoch", epochs)):
            values = [one[f"{way}.{name}_seconds"] for one in stages]
            mean = sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
            found[f"{way}.{name}_seconds"] = mean
    ratios = {
        f"{name}_ratio": found[f"plain.{name}_seconds"] / found[f"fast.{name}_seconds"]
        for name in ("step", "epoch")
    }
    return ratios | found


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
