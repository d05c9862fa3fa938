"""The image loader against PIL alone: decode and resize, the same files, the same threads."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from benchmark.clip import feature_cache
from benchmark.common.environment import cores
from benchmark.common.errors import InputError
from benchmark.data.image_loader import Loader
from benchmark.data.images import ImageList
from benchmark.data.preprocessing import CLIP

SIDE = 224
_ENDINGS = {".jpg", ".jpeg", ".png"}


def measure(folder: Path, workers: int | None, rounds: int, images: int | None) -> dict[str, Any]:
    """Pairs of runs, ours and PIL's in turn; the ratio is the median pair's, above 1: faster."""
    try:
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _ENDINGS)[:images]
    except OSError as error:
        raise InputError(f"--loader {folder}: cannot be read ({error.strerror})") from None
    if not files:
        raise InputError(f"--loader {folder}: no .jpg or .png below it; name a folder of images")
    listed = ImageList(folder, tuple(str(file.relative_to(folder)) for file in files))
    workers = workers or cores()
    seconds: dict[str, list[float]] = {"loader": [], "pil": []}
    _read_with_pil(listed, workers)  # the disk cache is warm for both
    for turn in range(rounds):
        for name in sorted(seconds, reverse=bool(turn % 2)):
            began = time.perf_counter()
            {"loader": _read_with_loader, "pil": _read_with_pil}[name](listed, workers)
            seconds[name].append(time.perf_counter() - began)
    ratios = [pil / ours for pil, ours in zip(seconds["pil"], seconds["loader"], strict=True)]
    found = {"images": len(files), "side": SIDE, "workers": workers, "ratio": median(ratios)}
    return found | {f"{name}_seconds": taken for name, taken in seconds.items()}


def _read_with_pil(images: ImageList, workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(_decode, images.files()))


def _decode(file: Path) -> None:
    with Image.open(file) as image:
        scale = SIDE / min(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        image.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def _read_with_loader(images: ImageList, workers: int) -> None:
    """The loader as a run uses it: into a file of the cache that appears whole."""
    with tempfile.TemporaryDirectory() as scratch:
        feature_cache.decode(images, Path(scratch) / "pixels.npy", Loader(SIDE, CLIP, workers))


def text(found: dict[str, Any]) -> str:
    """The measurement in words."""
    ours, pil = (found["images"] / median(found[f"{name}_seconds"]) for name in ("loader", "pil"))
    return (
        f"{found['images']} images to {found['side']} px, {found['workers']} thread(s): loader "
        f"{ours:.0f} images/s, PIL decode and resize {pil:.0f}, ratio "
        f"{found['ratio']:.2f} (median of {len(found['pil_seconds'])} pairs)"
    )
