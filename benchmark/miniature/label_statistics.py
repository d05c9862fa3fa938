"""Statistics of the official label lists, kept in `statistics.json`: counted, written, read.

The miniature's label sets are sampled from these numbers alone, so that no official list has to be
in the repository. A set is described by its number of images, the positives of each class, a
histogram of labels per image and, for each pair of classes, the number of images that hold both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.data.official.published_lists import class_names
from benchmark.data.splits import lists

FILE = Path(__file__).with_name("statistics.json")
CLASS_FILES = {"coco": "coco-lt/lmpt/coco_labels.txt", "voc": "voc-lt/lmpt/voc_labels.txt"}
LISTS = {  # set -> official list below the folder
    "coco-lt-train": "coco-lt/lmpt/coco_lt_train.txt",
    "coco-val2017": "coco-lt/lmpt/coco_lt_test.txt",
    "voc-lt-train": "voc-lt/lmpt/voc_lt_train.txt",
    "voc2007-test": "voc-lt/lmpt/voc_lt_test.txt",
    "voc2007-test-easy": "voc2007-labels/derived/voc2007_test_labels_nodifficult.txt",
    "voc2007-trainval-easy": "voc2007-labels/derived/voc2007_trainval_labels_nodifficult.txt",
}
SOURCE = (
    "counted in the official lists of COCO-LT and VOC-LT (LMPT's files, difficult = positive) and "
    "in the VOC2007 matrices without difficult objects (the -easy sets, TaI-DPT) by "
    "`python -m benchmark.miniature.label_sets --statistics`"
)


@dataclass(frozen=True)
class LabelStatistics:
    """Statistics of one set of C classes.

    counts (C,); histogram (K,) of labels per image; pairs (C, C), symmetric with zero diagonal.
    """

    images: int
    counts: np.ndarray
    histogram: np.ndarray
    pairs: np.ndarray


def label_matrix(rows: Sequence[Sequence[int]], classes: int) -> np.ndarray:
    """0/1 matrix (N, C), int64, of N images' class indices."""
    matrix = np.zeros((len(rows), classes), np.int64)
    for n, row in enumerate(rows):
        matrix[n, list(row)] = 1
    return matrix


def measure(labels: np.ndarray) -> LabelStatistics:
    """The statistics of a 0/1 label matrix (N, C)."""
    labels = labels.astype(np.int64)
    pairs = labels.T @ labels
    counts = np.diag(pairs).copy()
    np.fill_diagonal(pairs, 0)
    return LabelStatistics(len(labels), counts, np.bincount(labels.sum(1)), pairs)


def derive(folder: Path) -> dict:
    """The content of statistics.json, counted in the official lists below `folder`."""
    classes = {name: class_names(folder / path) for name, path in CLASS_FILES.items()}
    matrices = {
        name: _matrix(folder / path, len(classes["coco" if name.startswith("coco") else "voc"]))
        for name, path in LISTS.items()
    }
    difficult = matrices["voc2007-test"] - matrices["voc2007-test-easy"]
    return {
        "source": SOURCE,
        "classes": classes,
        "sets": {name: _describe(matrix) for name, matrix in matrices.items()},
        "difficult_only": {
            "counts": difficult.sum(0).tolist(),
            "images": int(difficult.any(1).sum()),
            "beside": _sparse(difficult.T @ matrices["voc2007-test-easy"]),
        },
    }


def write(folder: Path) -> None:
    """Count the official lists below `folder` and write statistics.json, one line a set."""
    facts = derive(folder)
    short = {"separators": (",", ":")}
    sets = ",\n  ".join(f'"{k}": {json.dumps(v, **short)}' for k, v in facts["sets"].items())
    rest = [f'"{k}": {json.dumps(facts[k], **short)}' for k in facts if k != "sets"]
    FILE.write_text("{\n" + ",\n".join([*rest, '"sets": {\n  ' + sets + "\n}"]) + "\n}\n")


def read() -> dict:
    """The content of statistics.json."""
    return json.loads(FILE.read_text())


def statistics_of(facts: dict, name: str) -> LabelStatistics:
    """The statistics of one set, as arrays."""
    entry = facts["sets"][name]
    counts, histogram = np.array(entry["counts"]), np.array(entry["labels_per_image"])
    pairs = np.zeros((len(counts), len(counts)), np.int64)
    for i, j, n in entry["pairs"]:
        pairs[i, j] = pairs[j, i] = n
    return LabelStatistics(entry["images"], counts, histogram, pairs)


def _describe(matrix: np.ndarray) -> dict:
    found = measure(matrix)
    return {
        "images": found.images,
        "counts": found.counts.tolist(),
        "labels_per_image": found.histogram.tolist(),
        "pairs": _sparse(np.triu(found.pairs)),
    }


def _sparse(matrix: np.ndarray) -> list[list[int]]:
    """[row, column, value] of what is not zero."""
    return [[i, j, int(matrix[i, j])] for i, j in np.argwhere(matrix).tolist()]


def _matrix(path: Path, classes: int) -> np.ndarray:
    """0/1 matrix (N, C) of a list of `<path or id> <index> ...`, rows sorted by name."""
    rows = sorted(lists.parse(path.read_bytes(), path, classes))
    return label_matrix([labels for _, labels in rows], classes)
