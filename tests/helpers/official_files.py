"""Made-up official files in the formats of the real ones, and the manifests that pin them."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.cli.splits import main
from benchmark.data import splits
from benchmark.data.annotations import VOC_CLASSES
from benchmark.data.official import derive, laso, sources, store

COCO = ("person", "traffic light", "stop sign", "cat", "dog")
NOVEL = (1, 3)
TRAIN2014 = 40
HP_DVAL = "idx/voc/classification_"
_VOC_NOVEL = ("cat", "dog", "pottedplant", "sheep", "sofa", "tvmonitor")


class Site:
    """Made-up official files, a data root, and `python -m benchmark splits` run on them."""

    def __init__(self, folder: Path, put, capsys: pytest.CaptureFixture):
        self.made, self.root = install(folder, put), data_root(folder, annotations=False)
        self.capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        self.capsys.readouterr()
        flags = ["--data-root", str(self.root)] if arguments[0] != "pin" else []
        return main([*arguments, *flags]), *self.capsys.readouterr()

    def fetch(self, *names: str) -> None:
        """Fetch splits, or all that do not need annotations."""
        chosen = ["--splits", *names] if names else []
        code, _, err = self.run("fetch", "--from", str(self.made), *chosen)
        assert (code, err) == (0, "")

    def annotate(self) -> None:
        data_root(self.root.parent)

    def images(self, name: str, file: str, count: int) -> list[str]:
        """Make empty files in the place of a list's first images; return their paths."""
        rows = splits.entries(splits.read(name, "paper", self.root), file)[:count]
        for path, _ in rows:
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).touch()
        return [path for path, _ in rows]

    def content(self) -> dict[str, bytes]:
        """Everything below the data root, by path."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found}


def one_line(err: str) -> str:
    """The text of stderr, which must be one line that says what is wrong."""
    assert err.count("\n") == 1 and err.startswith("error: ")
    return err


def install(folder: Path, put) -> Path:
    """Make the files below the folder and pin them in splits of their own; return their folder."""
    made = folder / "official"
    rows = []
    for split, repository, content in (
        ("coco-lt", "a/lists", _coco_lists()),
        ("voc-lt", "a/lists", _voc_lists()),
        ("coco-fs", "a/laso", {"data/coco/coco_labels.txt": _names(COCO)} | _episodes()),
        ("voc-fs", "a/tables", _tables()),
    ):
        for path, text in content.items():
            data = text if isinstance(text, bytes) else text.encode()
            (made / repository / path).parent.mkdir(parents=True, exist_ok=True)
            (made / repository / path).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            rows.append((split, repository, "c0ffee", path, "MIT", digest, str(len(data))))
    place = folder / "splits"
    shutil.copytree(splits.FOLDER / "miniature", place / "miniature")
    (place / "paper").mkdir()
    lines = ("\t".join(row) + "\n" for row in (sources.COLUMNS, *rows))
    (place / "paper" / "sources.tsv").write_text("".join(lines))
    put(splits, "FOLDER", place)
    put(laso, "SIZES", _sizes())
    put(derive, "RULES", {k: _with_sizes(rule) for k, rule in derive.RULES.items()})
    store.pin(made)
    return made


def data_root(folder: Path, annotations: bool = True) -> Path:
    """A data root with the annotations that the made-up episodes need, no images."""
    root = folder / "root"
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    for name in laso.SIZES if annotations else ():
        (root / name).write_text(json.dumps(instances(Path(name).stem.partition("_")[2])))
    return root


def labels(position: int) -> tuple[int, ...]:
    """The classes of the image at a position of train2014."""
    found = {position % 5, (position * position) % 5} if position % 7 else set()
    return tuple(sorted(found))


def instances(name: str) -> dict:
    """An instances file; ids in no order, category ids with gaps, crowds and specks of boxes."""
    notes = []
    numbers = [1000 - 3 * n for n in range(TRAIN2014)]

    def note(n: int, k: int, side: float = 5, crowd: int = 0) -> None:
        box = [0, 0, side, side]
        notes.append(
            {
                "id": len(notes),
                "image_id": numbers[n],
                "category_id": 2 * k + 1,
                "bbox": box,
                "area": side * side,
                "iscrowd": crowd,
            }
        )

    for n in range(TRAIN2014):
        for k in labels(n):
            note(n, k)
        note(n, 3, crowd=1)
        note(n, 1, side=0.5)
    images = [{"id": number, "file_name": f"COCO_{name}_{number:012d}.jpg"} for number in numbers]
    categories = [{"id": 2 * k + 1, "name": each} for k, each in enumerate(COCO)]
    return {"images": images, "categories": categories, "annotations": notes}


def _sizes() -> dict[str, dict[str, int]]:
    content = instances("any")
    size = {"images": len(content["images"]), "annotations": len(content["annotations"])}
    return {name: size for name in (laso.TRAIN, laso.TEST)}


def _with_sizes(rule):
    return replace(rule, annotations=_sizes()) if rule.annotations else rule


def _names(classes: tuple[str, ...]) -> str:
    """With a space after the second line and no last newline, as the official ones have."""
    lines = [f"{name} {k}" + " " * (k == 1) for k, name in enumerate(classes)]
    return "\n".join(lines)


def _coco_lists() -> dict[str, str]:
    train = "".join(
        f"train2017/{n:012d}.jpg " + "".join(f"{k} " for k in labels(n)) + "\n"
        for n in range(1, 230)
        if labels(n)
    )
    test = "".join(
        " ".join([f"val2017/{n:012d}.jpg", *map(str, labels(n))]) + "\n" for n in range(300, 330)
    )
    stem = "data/coco/coco_"
    return {
        f"{stem}labels.txt": _names(COCO),
        f"{stem}lt_train.txt": train,
        f"{stem}lt_test.txt": test,
    }


def _voc_lists() -> dict[str, str]:
    stem, folder = "data/voc/voc_", "VOCdevkit/VOC"
    train = [f"{folder}2012/JPEGImages/2008_{n:06d}.jpg {n % 20} {(n + 7) % 20}" for n in range(40)]
    test = [f"{folder}2007/JPEGImages/{n:06d}.jpg {n % 20}" for n in range(1, 30)]
    return {
        f"{stem}labels.txt": _names(VOC_CLASSES),
        f"{stem}lt_train.txt": "\n".join(train),
        f"{stem}lt_test.txt": "\n".join(test) + "\n",
    }


def _episodes() -> dict[str, bytes]:
    found = {}
    usable = [n for n in range(TRAIN2014) if set(labels(n)) & set(NOVEL)]
    for number, stem in enumerate(laso.EPISODES.values()):
        used = [usable[(number + n) % len(usable)] for n in range(6)]
        by_class = {k: [n for n in used if k in labels(n)] for k in NOVEL}
        found[f"{stem}ClassIdxDict.pkl"] = pickle.dumps(by_class, protocol=4)
        found[f"{stem}UsedIndices.pkl"] = pickle.dumps(used, protocol=4)
    return found


def _tables() -> dict[str, str]:
    base = tuple(name for name in VOC_CLASSES if name not in _VOC_NOVEL)

    def table(names: tuple[str, ...], first: int, count: int) -> str:
        lines = [",".join(("name", *names))]
        for n in range(first, first + count):
            ones = {n % len(names), (n * n) % len(names)}
            lines.append(",".join([str(n), *("01"[k in ones] for k in range(len(names)))]))
        return "\n".join(lines) + "\n"

    found = {"Train_base": table(base, 5, 30), "Test_novel": table(_VOC_NOVEL, 50, 20)}
    for shots in (1, 5):
        for run in range(1, 11):
            found[f"Train_novel_{shots}shot_{run}"] = table(_VOC_NOVEL, 100 + run, 6)
    return {f"{HP_DVAL}{name}.csv": text for name, text in found.items()}
