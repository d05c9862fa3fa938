"""Fast against plain: one training step and one epoch of each method, in pairs of runs."""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch

from benchmark.clip import resolve
from benchmark.clip.model import load
from benchmark.common import environment
from benchmark.common.errors import unknown
from benchmark.common.text import aligned
from benchmark.diagnostics.speed import setup
from benchmark.diagnostics.speed.bench import CASES, Bench
from benchmark.diagnostics.speed.step_timer import PARTS, StepTimer
from benchmark.runner import devices

SHAPES = {  # their backbones; what is before a dot is the scale
    "paper.vitb16": f"ViT-B-16-quickgelu:{resolve.RANDOM}",
    "paper.rn50": f"RN50-quickgelu:{resolve.RANDOM}",
    "miniature": resolve.DEFAULT["miniature"],
}
NAMES = tuple(f"{shape}.{case}" for shape in SHAPES for case in CASES)
STAGES = ("hpdval.stage1", "hpdval.stage2")
WAYS = ("fast", "plain")  # the fast way goes first: what it takes to prepare is measured then
_STEPS = 5  # of a run
_LONG = 3.0  # seconds a step from which a run has one step only: it needs no warming up
_HEAVY = 10.0  # from which the run that counts operations is on the clock: that adds 0.3 s to it
_BUDGET = 60.0  # seconds of steps after which a case begins no other pair
_EPOCHS = 15.0  # the same of whole epochs, of which one has many steps
_BATCH = 32  # images that suffice where no whole epoch is measured
_MATRIX, _MATRIX_SECONDS = 2048, 1.0  # square ones, by which the device's own speed is taken
Found = dict[str, Any]
Pair = Mapping[str, StepTimer]  # by the way

EXPLAINED = """\
plain  the image tower encodes each batch in the loop (without gradients where it is frozen), and
       each prompt goes whole through the text tower, all 77 tokens, on its own: as the authors'
       code does it
fast   frozen features are cached, the text is encoded as the suite does it
Both ways run the same method's class from the same seeds on the same batches; pictures are decoded
before and not augmented. A ratio is plain / fast: the median of the pairs for a step. An epoch of
the fast way has its share of encoding all training images (and all augmented views that the suite
asks for), spread over its epochs. At miniature shapes whole epochs are measured; at the paper's,
an epoch is so many times the measured step. hpdval without a stage: both, as the suite's epochs
weigh them. GFLOP are those of matrix products, attention and convolutions. Apart: how much the
first step's gradients differ, relative. In HP-DVAL's stage 1 the student still equals its teacher
there, so that rounding alone decides the sign of the gradient of L1 distillation."""


def chosen(only: Sequence[str]) -> list[str]:
    """The names that begin with one of `only`, all if there is none; InputError for others."""
    found = {start: [n for n in NAMES if f"{n}.".startswith(f"{start}.")] for start in only}
    if absent := [start for start, names in found.items() if not names]:
        raise unknown("measurement", absent[0], NAMES)
    return [name for name in NAMES if not only or any(name in some for some in found.values())]


def measure(choice: setup.Choice) -> Found:
    """All numbers by their dotted names; `--help` says what they are."""
    wanted = chosen(choice.only)
    device = devices.worker_devices(choice.device, 1, 1)[0]
    devices.make_deterministic(device)
    if device == "cpu":
        torch.set_num_threads(choice.threads or environment.cores())
    matrix = torch.randn(_MATRIX, _MATRIX, device=device)
    flop = setup.rate(lambda: matrix @ matrix, 2 * _MATRIX**3, device, _MATRIX_SECONDS)
    found: Found = {
        "device": setup.device_name(device),
        "torch": torch.__version__,
        "matmul_gflop_per_second": flop / 1e9,
    }
    for shape in SHAPES:
        if cases := [case for case in CASES if f"{shape}.{case}" in wanted]:
            found |= _shape(shape, cases, choice, device)
    return found


def _shape(shape: str, cases: Sequence[str], choice: setup.Choice, device: str) -> Found:
    scale = shape.partition(".")[0]
    clip = load(resolve.resolve(SHAPES[shape], scale), device)
    most = _BATCH if scale == "paper" else setup.COUNTS["train"]
    folder, count = choice.cache / "speed", min(choice.images or most, most)
    train = setup.pictures(folder, clip.image_size, "train", count, choice.classes)
    labels = [case.partition(".")[0] for case in cases]
    units, found = {unit.label: unit for unit in setup.units(scale, labels)}, {}
    for case in cases:
        print(f"{shape}.{case} ...", file=sys.stderr, flush=True)
        bench = Bench(case, units[case.partition(".")[0]], clip, train)
        with tempfile.TemporaryDirectory(dir=choice.cache, prefix="speed-") as scratch:
            found[case] = _case(bench, choice, Path(scratch))
    if found.keys() >= set(STAGES):
        found["hpdval"] = _together([found[stage] for stage in STAGES])
    return {f"{shape}.{case}.{k}": v for case, numbers in found.items() for k, v in numbers.items()}


def _case(bench: Bench, choice: setup.Choice, scratch: Path) -> Found:
    """Both ways in turn: once to warm up, count and compare, then in pairs on the clock."""
    first = {way: bench.steps(way, scratch, 1, count=True) for way in WAYS}
    pairs = told = _pairs(bench, choice.rounds, first, scratch)
    if bench.clip.device != "cpu":  # shares need pauses, which those on the clock went without
        told = [{way: bench.steps(way, scratch, _STEPS, borders=True) for way in WAYS}]
    ways = {w: _way([p[w] for p in pairs], [p[w] for p in told], first[w]) for w in WAYS}
    images = min(choice.images or setup.COUNTS["train"], setup.COUNTS["train"])
    measured, on = (pairs[0], bench.train) if bench.whole else (first, bench.batch)
    prepared = measured["fast"].prepared * bench.encodings * images / len(on.images)
    steps = math.ceil(images / bench.settings["batch_size"])
    for way, once in (("fast", prepared / bench.epochs), ("plain", 0.0)):
        ways[way]["epoch_seconds"] = steps * ways[way]["step_seconds"] + once
    return {
        "step_ratio": median(pair["plain"].step / pair["fast"].step for pair in pairs),
        "epoch_ratio": ways["plain"]["epoch_seconds"] / ways["fast"]["epoch_seconds"],
        "pairs": len(pairs),
        "batch": len(bench.batch.images),
        "classes": len(bench.train.class_names),
        "context": bench.settings.get("context"),
        "steps_an_epoch": steps,
        "epochs": bench.epochs,
        "epoch_measured": bench.whole,
        "features_seconds": prepared,
        **_differences(first["plain"], first["fast"]),
        **{f"{way}.{key}": value for way in WAYS[::-1] for key, value in ways[way].items()},
    }


def _pairs(bench: Bench, rounds: int, first: Pair, scratch: Path) -> list[Pair]:
    """Runs of both ways, in alternating order. A heavy step's first run counts as one of them."""
    done = {w: one for w, one in first.items() if one.step > _HEAVY and not bench.whole}
    spent, budget = sum(one.step for one in done.values()), _EPOCHS if bench.whole else _BUDGET
    pairs: list[Pair] = []
    while not pairs or (len(pairs) < rounds and spent < budget):
        began = time.perf_counter()
        pair = {} if pairs else dict(done)
        for way in WAYS[::-1] if len(pairs) % 2 else WAYS:
            if way not in pair:
                steps = 1 if first[way].step > _LONG else _STEPS
                pair[way] = bench.steps(way, scratch, None if bench.whole else steps)
        pairs.append(pair)
        spent += time.perf_counter() - began
    return pairs


def _way(timed: list[StepTimer], told: list[StepTimer], counted: StepTimer) -> Found:
    """What one way of a case took: seconds a step, the parts' shares, operations and their rate."""
    step, total = median(one.step for one in timed), sum(counted.flop.values()) / 1e9
    shares = {f"{p}_share": fmean(o.parts[p] / sum(o.parts.values()) for o in told) for p in PARTS}
    gflop = {f"{part}_gflop": counted.flop[part] / 1e9 for part in PARTS}
    rates = {"gflop": total, "gflop_per_second": total / step}
    return {"step_seconds": step} | shares | gflop | rates


def _differences(plain: StepTimer, fast: StepTimer) -> Found:
    """How far the first step's loss and gradients are apart, relative to those of the plain way."""
    pairs = list(zip(plain.gradients, fast.gradients, strict=True))
    apart = sum(float((a - b).double().square().sum()) for a, b in pairs)
    whole = sum(float(a.double().square().sum()) for a, _ in pairs)
    loss = abs(plain.loss - fast.loss) / abs(plain.loss)
    return {"loss_difference": loss, "gradient_difference": math.sqrt(apart / whole)}


def _together(stages: Sequence[Found]) -> Found:
    """Both stages of a method as one: its mean step and epoch over all of its training."""
    epochs = [one["epochs"] for one in stages]
    steps = [one["epochs"] * one["steps_an_epoch"] for one in stages]
    found: Found = {}
    for name, weights in (("step", steps), ("epoch", epochs)):
        for key in (f"{way}.{name}_seconds" for way in WAYS):
            found[key] = fmean([one[key] for one in stages], weights)
        found[f"{name}_ratio"] = found[f"plain.{name}_seconds"] / found[f"fast.{name}_seconds"]
    return found


def text(found: Found) -> str:
    """Times and ratios, then where the time goes, then the explanation."""
    names = [key.removesuffix(".step_ratio") for key in found if key.endswith(".step_ratio")]
    measured = [name for name in names if f"{name}.pairs" in found]
    head = (
        f"{found['device']}, torch {found['torch']}, float32; large matrix products: "
        f"{found['matmul_gflop_per_second']:.0f} GFLOP/s"
    )
    times = [["", "step plain", "fast", "ratio", "epoch plain", "fast", "ratio", "pairs", "apart"]]
    for name in names:
        row = [name]
        for what in ("step", "epoch"):
            row += [_seconds(found[f"{name}.{way}.{what}_seconds"]) for way in WAYS[::-1]]
            row.append(f"{found[f'{name}.{what}_ratio']:.1f}")
        apart = f"{found[f'{name}.gradient_difference']:.0e}" if name in measured else ""
        times.append([*row, str(found.get(f"{name}.pairs", "")), apart])
    shares = [["time of a step in", *PARTS, "GFLOP a step", "GFLOP/s"]]
    for name, way in ((name, way) for name in measured for way in WAYS[::-1]):
        cells = [f"{100 * found[f'{name}.{way}.{part}_share']:.0f} %" for part in PARTS]
        cells += [f"{found[f'{name}.{way}.{key}']:.1f}" for key in ("gflop", "gflop_per_second")]
        shares.append([f"{name} {way}", *cells])
    return "\n".join([head, "", *aligned(times), "", *aligned(shares), "", EXPLAINED])


def _seconds(value: float) -> str:
    return f"{1000 * value:.1f} ms" if value < 0.1 else f"{value:.{2 if value < 10 else 0}f} s"
