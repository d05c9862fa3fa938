"""From an image file to a square picture of bytes: reading, resizing, cropping; no torch."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import cache
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from benchmark.common.errors import InputError, unknown

if TYPE_CHECKING:
    from torch import Tensor

OWN, RAW, IMAGENET = "own", "raw", "imagenet"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision has them
_COLOURS = f"(-{RAW}|-{IMAGENET})?"
_NAME = re.compile(rf"(clip|square){_COLOURS}(?:-([1-9]\d*))?{_COLOURS}")
_EXAMPLES = (
    *("clip", "clip-raw", "clip-448", "square", "square-raw", "square-448", "square-raw-448"),
    *("square-imagenet", "square-imagenet-448"),
)
_SIZES = (16, 4096)  # smaller ones show nothing, larger ones are typing errors
_UNREADABLE = (OSError, SyntaxError, ValueError, IndexError, struct.error)  # PIL's kinds


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the image tower's input.

    fit      "crop": the short side to `size`, then the centre, as CLIP is tested; "square":
             directly to a square, whatever the proportions
    colours  "own": less the model's mean, by its standard deviation; "raw": as they are, 0 to 1;
             "imagenet": less ImageNet's mean, by its deviation, and resized as torchvision does
             unless told otherwise: bilinearly, where the other two are bicubic
    size     side of the square in pixels; None: the model's own
    """

    fit: str = "crop"
    colours: str = OWN
    size: int | None = None

    @property
    def name(self) -> str:
        """The one spelling for suites, keys and records: `clip`, `square-raw-448`."""
        parts = ["clip" if self.fit == "crop" else "square"]
        parts += [] if self.colours == OWN else [self.colours]
        parts += [] if self.size is None else [str(self.size)]
        return "-".join(parts)

    def picture(self, image: Image.Image, size: int) -> Image.Image:
        """An RGB picture of `size` x `size` pixels."""
        width, height = image.size
        if width == height == size:
            return image
        how = Image.Resampling[self._resampling.upper()]
        if self.fit == "square":
            return image.resize((size, size), how)
        short = min(width, height)
        # Long sides are rounded down and margins to even halves, as torchvision does for CLIP.
        wide, high = (size if side == short else int(size * side / short) for side in image.size)
        image = image.resize((wide, high), how)
        left, top = round((wide - size) / 2), round((high - size) / 2)
        return image.crop((left, top, left + size, top + size))

    def pixels(self, image: Image.Image, size: int) -> np.ndarray:
        """The picture as bytes (3, S, S); a view on (S, S, 3)."""
        return array(self.picture(image, size))

    def normalised(self, pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """The tower's input, float32 (N, 3, S, S), of bytes; the model's own mean and std (3, 1, 1)
        in [0, 1]."""
        scaled = pixels.to(mean.device).float() / 255
        if self.colours == RAW:
            return scaled
        mean, std = self.statistics(mean, std)
        return (scaled - mean) / std

    def statistics(self, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and deviation that pictures are normalised by, those given being the model's."""
        if self.colours != IMAGENET:
            return mean, std
        return tuple(mean.new_tensor(x).view(3, 1, 1) for x in (MEAN, STD))

    def identity(self, size: int) -> str:
        """What `pixels` depends on, as part of a cached picture's identity."""
        how = f"resize-{self._resampling}"
        return f"clip {how} centre-crop {size}" if self.fit == "crop" else f"square {how} {size}"

    @property
    def _resampling(self) -> str:
        return "bilinear" if self.colours == IMAGENET else "bicubic"


CLIP = Preprocessing()


@cache
def parse(name: str) -> Preprocessing:
    """`clip` or `square`, then optionally `-raw` or `-imagenet` and `-SIZE` in pixels.

    InputError with the nearest names for anything else.
    """
    found = _NAME.fullmatch(name)
    if not found or (found[2] and found[4]):
        raise unknown("preprocessing", name, _EXAMPLES)
    size = int(found[3][:9]) if found[3] else None  # more digits are too large all the same
    if size is not None and not _SIZES[0] <= size <= _SIZES[1]:
        raise InputError(f"preprocessing '{name}': the size must be {_SIZES[0]} to {_SIZES[1]}")
    colours = (found[2] or found[4] or f"-{OWN}")[1:]
    return Preprocessing("crop" if found[1] == "clip" else "square", colours, size)


def read_image(path: str | PathLike[str]) -> Image.Image:
    """The file's picture in RGB, fully decoded; InputError if it is cut short or is none.

    Grayscale, CMYK, palette and 16 bit pictures are converted; transparency is dropped. The EXIF
    orientation is not applied: boxes refer to the picture as it is stored, and the code behind
    the published numbers reads it like that.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return _rgb(image)
    except (*_UNREADABLE, Image.DecompressionBombError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        reason = reason.replace(f" {str(path)!r}", "")
        raise InputError(
            f"{path}: cannot be read as an image ({reason}); fetch it again"
        ) from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    image.info.pop("transparency", None)  # of palettes: dropped, without a warning
    if image.mode.startswith("I"):  # 16 bits, as two or four bytes: PIL would clip them at 255
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = Image.fromarray((values // 257).astype(np.uint8))
    return image.convert("RGB")


def array(picture: Image.Image) -> np.ndarray[Any, Any]:
    """An RGB picture's bytes (3, S, S), uint8; a read-only view."""
    return np.asarray(picture).transpose(2, 0, 1)
