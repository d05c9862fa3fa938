"""Labels of split lists compared with those that the annotations give."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from benchmark.data.splits import Split

SHOWN = 5  # differences that are spelled out


class Line(NamedTuple):
    """Of a list file: the file's name, the path below the data root, class indices."""

    file: str
    path: str
    labels: tuple[int, ...]


def differences(split: Split, lines: Iterable[Line], derived: dict[str, set[int]]) -> list[str]:
    """One text for each whose labels are not those that the annotations give its file name.

    An image without labels agrees with an image without objects. The lists of LaSO's COCO
    episodes keep images that have classes of the other group, too, and mask those classes.
    """
    masked = split.setting == "few-shot" and split.dataset == "coco"

    def names(labels: Collection[int]) -> str:
        return ", ".join(split.classes[k] for k in sorted(labels)) or "none"

    out = []
    for line in lines:
        found = derived.get(PurePosixPath(line.path).name)
        if found is None:
            out.append(f"{line.path} in {line.file}: the annotations have no such image")
            continue
        if masked:
            group = "base" if line.file == "base_train.txt" else "novel"
            found = found & set(split.groups[group])
        if found != set(line.labels):
            both = f"list {names(line.labels)}, annotations {names(found)}"
            out.append(f"{line.path} in {line.file}: {both}")
    return out
