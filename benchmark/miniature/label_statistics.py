"""Statistics of the official label lists: derives `statistics.json` and reads it back.

The miniature's label sets are sampled from these numbers alone, so that no official list has to be
in the repository. A set is described by its number of images, the positives of each class, a
histogram of labels per image and, for each pair of classes, the number of images that hold both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("statistics.json")
CLASS_FILES = {"coco": "coco-lt/lmpt/coco_labels.txt", "voc": "voc-lt/lmpt/voc_labels.txt"}
LISTS = {  # set -> (dataset, official list below the folder)
    "coco-lt-train": ("coco", "coco-lt/lmpt/coco_lt_train.txt"),
    "coco-val2017": ("coco", "coco-lt/lmpt/coco_lt_test.txt"),
    "voc-lt-train": ("voc", "voc-lt/lmpt/voc_lt_train.txt"),
    "voc2007-test": ("voc", "voc-lt/lmpt/voc_lt_test.txt"),
    "voc2007-test-easy": ("voc", "voc2007-labels/derived/voc2007_test_labels_nodifficult.txt"),
    "voc2007-trainval-easy": (
        "voc",
        "voc2007-labels/derived/voc2007_trainval_labels_nodifficult.txt",
    ),
}
SOURCE = (
    "counted in the official lists of COCO-LT and VOC-LT (LMPT's files, difficult = positive) and "
    "in the VOC2007 matrices without difficult objects (the -easy sets, TaI-DPT) by "
    "`python -m benchmark.miniature.label_sets --statistics`"
)


@dataclass(frozen=True)
class Census:
    """Statistics of one set of C classes.

    counts (C,); histogram (K,) of labels per image; pairs (C, C), symmetric with zero diagonal.
    """

    images: int
    counts: np.ndarray
    histogram: np.ndarray
    pairs: np.ndarray


def measure(labels: np.ndarray) -> Census:
    """The statistics of a 0/1 label matrix (N, C)."""
    labels = labels.astype(np.int64)
    pairs = labels.T @ labels
    counts = np.diag(pairs).copy()
    np.fill_diagonal(pairs, 0)
    return Census(len(labels), counts, np.bincount(labels.sum(1)), pairs)


def derive(folder: Path) -> dict:
    """The content of statistics.json, counted in the official lists below `folder`."""
    classes = {name: _class_names(folder / path) for name, path in CLASS_FILES.items()}
    matrices = {
        name: _matrix(folder / path, len(classes[dataset]))
        for name, (dataset, path) in LISTS.items()
    }
    difficult = matrices["voc2007-test"] - matrices["voc2007-test-easy"]
    beside = difficult.T @ matrices["voc2007-test-easy"]
    return {
        "source": SOURCE,
        "classes": classes,
        "sets": {name: _describe(matrix) for name, matrix in matrices.items()},
        "difficult_only": {
            "counts": difficult.sum(0).tolist(),
            "images": int(difficult.any(1).sum()),
            "beside": [[i, j, n] for i, j, n in _sparse(beside)],
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


def census(facts: dict, name: str) -> Census:
    """The statistics of one set, as arrays."""
    entry = facts["sets"][name]
    size = len(entry["counts"])
    pairs = np.zeros((size, size), np.int64)
    for i, j, n in entry["pairs"]:
        pairs[i, j] = pairs[j, i] = n
    return Census(
        entry["images"], np.array(entry["counts"]), np.array(entry["labels_per_image"]), pairs
    )


def _describe(matrix: np.ndarray) -> dict:
    found = measure(matrix)
    return {
        "images": found.images,
        "counts": found.counts.tolist(),
        "labels_per_image": found.histogram.tolist(),
        "pairs": [[i, j, n] for i, j, n in _sparse(np.triu(found.pairs))],
    }


def _sparse(matrix: np.ndarray) -> list[tuple[int, int, int]]:
    return [(int(i), int(j), int(matrix[i, j])) for i, j in np.argwhere(matrix)]


def _class_names(path: Path) -> list[str]:
    """Names hold spaces and lines may end in one, so the index is split off from the right."""
    rows = [line.rstrip().rsplit(" ", 1) for line in path.read_text().splitlines() if line.strip()]
    return [name for name, _ in sorted(rows, key=lambda row: int(row[1]))]


def _matrix(path: Path, classes: int) -> np.ndarray:
    """0/1 matrix (N, classes) of a list of `<path or id> <index> ...`, rows sorted by name."""
    rows = sorted(line.split() for line in path.read_text().splitlines() if line.strip())
    matrix = np.zeros((len(rows), classes), np.int64)
    for n, (_, *indices) in enumerate(rows):
        matrix[n, [int(i) for i in indices]] = 1
    return matrix
