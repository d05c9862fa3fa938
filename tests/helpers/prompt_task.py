"""Images made of text features under a hidden context: a toy whose right answer is known.

An image of a class is the class's text feature under one hidden context, plus or minus something
that plain class names mistake for what is shown; one of its places shows the class, the others
nothing. Who learns the hidden context finds every label again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmark import metrics
from benchmark.clip.prompts import PromptEncoder
from benchmark.data.images import ImageList, LabelledImages
from benchmark.method.base import Method
from benchmark.method.run import Run
from tests.helpers import drawn_images

NAMES = ("dog", "cat", "car", "bus", "truck", "cup", "bowl", "fork", "spoon", "chair")


class Toy(Run):
    """A Run whose image features, global (N, D) and local (N, 3, D), are given."""

    def __init__(self, whole: torch.Tensor, places: torch.Tensor) -> None:
        super().__init__(
            clip=drawn_images.miniature_clip(), store=None, device="cpu", identity="toy"
        )
        self.whole, self.places = whole, places

    def features(self, images, kind="global"):
        return (self.whole if kind == "global" else self.places).numpy()

    def training_features(self, images, kind="global", augment="none", views=1):
        return lambda indices: torch.from_numpy(self.features(images, kind))[indices]


def labels(count: int = 50, seed: int = 0) -> np.ndarray:
    """One class an image, (N, C)."""
    found = np.eye(len(NAMES), dtype=np.float32)[np.arange(count) % len(NAMES)]
    return np.random.default_rng(seed).permutation(found)


def hidden(seed: int = 0, size: float = 1.0) -> torch.Tensor:
    """A context (4, W) far from all that methods start from."""
    width = drawn_images.miniature_clip().model.token_embedding.weight.shape[1]
    return size * torch.randn(4, width, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def made(text: torch.Tensor, seed: int = 0, nuisance: float = 0.0) -> tuple[Toy, LabelledImages]:
    """The toy of text features (C, D), and its images with labels and captions.

    `nuisance` is how much images differ along a direction that plain class names lie on, and that
    none of the given features has any part in: they alone are blind to it.
    """
    text, found = F.normalize(text, dim=-1), labels(seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    plain = F.normalize(
        PromptEncoder(drawn_images.miniature_clip(), NAMES)(text.new_zeros(4, 128)), dim=-1
    )
    basis = torch.linalg.qr(text.T)[0]
    aside = F.normalize(plain.mean(0) - basis @ (basis.T @ plain.mean(0)), dim=0)
    signs = torch.randint(2, (len(found), 1), generator=generator) * 2 - 1
    classes = torch.from_numpy(found).argmax(1)
    whole = F.normalize(text[classes] + nuisance * signs * aside, dim=-1)
    nothing = torch.randn(len(found), 2, text.shape[1], generator=generator)
    places = torch.cat([whole[:, None], F.normalize(nothing, dim=-1)], dim=1)
    told = [f"a photo of a {NAMES[k]}." for k in classes]
    images = ImageList(Path("toy"), tuple(f"{seed}-{n}.jpg" for n in range(len(found))))
    data = LabelledImages(images, found, NAMES, tuple(told))
    return Toy(whole, places), data


def under_hidden(seed: int = 0, nuisance: float = 1.0) -> tuple[Toy, LabelledImages]:
    """The toy whose images are made under the hidden context."""
    encoder = PromptEncoder(drawn_images.miniature_clip(), NAMES)
    with torch.no_grad():
        return made(encoder(hidden(seed)), seed, nuisance)


def learned(method: Method, toy: Toy, data) -> tuple[float, float]:
    """mAP on the toy before and after the method's epochs."""
    epochs, found = method.epochs, []
    for method.epochs in (0, epochs):
        method.fit(data, toy)
        found.append(mean_ap(method.predict(data.images, toy), data))
    return found[0], found[1]


def mean_ap(scores: torch.Tensor, data) -> float:
    return metrics.evaluate(scores.numpy(), data.labels, {}).metrics["map"]
