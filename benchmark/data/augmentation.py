"""Training augmentations of the papers, each view of each picture drawn from a seed of its own."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from PIL import Image, ImageEnhance, ImageOps

from benchmark.common.errors import InputError, unknown
from benchmark.data.preprocessing import Preprocessing

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)  # of "crop": share of the area, width to height
CUTOUT = 0.5  # side of the rectangle, as a share of the picture's
OPERATIONS, MAGNITUDE, BINS = 2, 9, 31  # of "randaugment"


@dataclass(frozen=True)
class Augmentation:
    """Steps in the order in which they are applied.

    crop         a random part of the stored picture, 8 to 100 % of its area, proportions 3:4 to
                 4:3, resized to the square (bicubic); takes the place of the preprocessing's fit
    flip         mirrored in every second view
    cutout       one rectangle of half the side, around a random place, in a random colour
    randaugment  two operations of RandAugment's at magnitude 9 of 30 (Cubuk et al., 2020)
    """

    steps: tuple[str, ...]

    @property
    def name(self) -> str:
        """The one spelling: `crop+flip`; `none` without steps."""
        return "+".join(self.steps) or "none"

    def view(self, image: Image.Image, size: int, how: Preprocessing, dice: Random) -> Image.Image:
        """A random view of a stored RGB picture, `size` x `size` pixels."""
        first = self.steps[:1] == ("crop",)
        picture = crop(image, size, dice) if first else how.picture(image, size)
        for step in self.steps[first:]:
            picture = _STEPS[step](picture, dice)
        return picture


@cache
def parse(name: str) -> Augmentation:
    """`none`, or steps joined by `+`, "crop" first if at all; InputError for anything else."""
    if name == "none":
        return Augmentation(())
    steps = tuple(name.split("+"))
    for step in steps:
        if step not in ("crop", *_STEPS):
            raise unknown("augmentation", step, ("none", "crop", *_STEPS))
    if "crop" in steps[1:] or len(set(steps)) < len(steps):
        raise InputError(f"augmentation '{name}': each step once, and crop before all others")
    return Augmentation(steps)


def dice_of(augmentation: Augmentation, path: str, view: int, seed: int = 0) -> Random:
    """The generator of one view of the picture at `path` below the data root.

    Only `.random()` is used of it: its numbers are the same in every version of Python.
    """
    text = f"{augmentation.name}\n{path}\n{view}\n{seed}"
    return Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))


def crop(image: Image.Image, size: int, dice: Random) -> Image.Image:
    """A random part, resized to the square: ten tries, then the largest part in the middle."""
    width, height = image.size
    for _ in range(10):
        area = width * height * _between(dice, *SCALE)
        ratio = math.exp(_between(dice, math.log(RATIO[0]), math.log(RATIO[1])))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left, top = _below(dice, width - wide + 1), _below(dice, height - high + 1)
            break
    else:
        wide = min(width, round(height * RATIO[1]))
        high = min(height, round(width / RATIO[0]))
        left, top = (width - wide) // 2, (height - high) // 2
    part = image.crop((left, top, left + wide, top + high))
    return part.resize((size, size), Image.Resampling.BICUBIC)


def _flip(picture: Image.Image, dice: Random) -> Image.Image:
    return ImageOps.mirror(picture) if dice.random() < 0.5 else picture


def _cutout(picture: Image.Image, dice: Random) -> Image.Image:
    """The rectangle's middle is anywhere, so that some of it may fall outside the picture."""
    side = round(CUTOUT * picture.width)
    left, top = (_below(dice, length) - side // 2 for length in picture.size)
    colour = tuple(_below(dice, 256) for _ in range(3))
    picture = picture.copy()
    picture.paste(colour, (left, top, left + side, top + side))
    return picture


def _randaugment(picture: Image.Image, dice: Random) -> Image.Image:
    names = list(_OPERATIONS)
    for _ in range(OPERATIONS):
        operation, most, signed = _OPERATIONS[names[_below(dice, len(names))]]
        strength = most * MAGNITUDE / (BINS - 1)
        if signed and dice.random() < 0.5:
            strength = -strength
        picture = operation(picture, strength)
    return picture


def _affine(picture: Image.Image, matrix: Sequence[float]) -> Image.Image:
    """Black where the source is outside; nearest pixel, as torchvision does it."""
    nearest = Image.Resampling.NEAREST
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, nearest)


def _enhanced(kind: type) -> Callable[[Image.Image, float], Image.Image]:
    return lambda picture, strength: kind(picture).enhance(1 + strength)


# Operation, strength at the highest magnitude, whether its sign is random: torchvision's space.
_OPERATIONS: dict[str, tuple[Callable[[Image.Image, float], Image.Image], float, bool]] = {
    "identity": (lambda p, s: p, 0, False),
    "shear x": (lambda p, s: _affine(p, (1, s, 0, 0, 1, 0)), 0.3, True),
    "shear y": (lambda p, s: _affine(p, (1, 0, 0, s, 1, 0)), 0.3, True),
    "translate x": (lambda p, s: _affine(p, (1, 0, int(s * p.width), 0, 1, 0)), 150 / 331, True),
    "translate y": (lambda p, s: _affine(p, (1, 0, 0, 0, 1, int(s * p.height))), 150 / 331, True),
    "rotate": (lambda p, s: p.rotate(s, Image.Resampling.NEAREST), 30, True),
    "brightness": (_enhanced(ImageEnhance.Brightness), 0.9, True),
    "colour": (_enhanced(ImageEnhance.Color), 0.9, True),
    "contrast": (_enhanced(ImageEnhance.Contrast), 0.9, True),
    "sharpness": (_enhanced(ImageEnhance.Sharpness), 0.9, True),
    "posterize": (lambda p, s: ImageOps.posterize(p, 8 - round(s)), 4, False),
    "solarize": (lambda p, s: ImageOps.solarize(p, 255 - s), 255, False),
    "autocontrast": (lambda p, s: ImageOps.autocontrast(p), 0, False),
    "equalize": (lambda p, s: ImageOps.equalize(p), 0, False),
}
_STEPS = {"flip": _flip, "cutout": _cutout, "randaugment": _randaugment}


def _between(dice: Random, low: float, high: float) -> float:
    return low + (high - low) * dice.random()


def _below(dice: Random, count: int) -> int:
    return int(dice.random() * count)
