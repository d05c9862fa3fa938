"""Caches what is frozen: decoded pictures and CLIP's image features, one file per content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from PIL import Image, UnidentifiedImageError

from benchmark.clip import LOCAL_KINDS, Clip, image_views
from benchmark.errors import InputError
from benchmark.tasks import ImageList

_BATCH = 128
KINDS = ("global", *LOCAL_KINDS)


class FeatureStore:
    """Memory-mapped arrays in the cache folder, each built once, whoever asks first.

    An entry's key hashes what it depends on: the images (path, size and time of change, so that a
    hit never opens one), the preprocessing and, for features, the weights.
    """

    def __init__(self, clip: Clip, cache: Path) -> None:
        self.clip, self.folder = clip, cache / "features"
        self.folder.mkdir(parents=True, exist_ok=True)

    def pixels(self, images: ImageList) -> np.ndarray:
        """Decoded, resized and cropped pictures, (N, 3, S, S) uint8."""
        path = self._path("pixels", images, self.clip.preprocessing)
        size = self.clip.image_size
        return self._entry(path, lambda: self._decode(images, path, (len(images), 3, size, size)))

    def features(self, images: ImageList, kind: str = "global") -> np.ndarray:
        """Frozen float32 features, not normalised: "global" (N, D); "tokens", "value" (N, L, D)."""
        if kind not in KINDS:
            raise ValueError(f"features: unknown kind '{kind}'; known: {', '.join(KINDS)}")
        path = self._feature_path(images, kind)
        return self._entry(path, lambda: self._encode(images, kind))

    def _feature_path(self, images: ImageList, kind: str) -> Path:
        return self._path(
            kind, images, self.clip.preprocessing, self.clip.backbone.weights_sha256, kind
        )

    def _path(self, kind: str, images: ImageList, *identity: str) -> Path:
        stats = [os.stat(file) for file in images.files()]
        listing = [(p, s.st_size, s.st_mtime_ns) for p, s in zip(images.paths, stats, strict=True)]
        digest = hashlib.sha256(json.dumps([listing, identity]).encode()).hexdigest()
        return self.folder / f"{kind}-{digest[:24]}.npy"

    def _entry(self, path: Path, build: Callable[[], None]) -> np.ndarray:
        if not path.exists():
            with FileLock(path.with_suffix(".lock")):
                if not path.exists():
                    build()
        return np.load(path, mmap_mode="r")

    def _decode(self, images: ImageList, path: Path, shape: tuple[int, ...]) -> None:
        with _Building(path, shape, np.uint8) as array:
            for row, file in enumerate(images.files()):
                array[row] = self.clip.crop(_open(file)).numpy()

    @torch.inference_mode()
    def _encode(self, images: ImageList, kind: str) -> None:
        """Local features come with the global one: both files are written in one pass."""
        pixels = self.pixels(images)
        local = kind if kind in LOCAL_KINDS else None
        arrays: dict[str, np.ndarray] = {}
        with ExitStack() as files:
            for start in range(0, len(images), _BATCH):
                batch = torch.from_numpy(np.array(pixels[start : start + _BATCH]))
                views = image_views(self.clip.visual, self.clip.normalise(batch), local)
                for name, view in zip(("global", local), views, strict=True):
                    if name is None:
                        continue
                    if name not in arrays:
                        shape = (len(images), *view.shape[1:])
                        building = _Building(self._feature_path(images, name), shape, np.float32)
                        arrays[name] = files.enter_context(building)
                    arrays[name][start : start + len(view)] = view.float().cpu().numpy()


class _Building:
    """An array on disk that takes its name only when it is whole."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type) -> None:
        self.path = path
        self.temporary = path.with_suffix(f".{os.getpid()}.tmp")
        self.array = np.lib.format.open_memmap(self.temporary, "w+", dtype, shape)

    def __enter__(self) -> np.ndarray:
        return self.array

    def __exit__(self, kind, value, traceback) -> None:
        self.array.flush()
        if kind is None:
            os.replace(self.temporary, self.path)
        else:
            self.temporary.unlink(missing_ok=True)


def _open(file: Path) -> Image.Image:
    try:
        with Image.open(file) as image:
            image.load()
            return image
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{file}: cannot be read as an image ({error}); fetch it again") from error
