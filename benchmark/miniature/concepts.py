"""Concepts: how a picture of each of the 80 classes is drawn, read from concepts.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

PATH = Path(__file__).with_name("concepts.yaml")

# How many numbers may follow the colour: coordinates and widths, any number of points for some.
_NUMBERS = {"ellipse": (4, 5), "rect": (4, 5), "arc": (7,)}
_NUMBERS |= {"poly": range(6, 999, 2), "blob": range(6, 999, 2)}
_NUMBERS |= {"line": range(5, 999, 2), "curve": range(5, 999, 2)}


@dataclass(frozen=True)
class Shape:
    """One primitive. Coordinates run from 0 to 100, y downwards.

    kind    ellipse cx cy rx ry [angle] | rect x0 y0 x1 y1 [corner radius]
            poly x y ... (closed, straight) | blob x y ... (closed, smooth)
            line width x y ... (open, straight) | curve width x y ... (open, smooth)
            arc width cx cy rx ry from to (degrees, clockwise from three o'clock)
    colour  a slot of the concept or of `common`, darker with each '-', lighter with each '+'
    """

    kind: str
    colour: str
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class Concept:
    """One class: colours, and poses, each a tuple of shapes in painter's order."""

    name: str  # COCO's class name
    group: str  # COCO's supercategory
    size: float  # typical extent relative to the other classes, 0.5 to 1.3
    turn: float  # typical rotation, degrees to either side
    colours: dict[str, tuple[str, ...]]  # slot -> typical colours, '#rrggbb'
    poses: tuple[tuple[Shape, ...], ...]


def _shape(text: str, slots: set[str], where: str) -> Shape:
    kind, colour, *rest = text.split()
    numbers = tuple(float(x) for x in rest)
    if colour.rstrip("+-") not in slots:
        raise ValueError(f"{where}: '{text}': no colour slot '{colour.rstrip('+-')}'")
    if kind not in _NUMBERS:
        raise ValueError(f"{where}: '{text}': unknown shape '{kind}'")
    if len(numbers) not in _NUMBERS[kind]:
        raise ValueError(f"{where}: '{text}': wrong count of numbers")
    return Shape(kind, colour, numbers)


@cache
def load(path: Path = PATH) -> dict[str, Concept]:
    """Name -> Concept, in COCO's class order. ValueError names the concept and line at fault."""
    document = yaml.safe_load(path.read_text())
    common = {slot: tuple(colours) for slot, colours in document.pop("common").items()}
    concepts = {}
    for name, entry in document.items():
        where = f"{path.name}: {name}"
        colours = common | {slot: tuple(values) for slot, values in entry["colours"].items()}
        poses = tuple(
            tuple(_shape(text, set(colours), where) for text in pose) for pose in entry["poses"]
        )
        concepts[name] = Concept(
            name=name,
            group=entry["group"],
            size=float(entry["size"]),
            turn=float(entry["turn"]),
            colours=colours,
            poses=poses,
        )
    return concepts
