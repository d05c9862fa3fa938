"""The miniature's split files and manifests, derived from its images by the official protocols."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmark.data.official import derive
from benchmark.data.splits import lists, manifest
from benchmark.data.splits.lists import Row

NOVEL = {
    # LaSO: random.seed(0); base = random.sample(range(80), 64); these are the other 16.
    "coco": (1, 8, 11, 14, 24, 29, 31, 37, 41, 42, 44, 50, 56, 66, 68, 75),
    "voc": (7, 11, 15, 16, 17, 19),  # cat dog pottedplant sheep sofa tvmonitor (HP-DVAL's lists)
}
LASO_IMAGES = {1: (12, 16), 5: (56, 64)}  # images of LaSO's episodes, fewest and most
UNSAID = {"coco-lt": ("boxes",), "coco-fs": ("crowd", "boxes")}  # of the official protocol

List = list[Row]


def write(
    images: dict[str, list],
    classes: dict[str, list[str]],
    folder: Path,
    version: int,
    rng: Callable,
) -> None:
    """Write the four splits below `folder`.

    images   world file -> its rows, see `label_sets`
    classes  "coco" and "voc" -> class names
    rng      gives the random numbers of a purpose, a text
    """
    sure = {name: _list(rows) for name, rows in images.items()}
    every = {name: _list(rows, difficult=True) for name, rows in images.items()}
    coco = sure["train2014"], sure["val2014"], sure["dev2014"]
    voc = sure["VOC2007_trainval"], sure["VOC2007_test"], sure["VOC2007_dev"]
    made = {
        "coco-lt": _long_tailed(*(sure[f"{part}2017"] for part in ("train", "val", "dev"))),
        "voc-lt": _long_tailed(
            every["VOC2012_trainval"], every["VOC2007_test"], every["VOC2007_dev"]
        ),
        "coco-fs": _few_shot("coco-fs", *coco, classes, rng),
        "voc-fs": _few_shot("voc-fs", *voc, classes, rng),
    }
    for name, files in made.items():
        _write_split(folder, name, classes[name.partition("-")[0]], files, version)


def _list(rows: list, difficult: bool = False) -> List:
    """The rows' paths and classes; difficult-only classes count where `difficult` says so."""
    return [(path, tuple(sorted(sure + hard if difficult else sure))) for path, sure, hard in rows]


def _long_tailed(train: List, test: List, development: List) -> dict[str, List]:
    return {"train.txt": train, "test.txt": test, lists.DEVELOPMENT["long-tailed"]: development}


def _few_shot(
    name: str,
    train: List,
    test: List,
    development: List,
    classes: dict[str, list[str]],
    rng: Callable,
) -> dict[str, List]:
    """Images of base and novel classes stay, with the other group's labels masked, or go (VOC)."""
    dataset = name.partition("-")[0]
    kept, draw = {"coco": (lists.only, _at_least), "voc": (_within, _exactly)}[dataset]
    novel = set(NOVEL[dataset])
    base = set(range(len(classes[dataset]))) - novel
    pool = kept(train, novel)
    found = {"base_train.txt": kept(train, base), "novel_test.txt": kept(test, novel)}
    for prefix in ("", "dev-"):  # development has episodes of its own
        for file, (k, n) in lists.EPISODES.items():
            found[prefix + file] = draw(pool, k, rng(f"{prefix}{name} {k} shots {n}"))
    return found | {lists.DEVELOPMENT["few-shot"]: kept(development, novel)}


def _within(rows: List, classes: set[int]) -> List:
    """The rows that have labels, all of them of these classes."""
    return [row for row in rows if row[1] and set(row[1]) <= classes]


def _at_least(pool: List, k: int, rng: np.random.Generator) -> List:
    """At least k images of each class, as LaSO draws: one more image for a class that has too few.

    Drawn again until the number of images is in the range of LaSO's own episodes.
    """
    fewest, most = LASO_IMAGES[k]
    while True:
        chosen: dict[str, tuple[int, ...]] = {}
        for index in rng.permutation(NOVEL["coco"]).tolist():
            holding = [row for row in pool if index in row[1]]
            for n in rng.permutation(len(holding)).tolist():
                if sum(index in labels for labels in chosen.values()) >= k:
                    break
                chosen[holding[n][0]] = holding[n][1]
        if fewest <= len(chosen) <= most:
            return sorted(chosen.items())


def _exactly(pool: List, k: int, rng: np.random.Generator) -> List:
    """Exactly k positives of each class, k of the images with several classes, as in HP-DVAL's."""
    left = dict.fromkeys(NOVEL["voc"], k)
    chosen: List = []
    for several in (True, False):
        rows = [row for row in pool if (len(row[1]) > 1) == several]
        taken = 0
        for n in rng.permutation(len(rows)).tolist():
            if all(left[c] for c in rows[n][1]) and not (several and taken == k):
                chosen.append(rows[n])
                taken += 1
                for c in rows[n][1]:
                    left[c] -= 1
    assert not any(left.values())
    return sorted(chosen)


def _write_split(
    folder: Path, name: str, classes: list[str], files: dict[str, List], version: int
) -> None:
    dataset, rule = name.partition("-")[0], derive.RULES[name]
    numbers = manifest.counted(files, len(classes))
    if rule.setting == "few-shot":
        novel = NOVEL[dataset]
        groups = {"base": [k for k in range(len(classes)) if k not in novel], "novel": novel}
    else:
        groups = manifest.groups_of(numbers["train_counts"])
    raw = {
        "name": name,
        "scale": "miniature",
        "version": version,
        "setting": rule.setting,
        "dataset": dataset,
        "origin": f"benchmark/miniature/label_sets.py, version {version}: label sets of a drawn "
        "world, sampled from the statistics of the official lists; no image of COCO or VOC",
        "licence": "MIT",
        "protocol": {k: v for k, v in rule.protocol.items() if k not in UNSAID.get(name, ())},
        "classes": classes,
        "groups": {group: [classes[k] for k in ks] for group, ks in groups.items()},
        **numbers,
    }
    shutil.rmtree(folder / name, ignore_errors=True)
    manifest.write(folder / name, files, raw)
