"""The slow way, to compare with: frozen towers encode each batch in the training loop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmark.clip.image_features import image_features
from benchmark.data.images import ImageList
from benchmark.method.base import Method
from benchmark.method.run import Run
from hpdval import students


@torch.no_grad()
def encode(visual: nn.Module, images: Tensor, local: str | None) -> tuple[Tensor, Tensor]:
    """What a frozen image tower makes of a batch: as `clip.image_views`, without gradients."""
    return image_features(visual, images, local)


class PlainRun(Run):
    """A Run whose frozen features are encoded anew at each draw, as the authors' loops do.

    Pictures come decoded from the cache, and are never augmented: reading and augmenting them is
    left out on both sides of a comparison. The text road is `Clip.plain_text`'s.
    """

    def training_features(
        self, images: ImageList, kind: str = "global", augment: str = "none", views: int = 1
    ) -> Callable[[Tensor], Tensor]:
        """As of Run, for plain pictures; kinds of the same images share one pass of the tower."""
        if augment != "none":
            raise ValueError(f"augment '{augment}': the slow way has plain pictures only")
        encoders = self.__dict__.setdefault("_encoders", {})
        return encoders.setdefault(images, _Batch(self, images)).kind(kind)


class _Batch:
    """The features of the batch drawn last, encoded once however many kinds are asked for."""

    def __init__(self, run: Run, images: ImageList) -> None:
        self.run, self.pixels = run, run.pixels(images)
        self.local: str | None = None
        self.drawn: Tensor | None = None

    def kind(self, name: str) -> Callable[[Tensor], Tensor]:
        """From indices (B,) to features of this kind."""
        if name == "global":
            return lambda indices: self._views(indices)[0]
        self.local = name
        return lambda indices: self._views(indices)[1]

    def _views(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        if indices is not self.drawn:
            batch = self.run.normalise(torch.from_numpy(self.pixels[indices.numpy()]))
            self.found, self.drawn = encode(self.run.clip.visual, batch, self.local), indices
        return self.found


class StudentInTheLoop:
    """Put before HP-DVAL: in stage 2 the student, frozen by then, encodes each batch anew."""

    def frozen_views(self, images: ImageList, run: Run) -> Callable[[Tensor], tuple]:
        """As of HPDVAL."""
        pixels = run.pixels(images)

        @torch.no_grad()
        def look(indices: Tensor) -> tuple[Tensor, Tensor]:
            batch = run.normalise(torch.from_numpy(pixels[indices.numpy()]))
            return students.image_features(self.image_tower, batch, self.local)

        return look


def slow(cls: type[Method]) -> type[Method]:
    """The method's class the slow way; the same class where the Run alone makes it slow."""
    if not hasattr(cls, "frozen_views"):
        return cls
    return type(f"Plain{cls.__name__}", (StudentInTheLoop, cls), {"__module__": cls.__module__})
