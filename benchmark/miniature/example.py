"""An example of own images: 300 drawn pictures of a zoo, with German labels in every form read.

No two pictures show the same instance of anything, so none of training is seen again in a test.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from benchmark.common import environment, processes
from benchmark.common.errors import InputError
from benchmark.miniature import banks, scenes
from benchmark.miniature.scenes import Placed

CLASSES = {  # as the zoo calls them, and the concept that is drawn; commonest first
    "Besucher": "person",
    "Elefant": "elephant",
    "Giraffe": "giraffe",
    "Vogel": "bird",
    "Pferd": "horse",
    "Bär": "bear",
    "Schaf": "sheep",
    "Zebra": "zebra",
    "Kuh": "cow",
    "Fahrrad": "bicycle",
    "Hund": "dog",
    "Bank": "bench",
}
PICTURES = 300
_SEED = 7006  # see banks.py: of no other part of the world
_SHARES = (0.4, 0.4, 0.2)  # of pictures with one, two and three labels
_FALL = 0.8  # a class of rank r is this power of 1 / r as frequent as the first
_CHUNK = 50  # pictures a job

Picture = tuple[str, list[Placed]]  # file name, what is drawn there


def write(folder: Path) -> None:
    """Draw the pictures into `folder`, which must not be there yet, and label them.

    `labels.csv` has one column a class, `names.csv` what CLIP is to read in their place. The same
    labels stand in `list.csv`, `instances.json`, `xml/` and `yolo/`. InputError if it is there.
    """
    if folder.exists():
        raise InputError(f"{folder}: is there already; name another folder, or take it away")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / "pictures").mkdir(parents=True)
    try:
        chunks = np.array_split(np.arange(PICTURES), PICTURES // _CHUNK)
        with processes.pool(min(environment.cores(), 8)) as pool:
            drawn = pool.map(_draw, repeat(unfinished / "pictures"), map(list, chunks))
            pictures = [picture for chunk in drawn for picture in chunk]
        for put in (_tables, _coco, _voc, _yolo):
            put(unfinished, pictures)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _draw(folder: Path, numbers: Sequence[int]) -> list[Picture]:
    return [_draw_one(folder, int(number)) for number in numbers]


def _draw_one(folder: Path, number: int) -> Picture:
    """One picture; all that is random in it derives from its number."""
    random = np.random.default_rng([_SEED, number])
    chance = 1 / np.arange(1, len(CLASSES) + 1) ** _FALL
    many = 1 + random.choice(len(_SHARES), p=_SHARES)
    shown = random.choice([*CLASSES], many, replace=False, p=chance / chance.sum())
    concepts = [CLASSES[name] for name in shown]
    bank = {name: banks.instances(name, 2, (_SEED, number), banks.SIDE) for name in concepts}
    image, placed = scenes.compose(concepts, scenes.BENCHMARK, bank, random)
    name = f"{number:03d}.jpg"
    image.save(folder / name, quality=90)
    german = {concept: name for name, concept in CLASSES.items()}
    return name, [Placed(german[p.name], p.difficult, p.box, p.area) for p in placed]


def _labels(placed: Sequence[Placed]) -> list[str]:
    return [name for name in CLASSES if any(one.name == name for one in placed)]


def _tables(folder: Path, pictures: Sequence[Picture]) -> None:
    """labels.csv, list.csv and names.csv."""
    wide = [["picture", *CLASSES]]
    wide += [[f, *(int(c in _labels(p)) for c in CLASSES)] for f, p in pictures]
    listed = [["picture", "labels"], *([f, "|".join(_labels(p))] for f, p in pictures)]
    tables = {"labels.csv": wide, "list.csv": listed}
    tables["names.csv"] = [*map(list, CLASSES.items())]
    for name, rows in tables.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def _coco(folder: Path, pictures: Sequence[Picture]) -> None:
    """instances.json, as COCO's."""
    ids = {name: n for n, name in enumerate(CLASSES, 1)}
    objects = [(n, one) for n, (_, placed) in enumerate(pictures, 1) for one in placed]
    content = {
        "images": [{"id": n, "file_name": file} for n, (file, _) in enumerate(pictures, 1)],
        "annotations": [
            {"id": k, "image_id": n, "category_id": ids[o.name], "bbox": o.box, "area": o.area}
            for k, (n, o) in enumerate(objects, 1)
        ],
        "categories": [{"id": n, "name": name} for name, n in ids.items()],
    }
    text = json.dumps(content, ensure_ascii=False)
    (folder / "instances.json").write_text(text, encoding="utf-8")


def _voc(folder: Path, pictures: Sequence[Picture]) -> None:
    """xml/: a file a picture, as Pascal VOC's."""
    (folder / "xml").mkdir()
    for file, placed in pictures:
        root = ElementTree.Element("annotation")
        ElementTree.SubElement(root, "filename").text = file
        for one in placed:
            node = ElementTree.SubElement(root, "object")
            ElementTree.SubElement(node, "name").text = one.name
            box = ElementTree.SubElement(node, "bndbox")
            x, y, width, height = one.box
            sides = {"xmin": x + 1, "ymin": y + 1, "xmax": x + width, "ymax": y + height}
            for side, pixel in sides.items():
                ElementTree.SubElement(box, side).text = str(pixel)
        path = (folder / "xml" / file).with_suffix(".xml")
        ElementTree.ElementTree(root).write(path, encoding="utf-8")


def _yolo(folder: Path, pictures: Sequence[Picture]) -> None:
    """yolo/: a text file a picture, `class x y width height` as shares, and classes.txt."""
    (folder / "yolo").mkdir()
    (folder / "yolo" / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    for file, placed in pictures:
        lines = []
        for one in placed:
            x, y, width, height = (pixels / scenes.SIDE for pixels in one.box)
            at = f"{x + width / 2:.5f} {y + height / 2:.5f} {width:.5f} {height:.5f}"
            lines.append(f"{[*CLASSES].index(one.name)} {at}\n")
        (folder / "yolo" / file).with_suffix(".txt").write_text("".join(lines))
