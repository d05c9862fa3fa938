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

_NAME = re.compile(r"(clip|square)(-raw)?(?:-([1-9]\d*))?(-raw)?")
_EXAMPLES = ("clip", "clip-raw", "clip-448", "square", "square-raw", "square-448", "square-raw-448")
_SIZES = (16, 4096)  # smaller ones show nothing, larger ones are typing errors
_UNREADABLE = (OSError, SyntaxError, ValueError, IndexError, struct.error)  # PIL's kinds


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the image tower's input.

    fit        "crop": the short side to `size` (bicubic), then the centre, as CLIP is tested;
               "square": directly to a square (bicubic), whatever the proportions
    normalise  subtract the model's mean and divide by its standard deviation
    size       side of the square in pixels; None: the model's own
    """

    fit: str = "crop"
    normalise: bool = True
    size: int | None = None

    @property
    def name(self) -> str:
        """The one spelling for suites, keys and records: `clip`, `square-raw-448`."""
        parts = ["clip" if self.fit == "crop" else "square"]
        parts += [] if self.normalise else ["raw"]
        parts += [] if self.size is None else [str(self.size)]
        return "-".join(parts)

    def picture(self, image: Image.Image, size: int) -> Image.Image:
        """An RGB picture of `size` x `size` pixels."""
        width, height = image.size
        if width == height == size:
            return image
        if self.fit == "square":
            return image.resize((size, size), Image.Resampling.BICUBIC)
        short = min(width, height)
        # Long sides are rounded down and margins to even halves, as torchvision does for CLIP.
        wide, high = (size if side == short else int(size * side / short) for side in image.size)
        image = image.resize((wide, high), Image.Resampling.BICUBIC)
        left, top = round((wide - size) / 2), round((high - size) / 2)
        return image.crop((left, top, left + size, top + size))

    def pixels(self, image: Image.Image, size: int) -> np.ndarray:
        """The picture as bytes (3, S, S); a view on (S, S, 3)."""
        return array(self.picture(image, size))

    def normalised(self, pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """The tower's input, float32 (N, 3, S, S), of bytes; mean and std (3, 1, 1) in [0, 1]."""
        scaled = pixels.to(mean.device).float() / 255
        return (scaled - mean) / std if self.normalise else scaled

    def identity(self, size: int) -> str:
        """What `pixels` depends on, as part of a cached picture's identity."""
        how = "clip resize-bicubic centre-crop" if self.fit == "crop" else "square resize-bicubic"
        return f"{how} {size}"


CLIP = Preprocessing()


@cache
def parse(name: str) -> Preprocessing:
    """`clip` or `square`, then optionally `-raw` (no mean, no deviation) and `-SIZE` in pixels.

    InputError with the nearest names for anything else.
    """
    found = _NAME.fullmatch(name)
    if not found or (found[2] and found[4]):
        raise unknown("preprocessing", name, _EXAMPLES)
    size = int(found[3][:9]) if found[3] else None  # more digits are too large all the same
    if size is not None and not _SIZES[0] <= size <= _SIZES[1]:
        raise InputError(f"preprocessing '{name}': the size must be {_SIZES[0]} to {_SIZES[1]}")
    raw = bool(found[2] or found[4])
    return Preprocessing("crop" if found[1] == "clip" else "square", not raw, size)


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
