"""An imbalanced training list drawn from a larger one, as COCO-LT and VOC-LT were drawn.

The procedure is that of Distribution-Balanced Loss (Wu et al., ECCV 2020) as its authors'
tools/create_longtail_dataset.py has it: the sizes wanted follow the density of a Pareto
distribution with the power 6, at points spread evenly from its beginning to its quantile 0.99 and
stretched from MAX to MIN (the last is MIN and half a percent of MAX - MIN: 6 of 1200 and 1, as
COCO-LT's bear and hair drier). Classes are ranked by the sum over all classes i of the share of i's
images that have them too: what comes along with others must be large. In that order each class gets
images until it has its size, or gives back what it has too many of; later classes bring and take
images of earlier ones, so that the sizes come out nearly, not exactly.

Ours: the order of the images is our own chance; a class with too few images gives all it has, which
the authors' code does for COCO alone; and no class gives back its last image, or another class's.
Images without a label are never drawn, by them as by us. Of VOC2012's labels, 800 and 1 give
VOC-LT's ranking, and sizes within a few images of its own: person 785, cow 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.data.own.shuffle import holders, shuffled
from benchmark.data.splits import Row, lists

_POWER, _QUANTILE = 6, 0.99


def sizes(classes: int, most: int, least: int) -> list[int]:
    """The training images wanted of the first class of the ranking, the second, ..."""
    last = (1 - _QUANTILE) ** (-1 / _POWER)
    points = np.linspace(1, last, classes).tolist()
    return [int(least + (most - least) * x ** -(_POWER + 1)) for x in points]


def ranked(rows: Sequence[Row], classes: int) -> list[int]:
    """The classes by how much they come along with all others; of equals, the larger first."""
    counts = lists.counts(rows, classes)
    shares = [0.0] * classes
    for _, labels in rows:
        sum_of_shares = sum(1 / counts[k] for k in labels)
        for k in labels:
            shares[k] += sum_of_shares
    return sorted(range(classes), key=lambda k: (-round(shares[k], 9), -counts[k], k))


def drawn(rows: Sequence[Row], classes: int, most: int, least: int, seed: int) -> list[Row]:
    """Some of the rows, sorted, with about `sizes` images of the `ranked` classes."""
    images = holders(rows, classes)
    held, chosen = [0] * classes, set()

    def change(row: Row, by: int) -> None:
        (chosen.add if by > 0 else chosen.remove)(row)
        for k in row[1]:
            held[k] += by

    for k, size in zip(ranked(rows, classes), sizes(classes, most, least), strict=True):
        missing = held[k] < size
        candidates = [row for row in (rows[n] for n in images[k]) if (row in chosen) != missing]
        # An order of each class's own: with one for all, common images would come and go together.
        for row in shuffled(candidates, seed, f"long tail, class {k}"):
            if missing and held[k] < size:
                change(row, 1)
            elif not missing and held[k] > size and all(held[j] > 1 for j in row[1]):
                change(row, -1)
    return sorted(chosen)
