"""Caches what is frozen: decoded pictures and CLIP's image features, one file per content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.clip.image_features import LOCAL_KINDS, image_features
from benchmark.clip.model import Clip
from benchmark.common.device import to_device
from benchmark.common.files import atomic, lock
from benchmark.data import augmentation
from benchmark.data.image_loader import Loader
from benchmark.data.images import ImageList
from benchmark.data.preprocessing import CLIP, Preprocessing

_REVISION = 3  # of the encoders' arithmetic: raise it when features change in their last bits
KINDS = ("global", *LOCAL_KINDS)


class FeatureStore:
    """Memory-mapped arrays in the cache folder, each built once, whoever asks first.

    An entry's key hashes what it depends on: the images (path, size and time of change, so that a
    hit never opens one), the preprocessing and, for features, the weights and the augmentation.
    Pictures are read by `threads` threads, by default one a core. With `half`, local features
    take half the disk: float16, which methods get as float32.
    """

    def __init__(
        self,
        clip: Clip,
        cache: Path,
        preprocess: Preprocessing = CLIP,
        threads: int | None = None,
        half: bool = False,
    ) -> None:
        self.clip, self.folder, self.half = clip, cache / "features", half
        self.preprocess, self.threads = preprocess, threads
        self.folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def loader(self) -> Loader:
        """Reads pictures of the model's size."""
        return Loader(self.clip.image_size, self.preprocess, self.threads)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) uint8 to what the image tower expects, float32 on the device."""
        pixels = to_device(pixels, self.clip.device)
        return self.preprocess.normalised(pixels, self.clip.mean, self.clip.std)

    def pixels(self, images: ImageList) -> np.ndarray:
        """Decoded and resized pictures, (N, 3, S, S) uint8."""
        size = self.clip.image_size
        path = self._path("pixels", images, self.preprocess.identity(size))
        return self._entry(path, lambda: decode(images, path, self.loader))

    def features(
        self, images: ImageList, kind: str = "global", augment: str = "none", view: int = 0
    ) -> np.ndarray:
        """Frozen float32 features, not normalised: "global" (N, D), or local ones (N, L, D).

        With an augmentation those of one random view of each image, the same for every seed.
        """
        if kind not in KINDS:
            raise ValueError(f"features: unknown kind '{kind}'; known: {', '.join(KINDS)}")
        augment = augmentation.parse(augment).name
        path = self._feature_path(images, kind, augment, view)
        found = self._entry(path, lambda: self._encode(images, kind, augment, view))
        return found if found.dtype == np.float32 else _Widened(found)

    def _feature_path(self, images: ImageList, kind: str, augment: str, view: int) -> Path:
        backbone, scaling = self.clip.backbone, "" if self.preprocess.normalise else "raw"
        seen = self.preprocess.identity(self.clip.image_size)
        drawn = [] if augment == "none" else [augment, str(view)]
        weights = (backbone.name, backbone.weights_sha256)
        stored = f"{self._type(kind).__name__} {_REVISION}"
        return self._path(kind, images, seen, scaling, *weights, kind, stored, *drawn)

    def _type(self, kind: str) -> type:
        return np.float16 if self.half and kind in LOCAL_KINDS else np.float32

    def _path(self, kind: str, images: ImageList, *identity: str) -> Path:
        stats = [os.stat(file) for file in images.files()]
        listing = [(p, s.st_size, s.st_mtime_ns) for p, s in zip(images.paths, stats, strict=True)]
        digest = hashlib.sha256(json.dumps([listing, identity]).encode()).hexdigest()
        return self.folder / f"{kind}-{digest[:24]}.npy"

    def _entry(self, path: Path, build: Callable[[], None]) -> np.ndarray:
        if not path.exists():
            with lock(path.with_suffix(".lock")):
                if not path.exists():
                    build()
        return np.load(path, mmap_mode="r")

    def _pictures(self, images: ImageList, augment: str, view: int) -> Iterable[np.ndarray]:
        """Batches of bytes (B, 3, S, S): plain ones from the cache, augmented ones from files."""
        size = self.clip.chunk
        if augment != "none":
            return self.loader.batches(images, view, augment, 0, size)
        pixels = self.pixels(images)
        return (np.array(pixels[at : at + size]) for at in range(0, len(images), size))

    @torch.inference_mode()
    def _encode(self, images: ImageList, kind: str, augment: str, view: int) -> None:
        """Local features come with the global one: both files are written in one pass."""
        local = kind if kind in LOCAL_KINDS else None
        names = ("global", kind)
        paths = {name: self._feature_path(images, name, augment, view) for name in names}
        wanted = {name: path for name, path in paths.items() if name == kind or not path.exists()}
        arrays: dict[str, np.ndarray] = {}
        start = 0
        with contextlib.ExitStack() as files:
            for pixels in self._pictures(images, augment, view):
                batch = self.normalise(torch.from_numpy(pixels))
                whole, places = image_features(self.clip.visual, batch, local)
                for name, path in wanted.items():
                    found = whole if name == "global" else places
                    if name not in arrays:
                        shape = (len(images), *found.shape[1:])
                        built = _building(path, shape, self._type(name))
                        arrays[name] = files.enter_context(built)
                    arrays[name][start : start + len(found)] = found.float().cpu().numpy()
                start += len(pixels)


def decode(images: ImageList, path: Path, loader: Loader) -> None:
    """Write the images' pictures to `path`, an .npy file of (N, 3, S, S) uint8, whole or not."""
    with _building(path, (len(images), 3, loader.size, loader.size), np.uint8) as array:
        loader.fill(array, images)


class _Widened:
    """A float16 array on disk of which whatever is read comes as float32."""

    dtype = np.dtype(np.float32)

    def __init__(self, stored: np.ndarray) -> None:
        self.stored, self.shape, self.nbytes = stored, stored.shape, 2 * stored.nbytes

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, at) -> np.ndarray:
        return torch.from_numpy(np.array(self.stored[at])).float().numpy()  # faster than astype

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype)


@contextlib.contextmanager
def _building(path: Path, shape: tuple[int, ...], dtype: type) -> Iterator[np.ndarray]:
    """A memory-mapped array that takes its name on disk only when it is whole."""
    with atomic(path) as temporary:
        array = np.lib.format.open_memmap(temporary, "w+", dtype, shape)
        yield array
        array.flush()
