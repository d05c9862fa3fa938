"""Our lists and manifests derived from the official files, by one rule a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError
from benchmark.data.annotations import VOC_CLASSES
from benchmark.data.official import laso, published_lists
from benchmark.data.official.sources import Source
from benchmark.data.splits import lists, manifest
from benchmark.data.splits.lists import Row

VERSION = 1  # raise when a rule here changes: it is in the manifest, and so in a split's identity
VOC2007 = "VOCdevkit/VOC2007/JPEGImages/{:06d}.jpg"
BOXES = "with area <= 0 or a side below one pixel: no label"
# Every manifest holds these words, and its sha256 is the split's identity: leave them as they are.
CONVERTED = "converted by python -m benchmark.splits"

Files = Mapping[str, Path]  # path in its repository -> file


@dataclass(frozen=True)
class Lists:
    """A split's classes, groups of class indices and list files.

    A list that needs annotation files which are not there is given by what is known of it:
    `images` and `labels`, None if unknown.
    """

    classes: tuple[str, ...]
    groups: dict[str, tuple[int, ...]]
    files: dict[str, list[Row] | dict[str, int | None]]


@dataclass(frozen=True)
class Rule:
    """What is fixed for a split: the fields of its manifest, and how its lists are derived.

    `derive(files, root)`: root None without annotations.
    """

    setting: str
    origin: str
    protocol: dict[str, Any]
    derive: Callable[[Files, Path | None], Lists]
    annotations: dict[str, dict[str, int]] | None = None


def lists_of(name: str, files: Files, root: Path | None) -> Lists:
    """A split's lists from its official files; InputError if they or the annotations are wrong."""
    return RULES[name].derive(files, root)


def fields(name: str, sources: list[Source], found: Lists) -> dict[str, Any]:
    """The manifest; null where it depends on annotations that `found` was made without."""
    rule = RULES[name]
    return {
        "name": name,
        "scale": "paper",
        "version": VERSION,
        "setting": rule.setting,
        "dataset": name.partition("-")[0],
        "origin": f"{rule.origin}; {CONVERTED}",
        "licence": "; ".join(dict.fromkeys(f"{s.repository}: {s.licence}" for s in sources)),
        "protocol": rule.protocol,
        "classes": list(found.classes),
        "groups": {g: [found.classes[k] for k in ks] for g, ks in found.groups.items()},
        **manifest.counted(found.files, len(found.classes)),
        "sources": [asdict(source) for source in sources],
    } | ({"annotations": rule.annotations} if rule.annotations else {})


def _long_tailed(
    dataset: str, train_image: str, test_image: str, files: Files, root: Path | None
) -> Lists:
    """LMPT's lists of a dataset, whose paths match these two regular expressions."""
    stem = f"data/{dataset}/{dataset}"
    path = files[f"{stem}_labels.txt"]
    classes = published_lists.class_names(path)
    if dataset == "voc" and classes != VOC_CLASSES:
        raise InputError(f"{path}: must be VOC's 20 classes in alphabetical order; fetch it again")
    train, test = (
        published_lists.text_list(files[f"{stem}_lt_{part}.txt"], image, len(classes))
        for part, image in (("train", train_image), ("test", test_image))
    )
    shared = {path for path, _ in train} & {path for path, _ in test}
    if shared:
        raise InputError(f"{min(shared)}: in both the training and the test list; fetch again")
    groups = manifest.groups_of(lists.counts(train, len(classes)))
    return Lists(classes, groups, {"train.txt": train, "test.txt": test})


def _coco_few_shot(files: Files, root: Path | None) -> Lists:
    classes = published_lists.class_names(files["data/coco/coco_labels.txt"])
    episodes = laso.episodes(files, len(classes))
    novel = laso.novel(episodes)
    groups = {"base": tuple(k for k in range(len(classes)) if k not in novel), "novel": novel}
    if root is not None:
        return Lists(classes, groups, laso.rows(root, episodes, classes))
    known = dict.fromkeys(("base_train.txt", "novel_test.txt"), {"images": None, "labels": None})
    for file, episode in episodes.items():
        known[file] = {"images": len(episode), "labels": lists.positives(episode.items())}
    return Lists(classes, groups, known)


def _voc_few_shot(files: Files, root: Path | None) -> Lists:
    stem = "idx/voc/classification_"
    tables = {"base_train.txt": "Train_base", "novel_test.txt": "Test_novel"}
    tables |= {file: f"Train_novel_{k}shot_{n}" for file, (k, n) in lists.EPISODES.items()}
    found, headers = {}, {}
    for file, table in tables.items():
        path = files[f"{stem}{table}.csv"]
        headers[file], rows = published_lists.table(path, VOC2007)
        if not set(headers[file]) <= set(VOC_CLASSES):
            raise InputError(f"{path}:1: names a class that VOC does not have; fetch it again")
        index = [VOC_CLASSES.index(each) for each in headers[file]]
        found[file] = [(name, tuple(sorted(index[k] for k in ks))) for name, ks in rows]
    base, novel = headers.pop("base_train.txt"), headers["novel_test.txt"]
    if set(headers.values()) != {novel} or sorted(base + novel) != sorted(VOC_CLASSES):
        raise InputError(f"{path.parent}: the tables' headers do not share out VOC's classes")
    groups = {"base": base, "novel": novel}
    indices = {g: tuple(sorted(map(VOC_CLASSES.index, names))) for g, names in groups.items()}
    return Lists(VOC_CLASSES, indices, found)


RULES = {
    "coco-lt": Rule(
        "long-tailed",
        "COCO-LT (COCO-MLT) of Distribution-Balanced Loss (wutong16/DistributionBalancedLoss), "
        "in the lists of paths and labels that LMPT publishes",
        {"difficult": None, "source": "COCO-LT (COCO-MLT)", "crowd": "positive", "boxes": BOXES},
        partial(_long_tailed, "coco", r"train2017/\d{12}\.jpg", r"val2017/\d{12}\.jpg"),
    ),
    "voc-lt": Rule(
        "long-tailed",
        "VOC-LT (VOC-MLT) of Distribution-Balanced Loss (wutong16/DistributionBalancedLoss), "
        "in the lists of paths and labels that LMPT publishes",
        {"difficult": "positive", "source": "VOC-LT (VOC-MLT)"},
        partial(
            _long_tailed,
            "voc",
            r"VOCdevkit/VOC2012/JPEGImages/\d{4}_\d{6}\.jpg",
            r"VOCdevkit/VOC2007/JPEGImages/\d{6}\.jpg",
        ),
    ),
    "coco-fs": Rule(
        "few-shot",
        "LaSO's 64 base and 16 novel classes of COCO 2014 and its ten episodes, decoded with "
        "COCO's 2014 annotations",
        {
            "difficult": None,
            "source": "LaSO 64/16",
            "crowd": "negative",
            "boxes": BOXES,
            "mixed": "kept",  # images of base and novel classes; the other group's labels masked
            "shots": "at least",  # k positives of each novel class
        },
        _coco_few_shot,
        laso.SIZES,
    ),
    "voc-fs": Rule(
        "few-shot",
        "14 base and 6 novel classes of VOC2007 and ten episodes, as HP-DVAL publishes them",
        {
            "difficult": "negative",
            "source": "HP-DVAL 14/6 on VOC2007",
            "mixed": "dropped",  # images of base and novel classes
            "shots": "exactly",
        },
        _voc_few_shot,
    ),
}
