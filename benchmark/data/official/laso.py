"""LaSO's few-shot protocol on COCO 2014: its episode files, and the lists that they stand for.

An episode file holds positions in the `images` list of instances_train2014.json, not image ids, so
that annotation file is needed. That its order is the one LaSO used is checked: each position must
carry exactly the novel classes under which LaSO files it.
Source: leokarlin/LaSO, oneshot/coco.py and data_for_augmentation/.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from benchmark.common.errors import InputError
from benchmark.data.annotations import Instances
from benchmark.data.official import safe_pickle
from benchmark.data.splits import lists
from benchmark.data.splits.lists import Row

TRAIN = "annotations/instances_train2014.json"
TEST = "annotations/instances_val2014.json"
SIZES = {  # images and annotations, crowds included
    TRAIN: {"images": 82783, "annotations": 604907},
    TEST: {"images": 40504, "annotations": 291875},
}
EPISODES = {f: f"data_for_augmentation/{k}shotRun{n}" for f, (k, n) in lists.EPISODES.items()}

Episode = dict[int, tuple[int, ...]]  # position, in LaSO's order -> novel classes


def episodes(files: Mapping[str, Path], classes: int) -> dict[str, Episode]:
    """Our list file -> episode, read from LaSO's files (path in its repository -> file)."""
    found = {}
    for file, stem in EPISODES.items():
        path, used = files[f"{stem}ClassIdxDict.pkl"], files[f"{stem}UsedIndices.pkl"]
        by_class, positions = safe_pickle.read(path), safe_pickle.read(used)
        if not _is_filed(by_class, classes) or not _are_positions(positions):
            raise InputError(f"{path}: must be lists of positions by class; fetch it again")
        labels: dict[int, list[int]] = {position: [] for position in positions}
        for k, members in sorted(by_class.items()):
            for position in members:
                if position not in labels:
                    raise InputError(f"{path}: position {position} is not in {used.name}")
                labels[position].append(k)
        if not all(labels.values()):
            raise InputError(f"{used}: a position has no class in {path.name}")
        found[file] = {position: tuple(ks) for position, ks in labels.items()}
    return found


def novel(found: dict[str, Episode]) -> tuple[int, ...]:
    """The novel classes, which are the same in all episodes."""
    first, *others = [{k for ks in episode.values() for k in ks} for episode in found.values()]
    if any(other != first for other in others):
        raise InputError("LaSO's episode files: not all have the same novel classes; fetch again")
    return tuple(sorted(first))


def rows(root: Path, found: dict[str, Episode], classes: tuple[str, ...]) -> dict[str, list[Row]]:
    """All list files, from the annotations below the data root.

    base_train: train2014 images with a base class, novel labels masked; novel_test: val2014 images
    with a novel class, base labels masked, in the order of the annotation file. Crowds and boxes
    with a side below one pixel are no labels.
    """
    wanted = novel(found)
    rest = set(range(len(classes))) - set(wanted)
    train = _labelled(root / TRAIN, SIZES[TRAIN], classes)
    drawn = {file: _drawn(root / TRAIN, file, e, train, wanted) for file, e in found.items()}
    base = lists.only(train, rest)
    test = lists.only(_labelled(root / TEST, SIZES[TEST], classes), wanted)
    return {"base_train.txt": base, "novel_test.txt": test} | drawn


def _labelled(path: Path, size: dict[str, int], classes: tuple[str, ...]) -> list[Row]:
    """(path below the data root, classes) of every image, in the order of the file."""
    found = Instances(path)
    if found.size != (size["images"], size["annotations"]):
        raise InputError(
            f"{path}: {found.size[0]:,} images and {found.size[1]:,} annotations, not "
            f"{size['images']:,} and {size['annotations']:,}; get COCO's own 2014 annotations"
        )
    if found.classes != classes:
        raise InputError(f"{path}: field categories: not COCO's 80 classes; download it again")
    folder = path.stem.removeprefix("instances_")
    labels = found.labels(crowd="negative")
    return [(f"{folder}/{name}", tuple(sorted(labels[name]))) for _, name in found.images]


def _drawn(
    path: Path, file: str, episode: Episode, train: list[Row], wanted: tuple[int, ...]
) -> list[Row]:
    """An episode's rows; InputError if the annotations do not have LaSO's labels there."""
    found = []
    for position, expected in episode.items():
        name, labels = train[position] if position < len(train) else ("no image", ())
        kept = tuple(k for k in labels if k in wanted)
        if kept != expected:
            source = f"{PurePosixPath(EPISODES[file]).name}ClassIdxDict.pkl"
            raise InputError(
                f"{path}: field images: position {position} ({name}) has novel classes {kept}, not "
                f"{expected} as {source} says, so the order of its images is not the one that "
                "LaSO used; get COCO's own 2014 annotations"
            )
        found.append((name, kept))
    return found


def _is_filed(value: object, classes: int) -> bool:
    good = isinstance(value, dict) and all(type(k) is int and 0 <= k < classes for k in value)
    return good and all(_are_positions(members) for members in value.values())


def _are_positions(value: object) -> bool:
    """Whether it is a list of different positions."""
    good = isinstance(value, list) and all(type(v) is int and v >= 0 for v in value)
    return good and len(set(value)) == len(value) > 0
