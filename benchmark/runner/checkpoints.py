"""Checkpoints of stages that units share, trained once: base stages, first stages.

A base stage's is loaded by all episodes of a few-shot method, a first stage's by the units that
differ only in later ones. A .safetensors file each in <cache>/states, named by the hash of what
it is; any may be deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common import files
from benchmark.common.identity import canonical
from benchmark.suites.unit import Unit

if TYPE_CHECKING:
    import torch

    from benchmark.data.images import LabelledImages


class Busy(Exception):
    """Another process is building the checkpoint; come back later."""


@dataclass(frozen=True)
class Checkpoint:
    """What a stage left behind: its tensors, how long it took, its loss curve."""

    tensors: dict[str, torch.Tensor]
    seconds: float
    curve: list[dict[str, Any]]


def identity(unit: Unit, base: LabelledImages) -> dict[str, Any]:
    """What a base checkpoint is: the method as the unit sets it, and the images it learns from.

    No task and no episode, so 1-shot and 5-shot episodes start from the same one.
    """
    return _common(unit) | {
        "hyperparameters": dict(unit.hyperparameters),
        "base_sha256": _digest(base),
        "seed": unit.seed,
    }


def shared_identity(unit: Unit, train: LabelledImages, what: Mapping[str, Any]) -> dict[str, Any]:
    """What a stage shared between units is: the settings `what` that the method says it depends
    on instead of all hyperparameters, the unit's training images, and its seeds.

    TypeError or ValueError if `what` is not made of plain values.
    """
    return _common(unit) | {
        "what": json.loads(canonical(dict(what))),
        "train_sha256": _digest(train),
        "seeds": unit.seed_identity,
    }


def _common(unit: Unit) -> dict[str, Any]:
    names = ("method", "method_version", "weights_sha256", "backbone", "scale")
    return {name: getattr(unit, name) for name in names} | unit.unusual


def _digest(data: LabelledImages) -> str:
    """sha256 of the images' paths, the class names and the labels."""
    content = hashlib.sha256(canonical([data.images.paths, data.class_names]).encode())
    content.update(data.labels.astype("uint8").tobytes())
    return content.hexdigest()


def fetch(
    what: Mapping[str, Any], folder: Path, stale: Mapping[str, int], build: Callable[[], Checkpoint]
) -> Checkpoint:
    """The checkpoint that `what` identifies, always read from its file below `folder`.

    Whoever comes first builds it under a lock; Busy while someone else does. A file that
    `stale` lists (path -> mtime in ns) is built anew.
    """
    path = folder / f"{hashlib.sha256(canonical(what).encode()).hexdigest()}.safetensors"
    if not _built(path, stale):
        with files.claimed(path.with_suffix(".lock")) as mine:
            if not mine:
                raise Busy
            if not _built(path, stale):
                _save(path, build())
    return _read(path)


def _built(path: Path, stale: Mapping[str, int]) -> bool:
    return path.exists() and path.stat().st_mtime_ns != stale.get(str(path))


def _save(path: Path, state: Checkpoint) -> None:
    from safetensors.torch import save_file

    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in state.tensors.items()}
    extra = {"seconds": json.dumps(state.seconds), "curve": json.dumps(state.curve)}
    with files.atomic(path) as temporary:
        save_file(tensors, str(temporary), metadata=extra)


def _read(path: Path) -> Checkpoint:
    from safetensors import safe_open

    with safe_open(str(path), framework="pt", device="cpu") as file:
        extra = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Checkpoint(tensors, json.loads(extra["seconds"]), json.loads(extra["curve"]))
