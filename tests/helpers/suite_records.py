"""Made-up but plausible records of whole suites, for the tests of the report."""

from __future__ import annotations

import csv
import io
import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmark.suites.unit import Unit

METHODS = {"zeroshot": 31.0, "coop": 27.5, "dualcoop": 29.0, "hpdval": 38.0}  # label: level
TASKS = ("coco-lt", "voc-lt", "coco-fs-1", "coco-fs-5", "voc-fs-1", "voc-fs-5")
VOC = {
    "person": 775, "chair": 479, "car": 249, "dining table": 240, "bottle": 154,
    "potted plant": 100, "couch": 82, "tv": 64, "dog": 48, "bicycle": 34, "cat": 29,
    "motorcycle": 20, "bus": 17, "boat": 14, "horse": 11, "bird": 8, "train": 7, "airplane": 6,
    "sheep": 5, "cow": 4,
}  # fmt: skip
COCO = {f"class {i:02d}": round(6 * 188 ** ((79 - i) / 79) ** 1.5) for i in range(80)}


def units(
    methods: Iterable[str] = METHODS,
    tasks: Iterable[str] = TASKS,
    seeds: int = 3,
    episodes: int = 10,
    scale: str = "miniature",
) -> list[Unit]:
    """Units of a suite in its order; zeroshot is deterministic."""
    out = []
    for task in tasks:
        few = "-fs-" in task
        turns = range(1, episodes + 1) if few else range(seeds)
        for label in methods:
            for turn in [*turns][: 1 if label == "zeroshot" else None]:
                at = {"seed": 0, "episode": turn} if few else {"seed": turn, "episode": None}
                out.append(unit(task, label, scale=scale, **at))
    return out


def unit(task: str, label: str, **fields) -> Unit:
    """One unit; `fields` replace the defaults."""
    settings = {
        "method": label,
        "method_version": 1,
        "hyperparameters": (("epochs", 10), ("lr", 0.01)),
        "scale": "miniature",
        "seed": 0,
        "episode": None,
        "split_sha256": task.split("-fs")[0] * 8,
        "backbone": "miniature-vit",
        "weights_sha256": "ab" * 32,
    }
    return Unit(task=task, label=label, **(settings | fields))


def record(u: Unit, **changes) -> dict:
    """A done record of the unit, drawn from its key; `changes` replace whole fields."""
    rng = random.Random(u.key)
    few = u.episode is not None
    counts = VOC if u.task.startswith("voc") else COCO
    level = METHODS.get(u.method, 33.0) + (22 if u.task.startswith("voc") else 0)
    level += (4 if "fs-5" in u.task else -3) if few else 0
    level += rng.gauss(0, 3.0 if few else 0.6)
    steep = {"coop": 7.0, "dualcoop": 3.0, "hpdval": 1.0}.get(u.method, -7.0)
    trait = {name: random.Random(name).gauss(0, 11) for name in counts}
    aps = {
        name: min(
            99.0, max(1.5, level + trait[name] + steep * math.log10(n / 40) + rng.gauss(0, 3))
        )
        for name, n in counts.items()
    }
    groups = {
        "map": list(aps.values()),
        "head": [aps[n] for n in counts if counts[n] >= 100],
        "medium": [aps[n] for n in counts if 20 <= counts[n] < 100],
        "tail": [aps[n] for n in counts if counts[n] < 20],
    }
    metrics = {name: sum(v) / len(v) for name, v in groups.items()}
    mean = metrics["map"]
    metrics["var"] = sum((v - mean) ** 2 for v in aps.values()) / len(aps)
    metrics |= {"novel": None, "map_softmax": mean + 6.1, "cf1": None, "of1": None}
    metrics["map_redraw"] = mean + 2.3 if u.task.startswith("coco-fs") else None
    if few:
        metrics |= {"head": None, "medium": None, "tail": None, "novel": mean}
    if u.method == "plain":
        metrics["map_softmax"] = None
    return {
        "schema": 1, "key": u.key, "suite": "cimlic", "scale": u.scale, "task": u.task,
        "setting": "few-shot" if few else "long-tailed", "label": u.label, "method": u.method,
        "method_version": u.method_version, "seed": u.seed, "episode": u.episode,
        "status": "done", "reason": None, "selection": "last", "metrics": metrics,
        "n_classes": {"all": len(counts)}, "per_class_ap": aps, "train_counts": dict(counts),
        "curve": losses(u, rng), "hyperparameters": dict(u.hyperparameters),
        "split_sha256": u.split_sha256,
        "backbone": u.backbone, "weights_sha256": u.weights_sha256,
        "preprocess": u.preprocess, "restriction": None,
        "seconds": {"base": None, "fit": 8.0, "predict": 1.5},
        "provenance": {
            "commit": "0123456789abcdef", "dirty": False, "versions": {}, "device": "cpu",
            "threads": 2, "host": "h", "utc": "2024-05-01T10:00:00Z",
        },
    } | changes  # fmt: skip


def losses(u: Unit, rng: random.Random) -> list[dict]:
    """A training loss that falls over the epochs; none of a method that does not train."""
    stages = {"zeroshot": (), "hpdval": ("stage 1", "stage 2")}.get(u.method, ("prompts",))
    return [
        {"stage": stage, "epoch": n, "loss": rng.uniform(1.0, 1.2) / n}
        for stage in stages
        for n in range(1, 6)
    ]


def skipped(u: Unit, reason: str) -> dict:
    """A record of a unit that its method refused."""
    names = ("map", "head", "medium", "tail", "novel", "var", "map_softmax", "map_redraw")
    empty = dict.fromkeys(names)
    return record(u, status="skipped", reason=reason, metrics=empty, per_class_ap={})


def failed(u: Unit, error: str) -> dict:
    """The error record of a unit that raised."""
    kept = ("schema", "key", "suite", "scale", "task", "label", "seed", "episode")
    plain = {name: value for name, value in record(u).items() if name in kept}
    return plain | {"status": "failed", "traceback": f"Traceback (most recent ...):\n  x\n{error}"}


def rows(text: str, name: str = "method") -> dict[tuple[str, str], dict[str, str]]:
    """The rows of a table's CSV file by task and label."""
    return {(row["task"], row[name]): row for row in csv.DictReader(io.StringIO(text))}


def draw_only(monkeypatch, *figures: Callable) -> None:
    """From here on a report draws only these of its figures: drawing takes most of its time."""
    from benchmark.report.figures import draw

    every = draw._kinds

    def chosen(*parts):
        return [kind for kind in every(*parts) if kind[0] in figures]

    monkeypatch.setattr(draw, "_kinds", chosen)


def store(results: Path, records: Sequence[dict]) -> Path:
    """Write the records below `results` as the suite does, and return `results`."""
    folder = results / "records"
    folder.mkdir(parents=True, exist_ok=True)
    for r in records:
        turn = f"_e{r['episode']}" if r["episode"] else ""
        ending = ".error.json" if r["status"] == "failed" else ".json"
        name = f"{r['task']}_{r['label']}_s{r['seed']}{turn}_{r['key'][:10]}{ending}"
        (folder / name).write_text(json.dumps(r))
    return results
