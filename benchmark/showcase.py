"""Which test images the pictures show, and what a method's local view sees in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.method import Method, Run
from benchmark.stored import Maps
from benchmark.tasks import ImageList, Task

COUNT, LABELS = 6, 3  # images a task at most, and classes an image at least
_BOUND = 65_000  # float16 ends soon after


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
    """Smaller is better."""
    times, images = min((shown[k], rare[k]) for k in tail if row[k])
    return int(times), int(images), -int((row & (shown == 0)).sum())


def of(task: Task) -> list[int]:
    """The rows of a long-tailed task's test images; none of other tasks."""
    if task.setting != "long-tailed" or not task.groups.get("tail"):
        return []
    return rows(task.test.labels, task.groups["tail"])


def maps(method: Method, task: Task, run: Run) -> Maps | str | None:
    """The fitted method's local scores of the task's showcase images.

    None where there are no such images or the method has no local view; a text where it failed:
    the unit's result does not depend on it.
    """
    chosen = of(task)
    if not chosen or type(method).local_scores is Method.local_scores:
        return None
    images = ImageList(task.test.images.root, tuple(task.test.images.paths[n] for n in chosen))
    try:
        return _checked(method.local_scores(images, run), chosen, len(task.class_names))
    except Exception as error:  # such as a backbone without local features
        return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _checked(found: object, chosen: list[int], classes: int) -> Maps | None:
    """(K, L, C) as float32; ValueError if it is none, or cannot be stored as float16."""
    if found is None:
        return None
    shape = tuple(getattr(found, "shape", ()))
    if len(shape) != 3 or (shape[0], shape[2]) != (len(chosen), classes) or not shape[1]:
        wanted = f"(K, L, C) = ({len(chosen)}, L, {classes})"
        raise ValueError(f"local_scores returned {type(found).__name__} {shape}; expected {wanted}")
    values = found.detach().float().cpu().numpy()
    if not (np.abs(values) < _BOUND).all():  # NaN too
        raise ValueError("local_scores returned scores that are NaN, infinite or beyond float16")
    return Maps(np.array(chosen, np.int64), values)
