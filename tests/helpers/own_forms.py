"""The same labelled images in each form that `benchmark.data.own.labels` reads."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

Labels = Mapping[str, Sequence[str]]  # path below the images' folder -> names of its classes


def images(folder: Path, labels: Labels) -> Path:
    """The folder, with an empty file in the place of each image: readers open none."""
    for path in labels:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


def classes(labels: Labels) -> list[str]:
    """All classes, not in the order that readers give them."""
    return sorted({name for shown in labels.values() for name in shown}, reverse=True)


def wide(path: Path, labels: Labels, delimiter: str = ",") -> Path:
    names = classes(labels)
    bits = ([image, *(int(name in shown) for name in names)] for image, shown in labels.items())
    return table(path, [["path", *names], *bits], delimiter)


def listed(path: Path, labels: Labels, delimiter: str = ",", separator: str = ";") -> Path:
    rows = ([image, separator.join(shown)] for image, shown in labels.items())
    return table(path, [["path", "labels"], *rows], delimiter)


def table(path: Path, rows: Sequence[Sequence[object]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def coco(path: Path, labels: Labels) -> Path:
    ids = {name: 3 * k + 7 for k, name in enumerate(classes(labels))}
    box = {"bbox": [1, 2, 30, 40], "area": 1200}
    shown = [(n, ids[name]) for n, names in enumerate(labels.values()) for name in names]
    content = {
        "categories": [{"id": k, "name": name} for name, k in ids.items()],
        "images": [{"id": n, "file_name": image} for n, image in enumerate(labels)],
        "annotations": [{"image_id": n, "category_id": k} | box for n, k in shown],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def voc(path: Path, labels: Labels) -> Path:
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>31</xmax><ymax>42</ymax></bndbox>"
    for image, shown in labels.items():
        objects = "".join(f"<object><name>{escape(x)}</name>{box}</object>" for x in shown)
        text = f"<filename>{escape(image)}</filename>{objects}"
        _beside(path, image, ".xml", f"<annotation>{text}</annotation>")
    return path


def yolo(path: Path, labels: Labels) -> Path:
    names = classes(labels)
    for image, shown in labels.items():
        lines = "".join(f"{names.index(name)} 0.5 0.5 0.25 0.125\n" for name in shown)
        _beside(path, image, ".txt", lines)
    (path / "classes.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return path


def _beside(folder: Path, image: str, ending: str, text: str) -> None:
    path = (folder / image).with_suffix(ending)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


FORMS: dict[str, Callable[[Path, Labels], Path]] = {
    "wide": wide, "listed": listed, "coco": coco, "voc": voc, "yolo": yolo
}  # fmt: skip
