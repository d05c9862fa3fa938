"""Caches what is frozen: decoded pictures and CLIP's image features, one file per content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.clip.image_features import LOCAL_KINDS, image_features
from benchmark.clip.model import Clip
from benchmark.common import arrays, files
from benchmark.common.device import to_device
from benchmark.data import augmentation, preprocessing
from benchmark.data.image_loader import Loader
from benchmark.data.images import ImageList
from benchmark.data.preprocessing import CLIP, Preprocessing

_REVISION = 3  # of the encoders' arithmetic: raise it when features change in their last bits
_FORMAT = "sealed"  # of the files, see arrays.py
KINDS = ("global", *LOCAL_KINDS)


class FeatureStore:
    """Memory-mapped arrays in the cache folder, each built once, whoever asks first.

    An entry's key hashes what it depends on: the images (path, size and time of change, so that a
    hit never opens one), the preprocessing and, for features, the weights and the augmentation.
    One that is no longer as it was written is built anew, which a line on stderr says. Whoever
    asks gets a map of their own: what a method writes into it reaches neither file nor others.
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
        files.sweep(self.folder)

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
        backbone, colours = self.clip.backbone, self.preprocess.colours
        scaling = "" if colours == preprocessing.OWN else colours
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
        digest = hashlib.sha256(json.dumps([listing, identity, _FORMAT]).encode()).hexdigest()
        return self.folder / f"{kind}-{digest[:24]}.npy"

    def _entry(self, path: Path, build: Callable[[], None]) -> np.ndarray:
        if not arrays.is_whole(path):
            with files.room(self.folder), files.lock(_lock_of(path)):
                if _is_vacant(path):
                    build()
        return arrays.opened(path)

    def _pictures(self, images: ImageList, augment: str, view: int) -> Iterable[np.ndarray]:
        """Batches of bytes (B, 3, S, S): plain ones from the cache, augmented ones from files."""
        size = self.clip.chunk
        if augment != "none":
            return self.loader.batches(images, view, augment, 0, size)
        pixels = self.pixels(images)
        return (np.array(pixels[at : at + size]) for at in range(0, len(images), size))

    def _encode(self, images: ImageList, kind: str, augment: str, view: int) -> None:
        """Local features come with the global ones, unless those are there or someone's work."""
        paths = {kind: self._feature_path(images, kind, augment, view)}
        if kind == "global":
            return self._write(paths, images, augment, view)
        path = self._feature_path(images, "global", augment, view)
        with files.claimed(_lock_of(path), or_lease=True) as mine:
            if mine and _is_vacant(path):
                paths["global"] = path
            self._write(paths, images, augment, view)

    @torch.inference_mode()
    def _write(self, paths: dict[str, Path], images: ImageList, augment: str, view: int) -> None:
        """Write files of the features of each kind, in one pass; their locks are held."""
        local = next((kind for kind in paths if kind in LOCAL_KINDS), None)
        built: dict[str, np.ndarray] = {}
        start = 0
        with contextlib.ExitStack() as entries:
            for pixels in self._pictures(images, augment, view):
                batch = self.normalise(torch.from_numpy(pixels))
                whole, places = image_features(self.clip.visual, batch, local)
                for kind, path in paths.items():
                    found = whole if kind == "global" else places
                    if kind not in built:
                        shape = (len(images), *found.shape[1:])
                        entry = arrays.building(path, shape, self._type(kind))
                        built[kind] = entries.enter_context(entry)
                    built[kind][start : start + len(found)] = found.float().cpu().numpy()
                start += len(pixels)
            self.clip.check_frozen()  # what another model gives must not be kept as this one's


def decode(images: ImageList, path: Path, loader: Loader) -> None:
    """Write the images' pictures to `path`, an .npy file of (N, 3, S, S) uint8, whole or not."""
    with arrays.building(path, (len(images), 3, loader.size, loader.size), np.uint8) as array:
        loader.fill(array, images)


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _is_vacant(path: Path) -> bool:
    """Whether an entry, whose lock is held, is to be built; a broken one is removed and told of."""
    if arrays.is_whole(path):
        return False
    if path.exists():
        print(f"warning: {path}: damaged; it is built anew", file=sys.stderr)
        path.unlink()
    files.remove_leftovers(path)
    return True


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
