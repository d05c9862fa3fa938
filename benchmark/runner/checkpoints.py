"""Checkpoints of stages that units share, trained once: base stages, first stages.

A base stage's is loaded by all episodes of a few-shot method, a first stage's by the units that
differ only in later ones. A .safetensors file each in <cache>/states, named by the hash of what
it is; any may be deleted. Each holds a digest of its name and content: one that was damaged is
built anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
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

_FORMAT = 2  # of the files: raise it when they are written in another way


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
    `stale` lists (path -> mtime in ns) is built anew, and so is a damaged one, said on stderr.
    """
    name = hashlib.sha256(canonical({"file": _FORMAT, **what}).encode()).hexdigest()
    path = folder / f"{name}.safetensors"
    found = _found(path, stale)
    if found is None:
        with files.claimed(path.with_suffix(".lock"), or_lease=True) as mine:
            if not mine:
                raise Busy
            found = _found(path, stale)
            if found is None:
                if _counts(path, stale):
                    print(f"warning: {path}: damaged; it is built anew", file=sys.stderr)
                files.remove_leftovers(path)
                _save(path, build())
    return found or _read(path)


def _counts(path: Path, stale: Mapping[str, int]) -> bool:
    return path.exists() and path.stat().st_mtime_ns != stale.get(str(path))


def _found(path: Path, stale: Mapping[str, int]) -> Checkpoint | None:
    """What the file holds; None if it does not count or is not as it was written."""
    if _counts(path, stale):
        with contextlib.suppress(OSError, ValueError):
            return _read(path)
    return None


def _save(path: Path, state: Checkpoint) -> None:
    from safetensors.torch import save

    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in state.tensors.items()}
    extra = {"seconds": json.dumps(state.seconds), "curve": json.dumps(state.curve)}
    extra["sha256"] = _content_digest(path.stem, tensors, extra)
    with files.atomic(path, read_only=True) as temporary:
        temporary.write_bytes(save(tensors, metadata=extra))


def _read(path: Path) -> Checkpoint:
    """The file's content; OSError or ValueError if it is not what was written under its name."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ValueError(f"{path}: no file")
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            extra = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: {error}") from None
    if extra.pop("sha256", None) != _content_digest(path.stem, tensors, extra):
        raise ValueError(f"{path}: not as it was written")
    return Checkpoint(tensors, json.loads(extra["seconds"]), json.loads(extra["curve"]))


def _content_digest(name: str, tensors: Mapping[str, torch.Tensor], extra: Mapping) -> str:
    """sha256 of all that a checkpoint's file says, and of its name."""
    import torch

    form = [[key, str(value.dtype), list(value.shape)] for key, value in sorted(tensors.items())]
    content = hashlib.sha256(canonical([name, form, dict(extra)]).encode())
    for _, value in sorted(tensors.items()):
        content.update(value.reshape(-1).view(torch.uint8).numpy())
    return content.hexdigest()
