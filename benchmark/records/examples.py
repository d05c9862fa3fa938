"""Which test images the report shows as examples: chosen by their labels, never by a result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.data.tasks import Task

COUNT, LABELS = 6, 3  # images a task at most, and classes an image at least


def rows(labels: np.ndarray, tail: Sequence[int], count: int = COUNT) -> list[int]:
    """Up to `count` rows of labels (N, C): images of at least three classes, one of them in `tail`.

    Chosen from the truth alone, so that no method is shown at its best. One after the other: an
    image of the tail class that was shown least (of those, of the class with fewest images), with
    the most classes that no image before shows; then the first in the list.
    """
    truth, tail = np.asarray(labels) > 0, list(tail)
    able = (truth.sum(1) >= LABELS) & truth[:, tail].any(1)
    left = np.flatnonzero(able).tolist()
    shown, rare = np.zeros(truth.shape[1], np.int64), truth[able].sum(0)
    chosen: list[int] = []
    while left and len(chosen) < count:
        best = min(left, key=lambda row: _merit(truth[row], tail, shown, rare) + (row,))
        left.remove(best)
        chosen.append(best)
        shown += truth[best]
    return chosen


def _merit(row: np.ndarray, tail: list[int], shown: np.ndarray, rare: np.ndarray) -> tuple:
    """The sort key of a candidate, the best first: how often its least-shown tail class was shown,
    how many images have that class, minus the number of its classes that no example shows yet."""
    times, images = min((shown[k], rare[k]) for k in tail if row[k])
    return int(times), int(images), -int((row & (shown == 0)).sum())


def of(task: Task) -> list[int]:
    """The rows of a long-tailed task's test images; none of other tasks."""
    if task.setting != "long-tailed" or not task.groups.get("tail"):
        return []
    return rows(task.test.labels, task.groups["tail"])
