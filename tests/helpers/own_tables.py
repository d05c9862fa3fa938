"""Labelled images of nobody, as a labels file would give them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmark.data.own.table import LabelTable
from benchmark.data.splits import Row


def table(rows: Iterable[Row], classes: tuple[str, ...], source: str = "labels.csv") -> LabelTable:
    return LabelTable(
        Path(source), "0" * 64, "CSV, a column of labels", classes, tuple(sorted(rows))
    )


def alone(*sizes: int) -> list[Row]:
    """So many images of each class, with no other label."""
    return [
        (f"pictures/{k}-{n:04d}.jpg", (k,)) for k, size in enumerate(sizes) for n in range(size)
    ]


def together(images: int, classes: int, seed: int = 0) -> list[Row]:
    """Images with two labels in the mean, and some with none; class 0 is the commonest."""
    random = np.random.default_rng(seed)
    share = 1 / (np.arange(classes) + 2.0)
    share /= share.sum()
    return [
        (
            f"pictures/{n:05d}.jpg",
            tuple(sorted(random.choice(classes, size, replace=False, p=share).tolist())),
        )
        for n, size in enumerate(random.poisson(2, images).clip(max=classes // 2).tolist())
    ]


def names(count: int) -> tuple[str, ...]:
    return tuple(f"class {k:03d}" for k in range(count))
