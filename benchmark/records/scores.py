"""Scores of the test images kept beside the records, so that metrics need no second training.

    <results>/<suite>/<scale>/scores/<stem of the record>.safetensors
                             /scores/truth_<task>_<split10>[_e<episode>].safetensors

A unit's file has "scores" (N, C) float32 and, for a few example images, "maps" (K, L, C)
float16; a task's has "labels" (N, C) uint8, image paths and class names, once for all units.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.common import files
from benchmark.records import store

if TYPE_CHECKING:
    from benchmark.data.tasks import Task

FIELD = "scores_sha256"  # of a record; null where no scores were kept


@dataclass(frozen=True, eq=False)
class Maps:
    """Local score maps of a task's example images: cosines of each place with each class.

    images   (K,) int64, rows of the scores and labels
    values   (K, L, C) float32, the places row by row
    """

    images: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Truth:
    """What the test images show. `labels` (N, C) uint8; `paths` below the data root."""

    labels: np.ndarray
    paths: tuple[str, ...]
    class_names: tuple[str, ...]
    groups: dict[str, tuple[int, ...]]  # head, medium, tail or novel: columns
    redraw: bool  # whether the task has LaSO's redraw as a second test protocol


def digest(scores: np.ndarray) -> str:
    """sha256 of scores (N, C) as little-endian float32, row by row: equal for equal bits."""
    return hashlib.sha256(np.ascontiguousarray(scores, "<f4").tobytes()).hexdigest()


def write_scores(
    folder: Path,
    record: Mapping[str, Any],
    task: Task,
    kind: str,
    scores: np.ndarray,
    maps: Maps | str | None = None,
) -> dict[str, str]:
    """Store a unit's scores whole, and the task's truth if need be, before its record.

    folder   results/<suite>/<scale>
    kind     what the scores are, see `Method.scores`
    maps     or, as a text, why there are none
    Returns {"scores_sha256": ...} for the record.
    """
    from safetensors.numpy import save_file

    name = _truth_name(task)
    _write_truth(folder / "scores" / name, task)
    tensors = {"scores": np.ascontiguousarray(scores, "<f4")}
    about = {field: record[field] for field in ("key", "task", "split_sha256")}
    about |= {"kind": kind, "truth": name}
    if isinstance(maps, Maps):
        tensors["maps"] = np.ascontiguousarray(maps.values, "<f2")
        about["images"] = json.dumps(maps.images.tolist())
    elif maps:
        about["maps_reason"] = maps
    path = path_of(folder, record)
    files.remove_leftovers(path)  # the unit's claim is held
    with files.atomic(path) as temporary:
        save_file(tensors, str(temporary), metadata=about)
    return {FIELD: digest(tensors["scores"])}


def read_scores(folder: Path, record: Mapping[str, Any]) -> np.ndarray | None:
    """The record's scores (N, C) float32; None if it has none, or their file is not there.

    folder   results/<suite>/<scale>, in which the record lies
    Scores that are not those of which the record has the hash are told of and count as missing.
    """
    found = _read(folder, record, lambda file: file.get_tensor("scores"))
    if found is not None and digest(found) != record[FIELD]:
        return _unreadable(path_of(folder, record), ValueError(f"not those of the {FIELD}"))
    return found


def read_truth(folder: Path, record: Mapping[str, Any]) -> Truth | None:
    """The labels that the record's scores are held against; None without stored scores."""
    about = read_metadata(folder, record)
    if about is None:
        return None
    path = folder / "scores" / Path(about["truth"]).name
    try:
        return _truth_at(path, path.stat().st_mtime_ns)
    except Exception as error:
        return _unreadable(path, error)


def read_maps(folder: Path, record: Mapping[str, Any]) -> Maps | None:
    """The record's local score maps; None where its method or task has none."""
    about = read_metadata(folder, record)
    if about is None or "images" not in about:
        return None
    values = _read(folder, record, lambda file: file.get_tensor("maps"))
    if values is None:
        return None
    return Maps(np.array(json.loads(about["images"]), np.int64), values.astype(np.float32))


def read_metadata(folder: Path, record: Mapping[str, Any]) -> dict[str, str] | None:
    """Of the record's file: `key`, `task`, `split_sha256`, `kind`, `truth`; None without one.

    `maps_reason` says why a method that has local scores left none.
    """
    return _read(folder, record, lambda file: file.metadata())


def path_of(folder: Path, record: Mapping[str, Any]) -> Path:
    """Where the record's scores are, or would be: named as the record is."""
    return Path(folder) / "scores" / f"{store.stem(record)}.safetensors"


def _read(folder: Path, record: Mapping[str, Any], take: Callable[[Any], Any]) -> Any:
    """`take` of the record's opened file; None without one that is the record's own."""
    from safetensors import safe_open

    if not record.get(FIELD) or not (path := path_of(folder, record)).is_file():
        return None
    try:
        with safe_open(str(path), framework="numpy") as file:
            key = (file.metadata() or {}).get("key", "unnamed")
            if key != record["key"]:
                raise ValueError(f"has the scores of another unit, {key[:16]}")
            return take(file)
    except Exception as error:
        return _unreadable(path, error)


def _unreadable(path: Path, error: Exception) -> None:
    """Say once what is wrong with a file; it then counts as missing, as a bad record does."""
    reason = " ".join(str(error).split())[:150]
    store.complain(f"{path}: not to be read as scores ({reason}); treated as missing")


def _truth_name(task: Task) -> str:
    """Only a few-shot hold-out has other test images in each episode."""
    each = task.episode is not None and task.name.endswith("-holdout")
    episode = f"_e{task.episode:02d}" if each else ""
    return f"truth_{task.name}_{task.split_sha256[:10]}{episode}.safetensors"


def _write_truth(path: Path, task: Task) -> None:
    from safetensors.numpy import save_file

    if path.exists():
        return
    what = vars(truth_of(task)).copy()
    labels = {"labels": what.pop("labels")}
    about = {"task": task.name, "split_sha256": task.split_sha256}
    about |= {name: json.dumps(value) for name, value in what.items()}
    with files.atomic(path) as temporary:
        save_file(labels, str(temporary), metadata=about)


@functools.lru_cache(maxsize=16)
def _truth_at(path: Path, mtime: int) -> Truth:
    from safetensors import safe_open

    with safe_open(str(path), framework="numpy") as file:
        about, labels = file.metadata(), file.get_tensor("labels")
    return Truth(
        labels=labels,
        paths=tuple(json.loads(about["paths"])),
        class_names=tuple(json.loads(about["class_names"])),
        groups={name: tuple(of) for name, of in json.loads(about["groups"]).items()},
        redraw=json.loads(about["redraw"]),
    )


def truth_of(task: Task) -> Truth:
    """What the task's test images show; LaSO's redraw is of COCO's few-shot tasks."""
    return Truth(
        labels=np.ascontiguousarray(task.test.labels, np.uint8),
        paths=task.test.images.paths,
        class_names=task.class_names,
        groups=task.groups,
        redraw=task.dataset == "coco" and task.setting == "few-shot",
    )
