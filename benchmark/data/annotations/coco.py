"""Reader of COCO's annotations: an instances JSON file, parsed once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError
from benchmark.data.annotations.files import convention, read

Box = tuple[float, float, float, float]  # x, y of the upper left corner, width, height in pixels

_REQUIRED = {
    "categories": {"id": int, "name": str},
    "images": {"id": int, "file_name": str},
    "annotations": {},
}


class Instances:
    """The content of an instances file such as annotations/instances_val2017.json.

    Category ids have gaps (1 to 90 for 80 classes): a class's index is its rank among the ids.
    Annotations with area <= 0 or a side below one pixel are no objects. Crowds are positive
    (DistributionBalancedLoss) or, with crowd="negative", not counted (LaSO). An image may have no
    annotation: 48 of val2017 have none.

    images: (image id, file name) in the order of the file.
    classes: class names in the order of their category ids.
    size: (number of images, number of annotations) in the file, skipped ones included.
    skipped: the number of annotations that are no objects.

    InputError names the file and field of what is not as in COCO.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        content = _parse(self.path)
        categories = sorted(content["categories"], key=lambda row: row["id"])
        self.classes = tuple(row["name"] for row in categories)
        self.images = [(row["id"], row["file_name"]) for row in content["images"]]
        self.size = (len(self.images), len(content["annotations"]))
        ranks = _positions(self.path, "categories", [row["id"] for row in categories])
        for keys in zip(*self.images, strict=True):  # the ids, the names
            _positions(self.path, "images", keys)
        self._objects = {name: [] for _, name in self.images}
        names = dict(self.images)
        for image, *each in _objects(self.path, content["annotations"], names, ranks):
            self._objects[image].append(each)
        self.skipped = self.size[1] - sum(map(len, self._objects.values()))

    def labels(self, crowd: str = "positive") -> dict[str, set[int]]:
        """Class indices of each image by file name, in the file's order; may be empty."""
        return {name: {k for k, _ in boxes} for name, boxes in self.boxes(crowd).items()}

    def boxes(self, crowd: str = "positive") -> dict[str, list[tuple[int, Box]]]:
        """(class index, box) of each annotation that `labels` counts, by file name."""
        crowds = convention("crowd", crowd) == "positive"
        return {
            name: [(label, box) for label, box, crowd in objects if crowds or not crowd]
            for name, objects in self._objects.items()
        }


def _parse(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The JSON with its three lists, each row with the keys that are needed."""
    try:
        content = json.loads(read(path), object_hook=_without_outline, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); write or download it again") from None
    for field, keys in _REQUIRED.items():
        rows = content.get(field) if isinstance(content, dict) else None
        good = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
        if not good or not all(
            type(row.get(key)) is kind for row in rows for key, kind in keys.items()
        ):
            wanted = f" with {' and '.join(keys)}" if keys else ""
            raise InputError(
                f"{path}: field {field}: must be a list of objects{wanted}, as in COCO"
            )
    return content


def _without_outline(row: dict[str, Any]) -> dict[str, Any]:
    """Drops the polygons as they are parsed: nobody needs them and they are most of the memory."""
    row.pop("segmentation", None)
    return row


def _refused(constant: str) -> None:
    """NaN and Infinity, which Python reads and JSON has not."""
    raise ValueError(f"{constant} is no number")


def _positions(path: Path, field: str, keys: Sequence) -> dict[Any, int]:
    """Key -> its position in the list; InputError if one occurs twice."""
    found = {key: n for n, key in enumerate(keys)}
    if len(found) < len(keys):
        twice = next(key for n, key in enumerate(keys) if found[key] != n)
        what = f"field {field}: {twice} occurs twice"
        raise InputError(f"{path}: {what}; write or download it again")
    return found


def _objects(
    path: Path, notes: list[dict[str, Any]], images: dict[int, str], ranks: dict[int, int]
) -> Iterator[tuple[str, int, Box, bool]]:
    """(file name of its image, class index, box, whether a crowd) of each annotation."""
    for note in notes:
        try:
            ids = note["image_id"], note["category_id"]
            if bool in map(type, ids):  # true would be taken for 1
                raise TypeError("an id is true or false")
            image, label = images[ids[0]], ranks[ids[1]]
            x, y, width, height = (float(v) for v in note["bbox"])
            area = float(note.get("area", width * height))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"unknown or absent {error}" if isinstance(error, KeyError) else str(error)
            what = f"field annotations, id {note.get('id')}: {reason}"
            raise InputError(f"{path}: {what}; write or download it again") from None
        if area > 0 and width >= 1 and height >= 1:
            yield image, label, (x, y, width, height), bool(note.get("iscrowd"))
