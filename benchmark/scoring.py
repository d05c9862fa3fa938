"""A method's scores of the test images, checked before anything is computed from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmark.method import Method, Run
from benchmark.tasks import Task


def scored(method: Method, task: Task, run: Run) -> np.ndarray:
    """The method's checked scores of the task's test images, float32 (N, C)."""
    shape = (len(task.test.images), len(task.class_names))
    return check_scores(method.predict(task.test.images, run), shape)


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
