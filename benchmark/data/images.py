"""Images as paths below a data root, and images with their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class ImageList:
    """Images as paths below a data root."""

    root: Path
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def files(self) -> list[Path]:
        """The images' full paths."""
        return [self.root / path for path in self.paths]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """N images and their labels (N, C), float32 zeros and ones, for C named classes.

    Labels are read-only: copy them to change them. Training images may have captions: N texts,
    each of one or several sentences.
    """

    images: ImageList
    labels: np.ndarray
    class_names: tuple[str, ...]
    captions: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels).view()
        labels.flags.writeable = False
        object.__setattr__(self, "labels", labels)

    @property
    def class_counts(self) -> np.ndarray:
        """Positives of each class (C,), int64."""
        return self.labels.sum(0).astype(np.int64)
