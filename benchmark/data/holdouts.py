"""Hold-out tasks: training data split once more, to choose settings without the test set."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmark.common.errors import InputError
from benchmark.data.splits import Row, Split, lists

VERSION = 1  # raise when the rules change: part of the tasks' identity


def identity(split_sha256: str) -> str:
    """The identity of a hold-out's data: the split's sha256 and the rules' version."""
    return lists.sha256(f"{split_sha256} holdout {VERSION}".encode())


def quarter(rows: list[Row], classes: int) -> tuple[list[Row], list[Row]]:
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


def few_shot(split: Split, rows: list[Row], shots: int, episode: int) -> tuple:
    """(base classes, novel classes, base rows, train rows, test rows), all of base_train's `rows`.

    Every fourth base class plays novel, from the second on, since the first of COCO's, person, is
    in half of the images. Images with a pseudo-novel class are left out of the base stage, as they
    are needed for the episode and the test; their other labels are masked, on VOC too, where
    dropping them would leave a class such as diningtable without images.
    """
    novel, pool = pseudo_novel(split, rows)
    if not novel:
        raise InputError(
            f"split {split.name}: one base class alone makes no hold-out; leave it out"
        )
    base = tuple(k for k in split.groups["base"] if k not in novel)
    rest = [row for row in rows if not set(row[1]) & set(novel)]
    exactly = split.protocol.get("shots") == "exactly"
    train = _episode(pool, novel, shots, exactly, f"{shots} shots, episode {episode}")
    taken = {path for path, _ in train}
    return base, novel, rest, train, [row for row in pool if row[0] not in taken]


def pseudo_novel(split: Split, rows: list[Row]) -> tuple[tuple[int, ...], list[Row]]:
    """Every fourth base class from the second on, and base_train's rows of them alone."""
    novel = split.groups["base"][1::4]
    return novel, lists.only(rows, novel)


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
    return sorted(rows, key=lambda row: lists.sha256(f"{purpose} {row[0]}".encode()))
