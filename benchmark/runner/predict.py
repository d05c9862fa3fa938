"""A method's scores of images, and its local ones of the examples: asked for, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmark.data.images import ImageList
from benchmark.data.tasks import Task
from benchmark.method.base import Method
from benchmark.method.run import Run
from benchmark.records import examples
from benchmark.records.scores import Maps

_BOUND = 65_000  # float16 ends soon after


def scored(method: Method, task: Task, run: Run, images: ImageList | None = None) -> np.ndarray:
    """The method's checked scores of the images, by default the task's test images: (N, C)."""
    images = task.test.images if images is None else images
    shape = (len(images), len(task.class_names))
    return check_scores(method.predict(images, run), shape)


def check_scores(scores: Any, shape: tuple[int, int]) -> np.ndarray:
    """The scores copied as float32 (N, C); TypeError or ValueError saying what is wrong."""
    if not isinstance(scores, torch.Tensor):
        raise TypeError(f"predict returned {type(scores).__name__}; expected a torch.Tensor")
    if tuple(scores.shape) != shape:
        raise ValueError(f"predict returned shape {tuple(scores.shape)}; expected (N, C) = {shape}")
    if not scores.is_floating_point():
        raise TypeError(f"predict returned {scores.dtype}; expected floating point scores")
    array = scores.detach().to("cpu", torch.float32, copy=True).numpy()
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise ValueError(f"predict returned {bad} of {array.size} scores that are NaN or infinite")
    return array


def local_maps(method: Method, task: Task, run: Run) -> Maps | str | None:
    """The fitted method's local scores of the task's example images.

    None where there are no such images or the method has no local view; a text where it failed:
    the unit's result does not depend on it.
    """
    chosen = examples.of(task)
    if not chosen or type(method).local_scores is Method.local_scores:
        return None
    images = ImageList(task.test.images.root, tuple(task.test.images.paths[n] for n in chosen))
    try:
        return _checked_maps(method.local_scores(images, run), chosen, len(task.class_names))
    except Exception as error:  # such as a backbone without local features
        return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _checked_maps(found: object, chosen: list[int], classes: int) -> Maps | None:
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
