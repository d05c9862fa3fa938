"""Decoding of images by threads: which do not decode, and how many are of an unusual kind."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from benchmark.common.errors import InputError
from benchmark.data.preprocessing import read_image

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright
_MODES = {"L": "grayscale", "CMYK": "CMYK"}
KINDS = (*_MODES.values(), "turned by EXIF")


def decode(
    paths: Iterable[Path], workers: int, done: Callable[[int], None] = lambda count: None
) -> tuple[list[str], Counter[str]]:
    """(one line for each image that does not decode, number of images of each of KINDS).

    All kinds are read all right: as RGB, in the orientation in which they are stored. `done` is
    called with the number of images opened so far.
    """
    errors: list[str] = []
    kinds: Counter[str] = Counter()
    pool = ThreadPoolExecutor(workers)
    try:
        for count, (error, found) in enumerate(pool.map(_look, paths), 1):
            kinds.update(found)
            if error:
                errors.append(error)
            done(count)
    finally:
        pool.shutdown(cancel_futures=True)  # an interruption does not wait for what is queued
    return errors, kinds


def _look(path: Path) -> tuple[str | None, list[str]]:
    """(what is wrong with the image or None, its kinds)."""
    try:
        read_image(path)
    except InputError as error:
        return str(error), []
    with Image.open(path) as image:  # the header only
        kinds = [_MODES[image.mode]] if image.mode in _MODES else []
        return None, [*kinds, KINDS[-1]] if _turned(image) else kinds


def _turned(image: Image.Image) -> bool:
    """Whether EXIF asks viewers to turn or mirror the picture; broken EXIF data ask nothing."""
    try:
        return image.getexif().get(_ORIENTATION, 1) != 1
    except (OSError, SyntaxError, TypeError, ValueError, KeyError, struct.error):
        return False
