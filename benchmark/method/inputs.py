"""What a method reads of its images: labels, CLIP's features, pictures, as tensors on the device.

For lists that are read once, in order; a training loop draws from `Run.training_features` and
`Run.training_pixels`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.data.images import ImageList, LabelledImages
from benchmark.method.run import Run

_PART = 256  # images whose local features are on the device at a time, at least


def label_matrix(run: Run, data: LabelledImages) -> Tensor:
    """Labels (N, C), float32 zeros and ones: a copy, which may be changed."""
    return torch.tensor(data.labels, device=run.device)


def normalised_features(run: Run, images: ImageList, kind: str = "global") -> Tensor:
    """Frozen features of length 1: (N, D) float32, or (N, L, D) for a kind of local ones."""
    found = torch.from_numpy(np.array(run.features(images, kind))).to(run.device)
    return F.normalize(found, dim=-1)


def feature_parts(run: Run, images: ImageList, *kinds: str) -> Iterator[tuple[Tensor, ...]]:
    """Frozen features of each kind, not normalised, some images at a time and in their order.

    Name the local kind first: computing it brings the global features along.
    """
    found = [run.features(images, kind) for kind in kinds]
    for part in np.array_split(np.arange(len(images)), max(1, len(images) // _PART)):
        yield tuple(torch.from_numpy(np.array(one[part])).to(run.device) for one in found)


def picture_parts(run: Run, images: ImageList) -> Iterator[Tensor]:
    """Plain pictures (B, 3, S, S) as the image tower's input, some at a time and in their order."""
    pixels, size = run.pixels(images), run.clip.chunk
    for start in range(0, len(images), size):
        yield run.normalise(torch.from_numpy(np.array(pixels[start : start + size])))
