"""A data root of a few small pictures whose coco-lt, coco-fs and voc-fs are ready."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from benchmark.cli.data_root import main
from benchmark.common.errors import InputError
from benchmark.data import splits
from benchmark.data.annotations import VOC_CLASSES
from benchmark.data.root_check import check
from benchmark.data.root_check.archives import PARTS, Part

LISTS = {
    "coco-lt": {
        "train.txt": [("train2017/1.jpg", (0, 2)), ("train2017/2.jpg", (1,))],
        "test.txt": [("val2017/3.jpg", (0,)), ("val2017/4.jpg", ())],
    },
    "coco-fs": {
        "base_train.txt": [("train2014/1.jpg", (0,)), ("train2014/2.jpg", (1,))],
        "episodes/1-shot-01.txt": [("train2014/1.jpg", (2,))],
        "novel_test.txt": [("val2014/3.jpg", (2,))],
    },
    "voc-fs": {
        "base_train.txt": [("VOCdevkit/VOC2007/JPEGImages/000001.jpg", (6,))],
        "episodes/1-shot-01.txt": [("VOCdevkit/VOC2007/JPEGImages/000002.jpg", (7,))],
        "novel_test.txt": [("VOCdevkit/VOC2007/JPEGImages/000003.jpg", (7,))],
    },
}
LABELS = {  # of all images, by what is in the annotations: with the classes that lists mask
    "train2017": {"1": {0}, "2": {1}},
    "val2017": {"3": {0}, "4": set()},
    "train2014": {"1": {0, 2}, "2": {1}},
    "val2014": {"3": {1, 2}},
}
CROWDS = {"train2017": {"1": {2}}, "train2014": {"2": {0}}}  # positive, negative
OBJECTS = {"000001": [(6, 0)], "000002": [(7, 0), (6, 1)], "000003": [(7, 0)]}  # class, difficult
COUNTS = {"coco-lt": ((2, 3), (2, 1)), "coco-fs": ((2, 4), (1, 2)), "voc-fs": (None, None)}
XML = """<object><name>{}</name><difficult>{}</difficult>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>8</xmax><ymax>9</ymax></bndbox></object>"""


class Root:
    """A data root whose three tasks are ready, and the command on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture):
        self.folder, self.capsys = folder, capsys
        self.splits = {name: make_split(folder / "lists" / name, name) for name in LISTS}
        for lists in LISTS.values():
            for path in {path for rows in lists.values() for path, _ in rows}:
                self.draw(path)
        for year, images in LABELS.items():
            path = folder / "annotations" / f"instances_{year}.json"
            write_instances(path, images, CROWDS.get(year, {}))
        for name, objects in OBJECTS.items():
            self.xml(name, objects)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Put this root's splits and numbers of images in the place of the official ones."""

        def parts(name: str) -> tuple[Part, ...]:
            return tuple(
                dataclasses.replace(part, count=size[0] if size else 3, size=size)
                for part, size in zip(PARTS[name], COUNTS[name], strict=True)
            )

        def read(name: str, scale: str, root: Path) -> splits.Split:
            assert scale == "paper" and Path(root) == self.folder
            if name not in self.splits:
                raise InputError(f"{name}: not fetched; run python -m benchmark splits fetch")
            return self.splits[name]

        patch.setattr(check, "PARTS", PARTS | {name: parts(name) for name in LISTS})
        patch.setattr(splits, "read", read)

    def draw(self, path: str, mode: str = "RGB", **options) -> Path:
        """Save a small picture at a path below the root; return its full path."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (16, 8), 99 if mode == "L" else None).save(file, **options)
        return file

    def xml(self, name: str, objects: list) -> None:
        """Write the annotation of a VOC image: (class index, difficult) of each object."""
        text = "".join(XML.format(VOC_CLASSES[k], flag) for k, flag in objects)
        path = self.folder / "VOCdevkit" / "VOC2007" / "Annotations" / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<annotation>{text}</annotation>")

    def check(self, *flags: str) -> tuple[int, str, str]:
        """Exit code, report and stderr of the command."""
        self.capsys.readouterr()
        code = main(["check", "--data-root", str(self.folder), *flags])
        return code, *self.capsys.readouterr()


def make_split(folder: Path, name: str) -> splits.Split:
    """Write the split's list files and return it."""
    files = {}
    for file, rows in LISTS[name].items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(" ".join([p, *map(str, labels)]) + "\n" for p, labels in rows))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files[file] = splits.FileInfo(digest, len(rows), sum(len(k) for _, k in rows))
    voc = name.startswith("voc")
    return splits.Split(
        name=name,
        scale="paper",
        version=1,
        setting="long-tailed" if name.endswith("lt") else "few-shot",
        dataset="voc" if voc else "coco",
        classes=VOC_CLASSES if voc else ("ant", "bee", "cat"),
        protocol={},
        groups={"base": (0, 1), "novel": (2,)},
        train_counts=(),
        test_counts=(),
        folder=folder,
        files=files,
        sha256="",
    )


def write_instances(path: Path, images: dict[str, set[int]], crowds: dict | None = None) -> None:
    """An instances file: category ids 1, 5, 9 for classes 0, 1, 2; by image name."""
    pairs = [
        (int(name), 1 + 4 * k, crowd)
        for crowd, part in enumerate((images, crowds or {}))
        for name, labels in part.items()
        for k in labels
    ]
    notes = [
        {"id": n, "image_id": i, "category_id": k, "bbox": [0, 0, 9, 9], "area": 81, "iscrowd": c}
        for n, (i, k, c) in enumerate(pairs)
    ]
    content = {
        "images": [{"id": int(name), "file_name": f"{name}.jpg"} for name in images],
        "categories": [{"id": 1 + 4 * k, "name": n} for k, n in enumerate(("ant", "bee", "cat"))],
        "annotations": notes,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
