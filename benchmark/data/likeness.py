"""Which of COCO and VOC a dataset is like: the one rule for constants that differ between the two.

Some methods have constants that their authors chose for COCO-LT and for VOC-LT apart. On any other
data they take those of the nearer one, by labels an image and imbalance of the training list.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.data.splits import Row, lists

# Of the official training lists: what splits/paper/{coco,voc}-lt/manifest.json says of train.txt.
OFFICIAL = {"coco": (8316 / 1909, 1128 / 6), "voc": (2346 / 1142, 775 / 4)}


@dataclass(frozen=True)
class Likeness:
    """The nearer dataset, and what it was chosen by.

    dataset            "coco" | "voc"
    labels_per_image   the mean over all images of the training list
    imbalance          training images of the commonest class / of the rarest that has any
    """

    dataset: str
    labels_per_image: float
    imbalance: float


def nearest(rows: Sequence[Row], classes: int) -> Likeness:
    """By the distance in the two numbers' logarithms. ValueError for a list without any label."""
    counts = [n for n in lists.counts(rows, classes) if n]
    if not counts:
        raise ValueError("a training list without labels is like nothing")
    found = (sum(counts) / len(rows), max(counts) / min(counts))

    def distance(name: str) -> float:
        return math.dist([*map(math.log, found)], [*map(math.log, OFFICIAL[name])])

    return Likeness(min(OFFICIAL, key=distance), round(found[0], 2), round(found[1], 1))
