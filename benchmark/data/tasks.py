"""Tasks: the images, labels, classes and groups that a method is trained and tested on.

Two kinds of tasks serve to choose hyperparameters and nothing else. A name ending in `-dev` is a
task with a development set in the place of the test set, drawn like it, and few-shot episodes of
its own; only the drawn world has such sets. A name ending in `-holdout` is made of a task's
training data alone, at any scale.

Beside the official tasks there are those of people's own images, whose splits lie below a data
root: `NAME-lt`, `NAME-fs-5`, and their hold-outs.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.common.errors import InputError, unknown
from benchmark.data import captions, holdouts, splits
from benchmark.data.images import ImageList, LabelledImages
from benchmark.data.splits import Row, Split, lists

TASKS = ("coco-lt", "voc-lt", "coco-fs-1", "coco-fs-5", "voc-fs-1", "voc-fs-5")
DEVELOPMENT = tuple(f"{name}-dev" for name in TASKS)
HOLDOUTS = tuple(f"{name}-holdout" for name in TASKS)
ALL = (*TASKS, *DEVELOPMENT, *HOLDOUTS)
EPISODES = 10  # of an official few-shot task
_NAME = re.compile(
    r"(?P<split>(?P<dataset>.+)-(?:lt|fs(?=-\d)))(?:(?<=fs)-(?P<shots>[1-9]\d*))?"
    r"(?:-(?P<kind>dev|holdout))?"
)


@dataclass(frozen=True, eq=False)
class Task:
    """What one unit trains on and is tested on.

    Train and test share the C classes of `class_names`. A few-shot task's classes are the novel
    ones, and `base` holds the base stage's images with the base classes' columns; it is None in a
    long-tailed task.
    """

    name: str
    setting: str  # long-tailed | few-shot
    dataset: str  # coco | voc | the name of one's own
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
    own: dict[str, Any] | None = None  # of own images: what is like them, template, grouping

    def captions_missing(self) -> str | None:
        """Why a method that learns from captions cannot take this task, or None if it can."""
        if self.train.captions is not None:
            return None
        if self.own:
            remedy = "own images have none"
        elif self.setting == "long-tailed":
            remedy = "run python -m benchmark splits fetch, then this suite with --force"
        elif self.dataset == "coco":
            remedy = f"put COCO's {captions.COCO2014} below the data root, then run with --force"
        else:
            remedy = "none are published"
        return f"no captions of its training images: {remedy}"


@dataclass(frozen=True)
class TaskInfo:
    """What a unit must know of a task before any image is read.

    episodes   how many a few-shot task has; None: long-tailed
    like       coco or voc, whose settings a task of own images takes; None for an official one
    template   what methods read in place of their own; None: each its own
    """

    name: str
    setting: str
    dataset: str
    split_sha256: str
    episodes: int | None = None
    like: str | None = None
    template: str | None = None

    @property
    def datasets(self) -> set[str]:
        """The datasets that a suite's conditions may name to mean this task."""
        return {self.dataset, self.like or self.dataset}


def known(scale: str, root: Path | None = None) -> tuple[str, ...]:
    """The names of all tasks: the official ones, and at paper scale those of own images."""
    return ALL if scale != "paper" or root is None else (*ALL, *own(root))


def own(root: Path) -> list[str]:
    """The tasks of the own splits below a data root, each followed by its hold-out.

    A split that cannot be read counts as long-tailed: whoever selects the task is told why.
    """
    found = []
    for split in splits.own(root):
        try:
            shots = sorted(_episodes(splits.read(split, "paper", root)))
        except InputError:
            shots = []
        found += [f"{split}-{k}" for k in shots] or [split]
    return [each for name in found if _NAME.fullmatch(name) for each in (name, f"{name}-holdout")]


def is_own(name: str) -> bool:
    """Whether a task of this name would be one of own images; whether it is there is another."""
    found = _NAME.fullmatch(name)
    return found is not None and found["dataset"] not in ("coco", "voc") and found["kind"] != "dev"


def split_of(name: str) -> tuple[str, int | None, str]:
    """(split, shots, kind) of a task's name, kind being "", "dev" or "holdout"; InputError."""
    found = _NAME.fullmatch(name)
    if found is None or not (name in ALL or is_own(name)):
        raise unknown("task", name, ALL)
    shots = found["shots"]
    return found["split"], int(shots) if shots else None, found["kind"] or ""


def stands_for(name: str) -> str:
    """The task for which a hold-out or development task chooses settings; any other itself."""
    return name.removesuffix("-holdout").removesuffix("-dev")


def title(name: str) -> str:
    """A task's name in tables and figures: COCO-LT, VOC 5-shot, COCO-LT hold-out, birds-LT."""
    split, shots, kind = split_of(name)
    dataset = split.rpartition("-")[0]
    named = dataset if is_own(name) else dataset.upper()
    first = f"{named}-LT" if shots is None else f"{named} {shots}-shot"
    return first + {"": "", "holdout": " hold-out", "dev": " development"}[kind]


def info(name: str, scale: str, root: Path | None = None) -> TaskInfo:
    """What a unit must know of the task of this name; reads its manifest.

    At the paper's scale that lies below the data root `root`. InputError where it is not, and for a
    development task there.
    """
    split_name, shots, kind = split_of(name)
    split = splits.read(split_name, scale, root)
    found = unread(name, _identity(split, kind))
    if not split.own:
        return found
    episodes = None if shots is None else _episodes(split)[shots]
    if episodes == 0:
        has = ", ".join(f"{split_name}-{k}" for k in sorted(_episodes(split)))
        raise InputError(f"task {name}: split {split_name} has no such episodes; it has {has}")
    return replace(found, episodes=episodes, like=split.own.like, template=split.own.template)


def unread(name: str, split_sha256: str = "") -> TaskInfo:
    """What is known of an official task without a look at its split, which has this identity."""
    split, shots, _ = split_of(name)
    return TaskInfo(
        name=name,
        setting="long-tailed" if shots is None else "few-shot",
        dataset=split.rpartition("-")[0],
        split_sha256=split_sha256,
        episodes=None if shots is None else EPISODES,
    )


def _episodes(split: Split) -> dict[int, int]:
    """Shots -> how many episodes a split has of them."""
    names = (re.fullmatch(r"episodes/(\d+)-shot-\d+\.txt", file) for file in split.files)
    return Counter(int(found[1]) for found in names if found)


def load(name: str, scale: str, root: Path, episode: int | None = None) -> Task:
    """The task of this name; few-shot tasks need an episode, from 1. Does not touch the images."""
    split_name, shots, kind = split_of(name)
    if shots is None and episode is not None:
        raise InputError(f"task {name}: has no episodes; leave the episode out")
    split = splits.read(split_name, scale, root)
    most = _episodes(split)[shots] if split.own else EPISODES
    if shots is not None and episode not in range(1, most + 1):
        raise InputError(f"task {name}: episode {episode} must be 1 to {most}")
    identity = _identity(split, kind)
    base, classes, base_rows, train, test = _rows(split, shots, episode, kind)

    def labelled(rows: list[Row], indices: tuple[int, ...], part: str = "") -> LabelledImages:
        images = ImageList(Path(root), tuple(path for path, _ in rows))
        names = tuple(split.classes[k] for k in indices)
        texts = captions.of(split, rows, Path(root), part) if part else None
        return LabelledImages(images, _matrix(rows, indices), names, texts)

    part = "train" if shots is None else "holdout" if kind == "holdout" else "episodes"
    return Task(
        name=name,
        setting=split.setting,
        dataset=split.dataset,
        scale=scale,
        class_names=tuple(split.classes[k] for k in classes),
        groups=split.groups if shots is None else {"novel": tuple(range(len(classes)))},
        train=labelled(train, classes, part),
        test=labelled(test, classes),
        base=None if base_rows is None else labelled(base_rows, base, "base_train"),
        shots=shots,
        episode=episode,
        split_sha256=identity,
        protocol=split.protocol,
        restriction=split.restriction,
        own=split.own.recorded if split.own else None,
    )


def _identity(split: Split, kind: str) -> str:
    if kind == "dev" and lists.DEVELOPMENT[split.setting] not in split.files:
        raise InputError(
            f"split {split.name}: no development set at the {split.scale} scale, where all images "
            "are spoken for; use the -holdout task, which is made of training images"
        )
    return holdouts.identity(split.sha256) if kind == "holdout" else split.sha256


def check_files(task: Task) -> None:
    """InputError naming the first image of the task that is not to be seen below the data root."""
    for part in filter(None, (task.train, task.test, task.base)):
        missing = [path for path in part.images.files() if not os.path.isfile(path)]
        if missing:
            raise InputError(
                f"{missing[0]}: no such image, or this user may not see it ({len(missing)} of "
                f"{len(part.images)} missing for task {task.name}); what is wrong and what to "
                f"get: python -m benchmark data-root check --data-root {part.images.root}"
            )


def _rows(split: Split, shots: int | None, episode: int | None, kind: str) -> tuple:
    """(base classes, classes, base rows or None, train rows, test rows)."""
    judged = lists.DEVELOPMENT[split.setting] if kind == "dev" else None
    if shots is None:
        train, classes = _entries(split, "train.txt"), tuple(range(len(split.classes)))
        if kind == "holdout":
            return (), classes, None, *holdouts.quarter(train, len(classes))
        return (), classes, None, train, _entries(split, judged or "test.txt")
    base = _entries(split, "base_train.txt")
    if kind == "holdout":
        return holdouts.few_shot(split, base, shots, episode)
    episodes = "dev-episodes" if kind == "dev" else "episodes"
    train = _entries(split, f"{episodes}/{shots}-shot-{episode:02d}.txt")
    test = _entries(split, judged or "novel_test.txt")
    return split.groups["base"], split.groups["novel"], base, train, test


def _entries(split: Split, file: str) -> list[Row]:
    """A list's rows; a restriction may have left an episode without images."""
    rows = splits.entries(split, file)
    if not rows:
        raise InputError(
            f"{split.folder / file}: no image left in this list, which is restricted to "
            f"{split.restriction}; get its images and run `python -m benchmark splits restrict`"
        )
    return rows


def _matrix(rows: list[Row], classes: tuple[int, ...]) -> np.ndarray:
    """Labels (N, C) in the columns of `classes`."""
    column = {k: n for n, k in enumerate(classes)}
    matrix = np.zeros((len(rows), len(classes)), np.float32)
    for n, (_, labels) in enumerate(rows):
        matrix[n, [column[k] for k in labels]] = 1
    return matrix
