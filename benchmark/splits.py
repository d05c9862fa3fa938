"""Reads and verifies the split files: who is in a split, with which labels, classes and groups.

A split is a folder `splits/<scale>/<name>/` of list files (one image a line: `<path below the data
root> <class index> ...`, no index for an image without labels) and a `manifest.json` with the
classes, the groups, the counts and the sha256 of each list file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import InputError, unknown

FOLDER = Path(__file__).parents[1] / "splits"
SCALES = ("miniature", "paper")
GROUPS = {"long-tailed": ("head", "medium", "tail"), "few-shot": ("base", "novel")}
HEAD, TAIL = 100, 20  # train counts: head >= 100, tail < 20 (DistributionBalancedLoss)


@dataclass(frozen=True)
class FileInfo:
    """One list file: sha256 of its bytes, its images (lines) and positive labels."""

    sha256: str
    images: int
    labels: int


@dataclass(frozen=True)
class Split:
    """A manifest. Groups hold class indices; counts are a list's positives of each class."""

    name: str
    scale: str
    version: int
    setting: str  # long-tailed | few-shot
    dataset: str  # coco | voc
    protocol: dict[str, Any]
    classes: tuple[str, ...]
    groups: dict[str, tuple[int, ...]]
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    folder: Path
    files: dict[str, FileInfo]
    sha256: str  # of the manifest's bytes


def names(scale: str) -> list[str]:
    """The splits there are at a scale, sorted; InputError for an unknown scale."""
    if scale not in SCALES:
        raise unknown("scale", scale, SCALES)
    return sorted(path.parent.name for path in (FOLDER / scale).glob("*/manifest.json"))


def read(name: str, scale: str) -> Split:
    """Read and check a manifest, not yet its list files; InputError names file and field."""
    known = names(scale)
    if not known:
        raise InputError(
            f"{FOLDER / scale}: this version has no split files of the {scale} scale; "
            "leave --data-root out to run the miniature"
        )
    if name not in known:
        raise unknown("split", name, known)
    return _parse(FOLDER / scale / name / "manifest.json", name, scale)


def entries(split: Split, file: str) -> list[tuple[str, tuple[int, ...]]]:
    """The (path, class indices) rows of a list file; InputError if it is not the manifest's."""
    if file not in split.files:
        raise unknown(f"file of split {split.name}", file, split.files)
    path, info = split.folder / file, split.files[file]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {_remedy(split)}") from None
    if hashlib.sha256(content).hexdigest() != info.sha256:
        raise InputError(
            f"{path}: sha256 differs from manifest.json, field files; {_remedy(split)}"
        )
    rows = []
    for number, line in enumerate(content.decode().splitlines(), 1):
        rows.append(_row(f"{path}:{number}", line, len(split.classes)))
    found = (len(rows), sum(len(labels) for _, labels in rows))
    if found != (info.images, info.labels):
        raise InputError(
            f"{path}: {found[0]} images and {found[1]} labels, not {info.images} and {info.labels} "
            f"as in manifest.json, field files; {_remedy(split)}"
        )
    return rows


def _row(place: str, line: str, classes: int) -> tuple[str, tuple[int, ...]]:
    path, *words = line.split() or [""]
    if not path:
        raise InputError(f"{place}: empty line; a line is `<path> <class index> ...`")
    if not all(word.isdecimal() and int(word) < classes for word in words):
        raise InputError(f"{place}: class indices must be integers from 0 to {classes - 1}")
    return path, tuple(int(word) for word in words)


def _parse(path: Path, name: str, scale: str) -> Split:
    try:
        content = path.read_bytes()
        raw = json.loads(content)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}); restore it from git") from None
    if not isinstance(raw, dict):
        raise InputError(f"{path}: must be a JSON object; restore it from git")
    get = _Fields(path, raw)
    classes = get.texts("classes")
    if get.text("name") != name or get.text("scale") != scale:
        raise InputError(f"{path}: fields name and scale must be '{name}' and '{scale}'")
    setting = get.text("setting", tuple(GROUPS))
    split = Split(
        name=name,
        scale=scale,
        version=get.value("version", int, "an integer"),
        setting=setting,
        dataset=get.text("dataset", ("coco", "voc")),
        protocol=get.value("protocol", dict, "an object"),
        classes=classes,
        groups=get.groups(GROUPS[setting], classes),
        train_counts=get.counts("train_counts", len(classes)),
        test_counts=get.counts("test_counts", len(classes)),
        folder=path.parent,
        files=get.files(),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    _check_groups(path, split)
    return split


def _check_groups(path: Path, split: Split) -> None:
    """Long-tailed groups must be those that the train counts give."""
    if split.setting != "long-tailed":
        return
    for group, members in split.groups.items():
        for k in members:
            count = split.train_counts[k]
            expected = "head" if count >= HEAD else "medium" if count >= TAIL else "tail"
            if group != expected:
                raise InputError(
                    f"{path}: field groups: '{split.classes[k]}' with {count} training images is "
                    f"{expected}, not {group}; restore it from git"
                )


class _Fields:
    """Typed access to the fields of a manifest; every complaint names file and field."""

    def __init__(self, path: Path, raw: dict):
        self.path, self.raw = path, raw

    def bad(self, field: str, wanted: str) -> InputError:
        return InputError(f"{self.path}: field {field}: must be {wanted}; restore it from git")

    def value(self, field: str, kind: type, wanted: str) -> Any:
        value = self.raw.get(field)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.bad(field, wanted)
        return value

    def text(self, field: str, known: tuple[str, ...] = ()) -> str:
        value = self.value(field, str, "a text")
        if known and value not in known:
            raise self.bad(field, " or ".join(known))
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        value = self.value(field, list, "a list of texts")
        if not value or not all(isinstance(v, str) for v in value) or len(set(value)) < len(value):
            raise self.bad(field, "a list of different texts")
        return tuple(value)

    def counts(self, field: str, size: int) -> tuple[int, ...]:
        value = self.value(field, list, "a list of integers")
        if len(value) != size or not all(type(v) is int and v >= 0 for v in value):
            raise self.bad(field, f"a list of {size} integers, one for each class")
        return tuple(value)

    def groups(self, wanted: tuple[str, ...], classes: tuple[str, ...]) -> dict[str, tuple]:
        value = self.value("groups", dict, "an object")
        members = [v for group in value.values() for v in (group if type(group) is list else [0])]
        if tuple(value) != wanted or sorted(map(str, members)) != sorted(classes):
            raise self.bad("groups", f"{', '.join(wanted)}, which share out all classes")
        return {g: tuple(sorted(classes.index(c) for c in value[g])) for g in wanted}

    def files(self) -> dict[str, FileInfo]:
        value = self.value("files", dict, "an object")
        infos = {}
        for name, entry in value.items():
            types = {k: type(v) for k, v in entry.items()} if isinstance(entry, dict) else {}
            if types != {"sha256": str, "images": int, "labels": int}:
                raise self.bad(f"files.{name}", "an object of sha256, images and labels")
            infos[name] = FileInfo(**entry)
        return infos


def _remedy(split: Split) -> str:
    how = "restore it from git" if split.scale == "miniature" else "fetch it again"
    return f"{how} (splits/{split.scale}/{split.name})"
