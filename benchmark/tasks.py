"""Tasks: the images, labels, classes and groups that a method is trained and tested on.

A name ending in `-holdout` is a task made of a task's training data alone, for choosing
hyperparameters.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import captions, splits
from benchmark.errors import InputError, unknown
from benchmark.splits import Row, Split

TASKS = ("coco-lt", "voc-lt", "coco-fs-1", "coco-fs-5", "voc-fs-1", "voc-fs-5")
HOLDOUTS = tuple(f"{name}-holdout" for name in TASKS)
EPISODES = 10
HOLDOUT_VERSION = 1  # raise when the hold-out rules change: part of their split_sha256


@dataclass(frozen=True)
class ImageList:
    """Images as paths below a data root."""

    root: Path
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def files(self) -> list[Path]:
        """The images' full paths."""
        return [self.root / path for path in self.paths]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """N images and their labels (N, C), float32 zeros and ones, for C named classes.

    Training images may have captions: N texts, each of one or several sentences.
    """

    images: ImageList
    labels: np.ndarray
    class_names: tuple[str, ...]
    captions: tuple[str, ...] | None = None

    @property
    def class_counts(self) -> np.ndarray:
        """Positives of each class (C,), int64."""
        return self.labels.sum(0).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Task:
    """What one unit trains on and is tested on.

    Train and test share the C classes of `class_names`. A few-shot task's classes are the novel
    ones, and `base` holds the base stage's images with the base classes' columns; it is None in a
    long-tailed task.
    """

    name: str
    setting: str  # long-tailed | few-shot
    dataset: str  # coco | voc
    scale: str
    class_names: tuple[str, ...]
    groups: dict[str, tuple[int, ...]]
    train: LabelledImages
    test: LabelledImages
    base: LabelledImages | None
    shots: int | None
    episode: int | None
    split_sha256: str
    protocol: dict[str, Any]
    restriction: str | None  # of the split to the images that are there; None for all images


def split_of(name: str) -> tuple[str, int | None, bool]:
    """(split, shots, is it a hold-out) of a task's name; InputError with the nearest names."""
    if name not in TASKS and name not in HOLDOUTS:
        raise unknown("task", name, TASKS + HOLDOUTS)
    dataset, kind, *shots = name.removesuffix("-holdout").split("-")
    return f"{dataset}-{kind}", int(shots[0]) if shots else None, name in HOLDOUTS


def split_sha256(name: str, scale: str, root: Path | None = None) -> str:
    """The identity of a task's data: its manifest's sha256; a hold-out adds its rule's version.

    At the paper's scale the manifest lies below the data root `root`.
    """
    split, _, holdout = split_of(name)
    return _identity(splits.read(split, scale, root), holdout)


def load(name: str, scale: str, root: Path, episode: int | None = None) -> Task:
    """The task of this name; few-shot tasks need an episode, 1 to 10. Does not touch the images."""
    split_name, shots, holdout = split_of(name)
    _check_episode(name, shots, episode)
    split = splits.read(split_name, scale, root)
    base_rows: list[Row] | None = None
    if shots is None:
        base, classes, groups = (), tuple(range(len(split.classes))), split.groups
        train, test = _long_tailed_rows(split, holdout)
    else:
        make = _few_shot_holdout if holdout else _few_shot_rows
        base, classes, base_rows, train, test = make(split, shots, episode)
        groups = {"novel": tuple(range(len(classes)))}

    def labelled(rows: list[Row], indices: tuple[int, ...], told: bool = True) -> LabelledImages:
        images = ImageList(Path(root), tuple(path for path, _ in rows))
        names = tuple(split.classes[k] for k in indices)
        texts = captions.of(split, rows, Path(root)) if told else None
        return LabelledImages(images, _matrix(rows, indices), names, texts)

    return Task(
        name=name,
        setting=split.setting,
        dataset=split.dataset,
        scale=scale,
        class_names=tuple(split.classes[k] for k in classes),
        groups=groups,
        train=labelled(train, classes),
        test=labelled(test, classes, told=False),
        base=None if base_rows is None else labelled(base_rows, base),
        shots=shots,
        episode=episode,
        split_sha256=_identity(split, holdout),
        protocol=split.protocol,
        restriction=split.restriction,
    )


def _identity(split: Split, holdout: bool) -> str:
    return _digest(f"{split.sha256} holdout {HOLDOUT_VERSION}") if holdout else split.sha256


def check_files(task: Task) -> None:
    """InputError naming the first image of the task that is not to be seen below the data root."""
    for part in (task.train, task.test, task.base):
        if part is None:
            continue
        missing = [path for path in part.images.files() if not os.path.isfile(path)]
        if missing:
            raise InputError(
                f"{missing[0]}: no such image, or this user may not see it ({len(missing)} of "
                f"{len(part.images)} missing for task {task.name}); what is wrong and what to "
                f"get: python -m benchmark.datasets check --data-root {part.images.root}"
            )


def _check_episode(name: str, shots: int | None, episode: int | None) -> None:
    if shots is None and episode is not None:
        raise InputError(f"task {name}: has no episodes; leave the episode out")
    if shots is not None and episode not in range(1, EPISODES + 1):
        raise InputError(f"task {name}: episode {episode} must be 1 to {EPISODES}")


def _long_tailed_rows(split: Split, holdout: bool) -> tuple[list[Row], list[Row]]:
    train = _entries(split, "train.txt")
    if holdout:
        return _quarter(train, len(split.classes))
    return train, _entries(split, "test.txt")


def _few_shot_rows(split: Split, shots: int, episode: int) -> tuple:
    """(base classes, novel classes, base rows, train rows, test rows)."""
    base = _entries(split, "base_train.txt")
    train = _entries(split, f"episodes/{shots}-shot-{episode:02d}.txt")
    test = _entries(split, "novel_test.txt")
    return split.groups["base"], split.groups["novel"], base, train, test


def _entries(split: Split, file: str) -> list[Row]:
    """A list's rows; a restriction may have left an episode without images."""
    rows = splits.entries(split, file)
    if not rows:
        raise InputError(
            f"{split.folder / file}: no image left in this list, which is restricted to "
            f"{split.restriction}; get its images and run `python -m benchmark.splits restrict`"
        )
    return rows


def _quarter(rows: list[Row], classes: int) -> tuple[list[Row], list[Row]]:
    """Split rows three to one, in the order of the hash of the paths.

    No class loses its last training image, and each class with two or more images gets a test image
    first.
    """
    order = _shuffled(rows, "quarter")
    left = np.bincount([k for _, labels in rows for k in labels], minlength=classes)
    chosen: dict[str, tuple[int, ...]] = {}

    def take(candidates: Iterable[Row], most: int) -> None:
        for path, labels in candidates:
            if len(chosen) >= most:
                return
            if path not in chosen and all(left[k] > 1 for k in labels):
                chosen[path] = labels
                left[list(labels)] -= 1

    for index in np.argsort(left, kind="stable").tolist():
        if not any(index in labels for labels in chosen.values()):
            take((row for row in order if index in row[1]), len(chosen) + 1)
    take(order, len(rows) // 4)
    train = [row for row in rows if row[0] not in chosen]
    return train, [row for row in rows if row[0] in chosen]


def _few_shot_holdout(split: Split, shots: int, episode: int) -> tuple:
    """As `_few_shot_rows`, but every fourth base class plays novel and base_train plays all lists.

    Counting starts at the second class, since the first of COCO's, person, is in half of the
    images. Images with a pseudo-novel class are left out of the base stage, as they are needed for
    the episode and the test; their other labels are masked, on VOC too, where dropping them would
    leave a class such as diningtable without images.
    """
    classes = split.groups["base"]
    novel = classes[1::4]
    base = tuple(k for k in classes if k not in novel)
    rows = _entries(split, "base_train.txt")
    rest = [row for row in rows if not set(row[1]) & set(novel)]
    pool = [row for row in rows if set(row[1]) & set(novel)]
    pool = [(path, tuple(k for k in labels if k in novel)) for path, labels in pool]
    exactly = split.protocol.get("shots") == "exactly"
    train = _episode(pool, novel, shots, exactly, f"{shots} shots, episode {episode}")
    taken = {path for path, _ in train}
    return base, novel, rest, train, [row for row in pool if row[0] not in taken]


def _episode(
    pool: list[Row], classes: tuple[int, ...], shots: int, exactly: bool, purpose: str
) -> list[Row]:
    """Rows with (at least or exactly) `shots` positives of each class, chosen by hash of path."""
    order = _shuffled(pool, purpose)
    count = dict.fromkeys(classes, 0)
    chosen: list[Row] = []
    totals = {k: sum(k in labels for _, labels in pool) for k in classes}
    for index in sorted(classes, key=lambda k: (totals[k], k)):
        for row in order:
            if count[index] >= shots:
                break
            full = exactly and any(count[k] >= shots for k in row[1])
            if index in row[1] and row not in chosen and not full:
                chosen.append(row)
                for k in row[1]:
                    count[k] += 1
    if min(count.values()) < shots:
        raise InputError(f"base_train.txt: no hold-out episode with {shots} images of each class")
    return sorted(chosen)


def _shuffled(rows: list[Row], purpose: str) -> list[Row]:
    return sorted(rows, key=lambda row: _digest(f"{purpose} {row[0]}"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _matrix(rows: list[Row], classes: tuple[int, ...]) -> np.ndarray:
    """Labels (N, C) in the columns of `classes`."""
    column = {k: n for n, k in enumerate(classes)}
    matrix = np.zeros((len(rows), len(classes)), np.float32)
    for n, (_, labels) in enumerate(rows):
        matrix[n, [column[k] for k in labels]] = 1
    return matrix
