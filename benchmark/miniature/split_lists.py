"""The miniature's split files and manifests, derived from its images by the official protocols."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmark.data.splits import lists, manifest
from benchmark.data.splits.lists import Row

# LaSO: random.seed(0); base = random.sample(range(80), 64); these are the other 16.
COCO_NOVEL = (1, 8, 11, 14, 24, 29, 31, 37, 41, 42, 44, 50, 56, 66, 68, 75)
VOC_NOVEL = (7, 11, 15, 16, 17, 19)  # cat dog pottedplant sheep sofa tvmonitor (HP-DVAL's lists)
LASO_IMAGES = {1: (12, 16), 5: (56, 64)}  # images of LaSO's episodes, fewest and most
EPISODES = 10

List = list[Row]


def write(
    images: dict[str, list],
    classes: dict[str, list[str]],
    folder: Path,
    version: int,
    rng: Callable,
) -> None:
    """Write the four splits below `folder`; `rng(purpose)` gives random numbers."""
    coco = {k: _list(images[k]) for k in ("train2017", "val2017", "train2014", "val2014")}
    year = {k: images[f"VOC2007_{k}"] for k in ("trainval", "test")}
    made = {
        "coco-lt": {"train.txt": coco["train2017"], "test.txt": coco["val2017"]},
        "voc-lt": {
            "train.txt": _list(images["VOC2012_trainval"], difficult=True),
            "test.txt": _list(year["test"], difficult=True),
        },
        "coco-fs": _coco_few_shot(coco["train2014"], coco["val2014"], rng),
        "voc-fs": _voc_few_shot(_list(year["trainval"]), _list(year["test"]), rng),
    }
    protocols = {
        "coco-lt": {"difficult": None, "source": "COCO-LT (COCO-MLT)", "crowd": "positive"},
        "voc-lt": {"difficult": "positive", "source": "VOC-LT (VOC-MLT)"},
        "coco-fs": {
            "difficult": None,
            "source": "LaSO 64/16",
            # Images of base and novel classes stay; the other group's labels are masked.
            "mixed": "kept",
            "shots": "at least",  # k positives of each novel class
        },
        "voc-fs": {
            "difficult": "negative",
            "source": "HP-DVAL 14/6 on VOC2007",
            "mixed": "dropped",  # images of base and novel classes
            "shots": "exactly",
        },
    }
    for name, files in made.items():
        dataset = name.split("-")[0]
        _write_split(folder / name, name, classes[dataset], files, protocols[name], version)


def _list(rows: list, difficult: bool = False) -> List:
    """The rows' paths and classes; difficult-only classes count where `difficult` says so."""
    return [(path, tuple(sorted(sure + hard if difficult else sure))) for path, sure, hard in rows]


def _coco_few_shot(train: List, test: List, rng: Callable) -> dict[str, List]:
    novel = set(COCO_NOVEL)
    base = set(range(80)) - novel
    pool = lists.only(train, novel)
    files = {"base_train.txt": lists.only(train, base), "novel_test.txt": lists.only(test, novel)}
    return files | _episodes(
        "coco-fs", lambda k, draw: _at_least(pool, sorted(novel), k, draw), rng
    )


def _voc_few_shot(train: List, test: List, rng: Callable) -> dict[str, List]:
    novel = set(VOC_NOVEL)
    base = set(range(20)) - novel
    pool = [row for row in train if set(row[1]) <= novel and row[1]]
    files = {
        "base_train.txt": [row for row in train if set(row[1]) <= base and row[1]],
        "novel_test.txt": [row for row in test if set(row[1]) <= novel and row[1]],
    }
    return files | _episodes("voc-fs", lambda k, draw: _exactly(pool, k, draw), rng)


def _episodes(name: str, draw_one: Callable, rng: Callable) -> dict[str, List]:
    return {
        f"episodes/{k}-shot-{n:02d}.txt": draw_one(k, rng(f"{name} {k} shots {n}"))
        for k in (1, 5)
        for n in range(1, EPISODES + 1)
    }


def _at_least(pool: List, classes: list[int], k: int, rng: np.random.Generator) -> List:
    """At least k images of each class, as LaSO draws: one more image for a class that has too few.

    Drawn again until the number of images is in the range of LaSO's own episodes.
    """
    fewest, most = LASO_IMAGES[k]
    while True:
        chosen: dict[str, tuple[int, ...]] = {}
        for index in rng.permutation(classes).tolist():
            holding = [row for row in pool if index in row[1]]
            for n in rng.permutation(len(holding)).tolist():
                if sum(index in labels for labels in chosen.values()) >= k:
                    break
                chosen[holding[n][0]] = holding[n][1]
        if fewest <= len(chosen) <= most:
            return sorted(chosen.items())


def _exactly(pool: List, k: int, rng: np.random.Generator) -> List:
    """Exactly k positives of each class, k of the images with several classes, as in HP-DVAL's."""
    left = dict.fromkeys(VOC_NOVEL, k)
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
    folder: Path,
    name: str,
    classes: list[str],
    files: dict[str, List],
    protocol: dict,
    version: int,
) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for file, rows in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(lists.content(rows))
    train, test = list(files.values())[:2]
    counts = [lists.counts(rows, len(classes)) for rows in (train, test)]
    raw = {
        "name": name,
        "scale": "miniature",
        "version": version,
        "setting": "few-shot" if name.endswith("fs") else "long-tailed",
        "dataset": name.split("-")[0],
        "origin": f"python -m benchmark.miniature.labels, version {version}: label sets of a drawn "
        "world, sampled from the statistics of the official lists; no image of COCO or VOC",
        "licence": "MIT",
        "protocol": protocol,
        "classes": classes,
        "groups": _groups(name, classes, counts[0]),
        "train_counts": counts[0],
        "test_counts": counts[1],
        "files": {file: lists.info(rows) for file, rows in files.items()},
    }
    (folder / "manifest.json").write_bytes(manifest.text(raw))


def _groups(name: str, classes: list[str], counts: list[int]) -> dict[str, list[str]]:
    if name.endswith("fs"):
        novel = {classes[k] for k in (COCO_NOVEL if name.startswith("coco") else VOC_NOVEL)}
        return {
            "base": [c for c in classes if c not in novel],
            "novel": [c for c in classes if c in novel],
        }
    return {
        group: [c for c, n in zip(classes, counts, strict=True) if manifest.group_of(n) == group]
        for group in manifest.GROUPS["long-tailed"]
    }
