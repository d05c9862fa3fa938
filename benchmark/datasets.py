"""Readers of the annotation formats of COCO (instances JSON) and Pascal VOC (XML, ImageSets)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmark.errors import InputError, unknown

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)

Box = tuple[float, float, float, float]  # x, y of the upper left corner, width, height in pixels


def coco_classes(json_path: Path) -> tuple[str, ...]:
    """The class names of an instances file in the order of their category ids."""
    content = _instances(json_path)
    return tuple(c["name"] for c in sorted(content["categories"], key=lambda c: c["id"]))


def coco_labels(json_path: Path, crowd: str = "positive") -> dict[str, set[int]]:
    """Class indices of each image of an instances file, by file name; an empty set without objects.

    Category ids have gaps: a class's index is its rank among them. Annotations with area <= 0 or a
    side below one pixel are skipped; crowds are positive (DistributionBalancedLoss) or, with
    crowd="negative", skipped (LaSO).
    """
    found = _coco_objects(json_path, crowd)
    return {name: {index for index, _ in objects} for name, objects in found.items()}


def coco_boxes(json_path: Path, crowd: str = "positive") -> dict[str, list[tuple[int, Box]]]:
    """(class index, box) of each annotation that `coco_labels` counts, by file name."""
    return _coco_objects(json_path, crowd)


def voc_ids(devkit_year: Path, image_set: str) -> list[str]:
    """The image ids of ImageSets/Main/<image_set>.txt below e.g. VOCdevkit/VOC2007."""
    path = Path(devkit_year) / "ImageSets" / "Main" / f"{image_set}.txt"
    return [line.split()[0] for line in _read(path).decode().splitlines() if line.strip()]


def voc_labels(
    devkit_year: Path, ids: Iterable[str], difficult: str = "positive"
) -> dict[str, set[int]]:
    """Class indices (into VOC_CLASSES) of images below e.g. VOCdevkit/VOC2007, by id.

    With difficult="negative" a class present only as objects flagged `difficult` is not a label.
    """
    boxes = voc_boxes(devkit_year, ids, difficult)
    return {name: {index for index, _ in objects} for name, objects in boxes.items()}


def voc_boxes(
    devkit_year: Path, ids: Iterable[str], difficult: str = "positive"
) -> dict[str, list[tuple[int, Box]]]:
    """(class index, box) of each object that `voc_labels` counts, by image id."""
    _one_of("difficult", difficult)
    folder = Path(devkit_year) / "Annotations"
    return {name: list(_voc_objects(folder / f"{name}.xml", difficult)) for name in ids}


def _coco_objects(json_path: Path, crowd: str) -> dict[str, list[tuple[int, Box]]]:
    _one_of("crowd", crowd)
    content = _instances(json_path)
    index = {c: n for n, c in enumerate(sorted(c["id"] for c in content["categories"]))}
    names = {image["id"]: image["file_name"] for image in content["images"]}
    found: dict[str, list[tuple[int, Box]]] = {name: [] for name in names.values()}
    for note in content["annotations"]:
        try:
            name, label = names[note["image_id"]], index[note["category_id"]]
            x, y, width, height = (float(v) for v in note["bbox"])
            area = float(note.get("area", width * height))
        except (KeyError, TypeError, ValueError) as error:
            place = f"annotations, id {note.get('id')}" if isinstance(note, dict) else "annotations"
            raise InputError(
                f"{json_path}: field {place}: {_reason(error)}; download it again"
            ) from None
        if area <= 0 or width < 1 or height < 1 or (crowd == "negative" and note.get("iscrowd")):
            continue
        found[name].append((label, (x, y, width, height)))
    return found


def _instances(json_path: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads(_read(json_path))
    except ValueError as error:
        raise InputError(f"{json_path}: not JSON ({error}); download it again") from None
    required = {"categories": ("id", "name"), "images": ("id", "file_name"), "annotations": ()}
    for field, keys in required.items():
        rows = content.get(field) if isinstance(content, dict) else None
        good = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
        if not good or not all(key in row for row in rows for key in keys):
            wanted = f" with {' and '.join(keys)}" if keys else ""
            raise InputError(
                f"{json_path}: field {field}: must be a list of objects{wanted}, as in COCO"
            )
    return content


def _voc_objects(path: Path, difficult: str) -> Iterator[tuple[int, Box]]:
    """The direct `object` elements: their `part` children (head, hand) are no classes."""
    try:
        root = ElementTree.fromstring(_read(path))
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not XML ({error}); unpack the archive again") from None
    for element in root.findall("object"):
        name = (element.findtext("name") or "").strip()
        if name not in VOC_CLASSES:
            raise InputError(
                f"{path}: field object/name: {unknown('VOC class', name, VOC_CLASSES)}"
            )
        if difficult == "negative" and (element.findtext("difficult") or "0").strip() == "1":
            continue
        try:
            x0, y0, x1, y1 = (
                float(element.findtext(f"bndbox/{side}") or "")
                for side in ("xmin", "ymin", "xmax", "ymax")
            )
        except ValueError:
            raise InputError(
                f"{path}: field object/bndbox: needs xmin, ymin, xmax, ymax; unpack again"
            ) from None
        yield VOC_CLASSES.index(name), (x0, y0, x1 - x0, y1 - y0)


def _read(path: Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); is the data root complete?"
        ) from None


def _one_of(field: str, value: str) -> None:
    if value not in ("positive", "negative"):
        raise unknown(f"value of {field}", value, ("positive", "negative"))


def _reason(error: Exception) -> str:
    return f"unknown or absent {error}" if isinstance(error, KeyError) else str(error)
