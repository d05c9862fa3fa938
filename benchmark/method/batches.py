"""Batches of training images by index: frozen features or pictures, another view at each draw."""

from __future__ import annotations

from collections import Counter, deque
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


def _draw(drawn: Counter[int], indices: Tensor) -> list[tuple[int, int]]:
    """(row, how often it was drawn before) of each index in turn; `drawn` counts them."""
    pairs = []
    for row in indices.tolist():
        pairs.append((row, drawn[row]))
        drawn[row] += 1
    return pairs


class FeatureBatches:
    """Frozen features of training images by index; the n-th draw takes view n mod `views`.

    Called with indices (B,) returns float32 (B, D) or (B, L, D) on the device. Two of the same
    images and augmentation ("global" and a local kind) show the same views in step. InputError
    for less than one view.
    """

    def __init__(
        self, store: FeatureStore, images: ImageList, kind: str, augment: str, views: int
    ) -> None:
        if views < 1:
            raise InputError(f"hyperparameter views: {views} must be 1 or more")
        views = 1 if augmentation.parse(augment).name == "none" else views
        self.parts = [store.features(images, kind, augment, view) for view in range(views)]
        self.device, self.drawn = store.clip.device, Counter()
        self.table = self._table()

    def _table(self) -> Tensor | None:
        """All views (V, N, ...) on a GPU, where they fit; processes on the CPU share the file."""
        size = sum(part.nbytes for part in self.parts)
        if not str(self.device).startswith("cuda") or size > _ON_DEVICE:
            return None
        return torch.stack([torch.from_numpy(np.array(p)).to(self.device) for p in self.parts])

    def __call__(self, indices: Tensor) -> Tensor:
        drawn = _draw(self.drawn, indices)
        rows, views = [row for row, _ in drawn], [times % len(self.parts) for _, times in drawn]
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
        self.drawn: Counter[int] = Counter()
        self.ahead: deque[tuple[list[int], Reading]] = deque()  # announced, and being read

    def announce(self, indices: Tensor) -> None:
        """These will be drawn after what was announced before: start to read them."""
        if self.plain is None and len(self.ahead) < 2:
            self.ahead.append(self._begin(indices))

    def __call__(self, indices: Tensor) -> Tensor:
        if self.plain is not None:
            return torch.from_numpy(self.plain[indices.numpy()])
        if self.ahead and self.ahead[0][0] != indices.tolist():  # other ones than announced
            while self.ahead:
                self.drawn.subtract(self.ahead.pop()[0])
        _, read = self.ahead.popleft() if self.ahead else self._begin(indices)
        return torch.from_numpy(read())

    def _begin(self, indices: Tensor) -> tuple[list[int], Reading]:
        wanted = _draw(self.drawn, indices)
        rows = [row for row, _ in wanted]
        return rows, self.store.loader.begin(self.images, wanted, self.augment, self.seed)
