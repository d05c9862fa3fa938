"""The picture loader against PIL alone: decode and resize, the same files, the same threads."""

from __future__ import annotations

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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
    workers = workers or cores()
    listed = ImageList(folder, tuple(str(file.relative_to(folder)) for file in files))
    _plain(files, workers)  # the disk cache is warm for both
    pairs = []
    for turn in range(rounds):
        steps = [lambda: _plain(files, workers), lambda: _ours(listed, workers)]
        order = (0, 1) if turn % 2 else (1, 0)
        seconds = [0.0, 0.0]
        for which in order:
            began = time.perf_counter()
            steps[which]()
            seconds[which] = time.perf_counter() - began
        pairs.append(seconds)
    return {
        "images": len(files),
        "side": SIDE,
        "workers": workers,
        "pil_seconds": [pair[0] for pair in pairs],
        "loader_seconds": [pair[1] for pair in pairs],
        "ratio": statistics.median(pil / ours for pil, ours in pairs),
    }


def text(found: dict[str, Any]) -> str:
    """The measurement in words."""
    rates = [
        found["images"] / statistics.median(found[name])
        for name in ("loader_seconds", "pil_seconds")
    ]
    return (
        f"{found['images']} images to {found['side']} px, {found['workers']} thread(s): loader "
        f"{rates[0]:.0f} images/s, PIL decode and resize {rates[1]:.0f}, ratio "
        f"{found['ratio']:.2f} (median of {len(found['pil_seconds'])} pairs)"
    )


def _plain(files: list[Path], workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(_decode, files):
            pass


def _decode(file: Path) -> Image.Image:
    with Image.open(file) as image:
        scale = SIDE / min(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        return image.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def _ours(listed: ImageList, workers: int) -> None:
    """The loader as a run uses it: into a file of the cache that appears whole."""
    with tempfile.TemporaryDirectory() as scratch:
        feature_cache.decode(listed, Path(scratch) / "pixels.npy", Loader(SIDE, CLIP, workers))
