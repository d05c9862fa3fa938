"""Reader of Pascal VOC's annotations: an XML file an image, below VOCdevkit/VOC<year>."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from benchmark.common.errors import InputError, unknown
from benchmark.data.annotations.coco import Box
from benchmark.data.annotations.files import convention, read

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)


def voc_labels(year: Path, ids: Iterable[str], difficult: str = "positive") -> dict[str, set[int]]:
    """Class indices (into VOC_CLASSES) of images below a `year` such as VOCdevkit/VOC2007, by id.

    With difficult="negative" a class present only as objects flagged `difficult` is not a label.
    """
    boxes = voc_boxes(year, ids, difficult)
    return {name: {index for index, _ in objects} for name, objects in boxes.items()}


def voc_boxes(
    year: Path, ids: Iterable[str], difficult: str = "positive"
) -> dict[str, list[tuple[int, Box]]]:
    """(class index, box) of each object that `voc_labels` counts, by image id."""
    convention("difficult", difficult)
    folder = Path(year) / "Annotations"
    return {name: list(_objects(folder / f"{name}.xml", difficult)) for name in ids}


def tree(content: bytes, path: Path | str) -> ElementTree.Element:
    """The root element of an XML file's content; InputError names the file if it is none.

    No annotation declares entities, and old parsers would write them out to any length.
    """
    try:
        if b"<!ENTITY" in content:
            raise ValueError("it declares entities")
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise InputError(f"{path}: not XML ({error}); write or unpack it again") from None


def _objects(path: Path, difficult: str) -> Iterator[tuple[int, Box]]:
    """The direct `object` elements: their `part` children (head, hand) are no classes."""
    for element in tree(read(path), path).findall("object"):
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
