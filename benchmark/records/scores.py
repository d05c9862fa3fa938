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
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.common import files
from benchmark.common.text import one_line, plain
from benchmark.records import reading, store

if TYPE_CHECKING:
    from benchmark.data.tasks import Task

FIELD = "scores_sha256"  # of a record; null where no scores were kept
_ABOUT = ("task", "split_sha256", "kind", "truth")  # what a unit's file must say besides its key
_NO_GROUP = {"all", "absent"}  # of a record's `n_classes`


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
    from safetensors.numpy import save

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
        temporary.write_bytes(save(tensors, metadata=about))
    return {FIELD: digest(tensors["scores"])}


def copy_scores(
    place: Path, record: Mapping[str, Any], folder: Path, own: Mapping[str, Any]
) -> bool:
    """Copy the record's scores and their truth from one suite's folder to where they belong to
    `own`, the same record in another's; whether they are whole there, or the record has none."""
    if not record.get(FIELD):
        return True
    if read_scores(place, record) is None or read_truth(place, record) is None:
        return False
    truth = Path("scores", Path(read_metadata(place, record)["truth"]).name)
    copies = {folder / truth: place / truth, path_of(folder, own): path_of(place, record)}
    for to, source in copies.items():
        with files.atomic(to, first=to.name == truth.name) as temporary:
            temporary.write_bytes(source.read_bytes())
    return True


def read_scores(folder: Path, record: Mapping[str, Any]) -> np.ndarray | None:
    """The record's scores (N, C) float32; None if it has none, or their file is not there.

    folder   results/<suite>/<scale>, in which the record lies
    Scores that are not those of which the record has the hash, or that are no numbers, are told of
    and count as missing.
    """

    def take(file: Any, about: Mapping[str, str]) -> np.ndarray:
        found = file.get_tensor("scores")
        if digest(found) != record[FIELD]:
            raise ValueError(f"not those of the {FIELD}")
        if not np.isfinite(found).all():
            raise ValueError("has scores that are no numbers")
        return found

    return _read(folder, record, take)


def read_truth(folder: Path, record: Mapping[str, Any]) -> Truth | None:
    """The labels that the record's scores are held against, of the same images and classes; None
    without stored scores."""

    def take(file: Any, about: Mapping[str, str]) -> tuple[str, tuple[int, ...]]:
        return Path(about["truth"]).name, _shape(file)

    if (found := _read(folder, record, take)) is None:
        return None
    name, shape = found
    path = folder / "scores" / name
    try:
        truth = _truth_at(path, path.stat().st_mtime_ns)
        if truth.labels.shape != shape:
            raise ValueError(f"labels {truth.labels.shape} of scores {shape}")
        counts = record.get("n_classes") or {}
        if any((counts[g] or 0) != len(truth.groups.get(g, ())) for g in counts.keys() - _NO_GROUP):
            raise ValueError("other groups of classes than the record's")
        return truth
    except Exception as error:
        return _unreadable(path, error)


def read_maps(folder: Path, record: Mapping[str, Any]) -> Maps | None:
    """The record's local score maps; None where its method or task has none."""

    def take(file: Any, about: Mapping[str, str]) -> Maps | None:
        if "images" not in about:
            return None
        images, values = json.loads(about["images"]), file.get_tensor("maps")
        rows, classes = _shape(file)
        if {*map(type, images)} != {int} or not 0 <= min(images) <= max(images) < rows:
            raise ValueError("maps of images that there are none of")
        if values.ndim != 3 or (len(values), values.shape[2]) != (len(images), classes):
            raise ValueError(f"maps {values.shape} of {len(images)} images and {classes} classes")
        if not np.isfinite(values).all():
            raise ValueError("has maps that are no numbers")
        return Maps(np.array(images, np.int64), values.astype(np.float32))

    return _read(folder, record, take)


def read_metadata(folder: Path, record: Mapping[str, Any]) -> dict[str, str] | None:
    """Of the record's file: `key`, `task`, `split_sha256`, `kind`, `truth`; None without one.

    `maps_reason` says why a method that has local scores left none.
    """
    return _read(folder, record, lambda file, about: about)


def path_of(folder: Path, record: Mapping[str, Any]) -> Path:
    """Where the record's scores are, or would be: named as the record is."""
    return Path(folder) / "scores" / f"{store.stem(record)}.safetensors"


def _read(
    folder: Path, record: Mapping[str, Any], take: Callable[[Any, dict[str, str]], Any]
) -> Any:
    """`take` of the record's opened file and its metadata; None without one that is its own.

    Whatever a file has in it, or `take` raises, is told of in a line.
    """
    from safetensors import safe_open

    if not record.get(FIELD):
        return None
    path = path_of(folder, record)
    try:
        if not path.is_file():
            return None
        with safe_open(str(path), framework="numpy") as file:
            about = file.metadata() or {}
            if (key := about.get("key", "unnamed")) != record["key"]:
                raise ValueError(f"has the scores of another unit, {key[:16]}")
            if missing := [name for name in _ABOUT if name not in about]:
                raise ValueError(f"does not say {', '.join(missing)}")
            _shape(file)
            return take(file, about)
    except Exception as error:
        return _unreadable(path, error)


def _shape(file: Any) -> tuple[int, ...]:
    """(N, C) of the scores; ValueError where they have another form."""
    part = file.get_slice("scores")
    shape = tuple(part.get_shape())
    if part.get_dtype() != "F32" or len(shape) != 2 or 0 in shape:
        raise ValueError(f"scores {shape} of {part.get_dtype()}, not (N, C) of F32")
    return shape


def _unreadable(path: Path, error: Exception) -> None:
    """Say once what is wrong with a file; it then counts as missing, as a bad record does."""
    reason = one_line(error)[:150]
    reading.complain(f"{path}: not to be read as scores ({reason}); treated as missing")


def _truth_name(task: Task) -> str:
    """Only a few-shot hold-out has other test images in each episode."""
    each = task.episode is not None and task.name.endswith("-holdout")
    episode = f"_e{task.episode:02d}" if each else ""
    return f"truth_{task.name}_{task.split_sha256[:10]}{episode}.safetensors"


def _write_truth(path: Path, task: Task) -> None:
    from safetensors.numpy import save

    if path.exists():
        return
    what = vars(truth_of(task)).copy()
    labels = {"labels": what.pop("labels")}
    about = {"task": task.name, "split_sha256": task.split_sha256}
    about |= {name: json.dumps(value) for name, value in what.items()}
    with files.atomic(path) as temporary:
        temporary.write_bytes(save(labels, metadata=about))


@functools.lru_cache(maxsize=16)
def _truth_at(path: Path, mtime: int) -> Truth:
    from safetensors import safe_open

    if not path.is_file():
        raise ValueError("no regular file")
    with safe_open(str(path), framework="numpy") as file:
        about, labels = file.metadata() or {}, file.get_tensor("labels")
    part = {name: json.loads(about[name]) for name in ("paths", "class_names", "groups", "redraw")}
    truth = Truth(
        labels=labels,
        paths=tuple(part["paths"]),
        class_names=tuple(map(plain, part["class_names"])),
        groups={plain(name): tuple(of) for name, of in part["groups"].items()},
        redraw=part["redraw"] is True,
    )
    _check(truth)
    return truth


def _check(truth: Truth) -> None:
    """ValueError where the parts do not fit each other, or a path leads out of the data root."""
    labels = truth.labels
    if labels.dtype != np.uint8 or labels.ndim != 2 or not labels.size or labels.max() > 1:
        raise ValueError(f"labels {labels.shape} of {labels.dtype}, not (N, C) of 0 and 1")
    if labels.shape != (len(truth.paths), len(truth.class_names)):
        given = f"{len(truth.paths)} paths and {len(truth.class_names)} classes"
        raise ValueError(f"labels {labels.shape} of {given}")
    columns = [k for group in truth.groups.values() for k in group]
    if any(type(k) is not int or not 0 <= k < labels.shape[1] for k in columns):
        raise ValueError("a group has a class that there is none of")
    if outside := [path for path in truth.paths if not _inside(path)]:
        raise ValueError(f"a path out of the data root: {outside[0]}")


def _inside(path: str) -> bool:
    """Whether a path is below whatever folder it is put behind, on every system."""
    parts = PureWindowsPath(path)  # takes / and \\ alike
    return path == plain(path) and bool(parts.name) and not parts.anchor and ".." not in parts.parts


def truth_of(task: Task) -> Truth:
    """What the task's test images show; LaSO's redraw is of COCO's few-shot tasks."""
    return Truth(
        labels=np.ascontiguousarray(task.test.labels, np.uint8),
        paths=task.test.images.paths,
        class_names=task.class_names,
        groups=task.groups,
        redraw=task.dataset == "coco" and task.setting == "few-shot",
    )
