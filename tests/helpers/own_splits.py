"""Splits of own images, as `splits make` writes them: five classes of birds, a list for each."""

from __future__ import annotations

from pathlib import Path

from benchmark.data import splits
from benchmark.data.splits import lists, manifest

CLASSES = ("auk", "bee eater", "crow", "duck", "eagle")
TRAIN = [
    ("pictures/one auk.jpg", (0,)),
    ("pictures/100%.jpg", (0, 1)),
    ("pictures/c.jpg", (0, 2)),
    ("pictures/d.jpg", (1, 3)),
    ("pictures/e.jpg", (3, 4)),
    ("pictures/f.jpg", (2,)),
    ("pictures/g.jpg", (4, 0)),
    ("pictures/h.jpg", (1, 3)),
]
TEST = [("pictures/t1.jpg", (0, 3)), ("pictures/t2.jpg", (1, 4)), ("pictures/t3.jpg", ())]
NOVEL = (3, 4)
OWN = {
    "like": {"dataset": "voc", "labels_per_image": 1.75, "imbalance": 2.0},
    "template": "a drawing of a {}",
    "grouping": [4, 3],
    "names": {},
    "made": {"seed": 0},
}


def write(root: Path, name: str = "birds", **own: object) -> None:
    """The splits NAME-lt and NAME-fs (1 shot, 2 episodes) below a data root, without images."""
    base = tuple(k for k in range(len(CLASSES)) if k not in NOVEL)
    novel = lists.only(TRAIN, NOVEL)
    _write(
        *(root, f"{name}-lt", "long-tailed", own, {"train.txt": TRAIN, "test.txt": TEST}),
        lambda counts: manifest.groups_of(counts, tuple(OWN["grouping"])),
    )
    few = {"base_train.txt": lists.only(TRAIN, base), "novel_test.txt": lists.only(TEST, NOVEL)}
    few |= {f"episodes/1-shot-{n:02d}.txt": novel[n - 1 : n + 1] for n in (1, 2)}
    _write(root, f"{name}-fs", "few-shot", own, few, lambda _: {"base": base, "novel": NOVEL})


def _write(root: Path, name: str, setting: str, own: dict, files: dict, groups_of) -> None:
    counted = manifest.counted(files, len(CLASSES))
    groups = groups_of(counted["train_counts"])
    raw = {
        "name": name,
        "scale": "paper",
        "version": 1,
        "setting": setting,
        "dataset": name.rpartition("-")[0],
        "origin": "a test",
        "licence": "",
        "protocol": {"source": "own data", "shots": "at least", "mixed": "kept"},
        "classes": list(CLASSES),
        "groups": {g: [CLASSES[k] for k in members] for g, members in groups.items()},
        **counted,
        "own": {**OWN, **own},
    }
    folder = splits.fetched(name, root)
    folder.mkdir(parents=True)
    manifest.write(folder, files, raw)
