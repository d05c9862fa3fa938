"""What a training loop draws: features or pixels of images by index, each time another view."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmark.clip.feature_cache import FeatureStore
from benchmark.common import device
from benchmark.common.errors import InputError
from benchmark.data import augmentation
from benchmark.data.image_loader import Reading
from benchmark.data.images import ImageList

_ON_DEVICE = 2 * 1024**3  # bytes of features that are kept on a GPU; more are read from the cache


class _Counter:
    """How often each of N images has been drawn."""

    def __init__(self, count: int) -> None:
        self.drawn = [0] * count

    def __call__(self, indices: Tensor) -> tuple[list[int], list[int]]:
        """The rows and, for each of them, which draw of that image this is, from 0 on."""
        rows, turns = indices.tolist(), []
        for row in rows:
            turns.append(self.drawn[row])
            self.drawn[row] += 1
        return rows, turns

    def forget(self, rows: Sequence[int]) -> None:
        """These rows were not drawn after all."""
        for row in rows:
            self.drawn[row] -= 1


class FeatureBatches:
    """Frozen features of training images by index; the n-th draw takes view n mod `views`.

    Called with indices (B,) returns float32 (B, D) or (B, L, D) on the device. Two of the same
    images and augmentation ("global" and a local kind) show the same views in step.
    """

    def __init__(
        self, store: FeatureStore, images: ImageList, kind: str, augment: str, views: int
    ) -> None:
        if views < 1:
            raise InputError(f"hyperparameter views: {views} must be 1 or more")
        views = 1 if augmentation.parse(augment).name == "none" else views
        self.parts = [store.features(images, kind, augment, view) for view in range(views)]
        self.device, self.count = store.clip.device, _Counter(len(images))
        self.table = self._table()

    def _table(self) -> Tensor | None:
        """All views (V, N, ...) on a GPU, where they fit; processes on the CPU share the file."""
        size = sum(part.nbytes for part in self.parts)
        if not str(self.device).startswith("cuda") or size > _ON_DEVICE:
            return None
        return torch.stack([torch.from_numpy(np.array(p)).to(self.device) for p in self.parts])

    def __call__(self, indices: Tensor) -> Tensor:
        rows, turns = self.count(indices)
        views = [turn % len(self.parts) for turn in turns]
        if self.table is not None:
            at = torch.tensor(views) * self.table.shape[1] + torch.tensor(rows)
            return device.take_rows(self.table.flatten(0, 1), at)
        return device.to_device(torch.from_numpy(_gather(self.parts, views, rows)), self.device)


def _gather(parts: Sequence[np.ndarray], views: list[int], rows: list[int]) -> np.ndarray:
    if len(parts) == 1:
        return np.array(parts[0][rows])
    return np.stack([parts[view][row] for view, row in zip(views, rows, strict=True)])


class PixelBatches:
    """Pictures of training images by index; the n-th draw is the image's view n of this seed.

    Called with indices (B,) returns uint8 (B, 3, S, S) on the CPU: augmented views are read from
    their files by threads, plain pictures come from the cache. Views of an announced batch are
    read while the batch before it is in use; which views they are does not depend on that.
    """

    def __init__(self, store: FeatureStore, images: ImageList, augment: str, seed: int) -> None:
        self.store, self.images, self.seed = store, images, seed
        self.augment = augmentation.parse(augment).name
        self.plain = store.pixels(images) if self.augment == "none" else None
        self.count = _Counter(len(images))
        self.ahead: deque[tuple[list[int], Reading]] = deque()  # announced, and being read

    def announce(self, indices: Tensor) -> None:
        """These will be drawn after what was announced before: start to read them."""
        if self.plain is None and len(self.ahead) < 2:
            self.ahead.append(self._begin(indices))

    def __call__(self, indices: Tensor) -> Tensor:
        if self.plain is not None:
            return torch.from_numpy(self.plain[indices.numpy()])
        if self.ahead and self.ahead[0][0] != indices.tolist():
            while self.ahead:  # other ones than announced
                self.count.forget(self.ahead.pop()[0])
        _, read = self.ahead.popleft() if self.ahead else self._begin(indices)
        return torch.from_numpy(read())

    def _begin(self, indices: Tensor) -> tuple[list[int], Reading]:
        rows, turns = self.count(indices)
        wanted = list(zip(rows, turns, strict=True))
        return rows, self.store.loader.begin(self.images, wanted, self.augment, self.seed)
