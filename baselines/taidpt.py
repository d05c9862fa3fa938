"""TaI-DPT: global and local prompts learned from captions alone (Guo et al., CVPR 2023)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip.caption_features import Texts
from benchmark.clip.prompts import PromptEncoder, initial_context
from benchmark.common.device import take_rows
from benchmark.common.errors import InputError
from benchmark.data import caption_labels
from benchmark.method import Method
from benchmark.method.inputs import feature_parts
from benchmark.method.search_space import Choice, Range, SearchSpace
from benchmark.method.training import Recipe, train


def ranking(scores: Tensor, labels: Tensor, margin: float = 1.0) -> Tensor:
    """Sum over pairs of a positive p and a negative n of max(0, margin - s_p + s_n), mean over B.

    Scores and labels are (B, C). Gong et al., ICLR 2014, as in the authors' `trainers/utils.py`.
    """
    gap = F.relu(margin - scores[:, :, None] + scores[:, None, :])
    return (gap * labels[:, :, None] * (1 - labels)[:, None, :]).sum((1, 2)).mean()


def pooled(places: Tensor, text: Tensor, temperature: float, there: Tensor | None = None) -> Tensor:
    """Cosines (B, C) of classes and places, each class looking where it is found.

    Normalised places (B, L, D) and text (C, D); the weights are a softmax over places of
    `temperature` times the cosines. `there` (B, L) leaves out the places where it is false.
    """
    cosine = places @ text.T
    at = temperature * cosine
    if there is not None:
        at = at.masked_fill(~there[..., None], float("-inf"))
    return (at.softmax(dim=1) * cosine).sum(dim=1)


@dataclass(kw_only=True, eq=False)
class TaIDPT(Method):
    """Captions take the place of images in training; images are seen in the test alone.

    A caption's labels are the classes that it names (benchmark/data/caption_labels.py); captions
    that name none are left out. The loss is a ranking loss on the global score (the text's EOS, the
    first prompt) plus one on the local score (its tokens, the second prompt). An image's score is
    the mean of the two, from its global feature and its places. Differences from the authors: they
    learn from all captions of COCO (VOC too), here from those of the task's training images, which
    at the miniature's scale are written from labels; their own list of synonyms is not ours; a
    ResNet's positions are kept in its attention pool; a ViT's places are those of `local`.

    sentences      each sentence of a caption is a text of its own; False: whole captions
    scale          factor on cosines, fixed
    text_temperature, image_temperature   of the pooling over tokens and over places
    """

    name = "taidpt"
    title = "TaI-DPT"
    scores = "logits"

    search_space: ClassVar[SearchSpace] = {
        "lr": Range(1e-5, 0.1, log=True),
        "scale": Range(1.0, 50.0, log=True),
        "margin": Range(0.3, 3.0, log=True),
        "text_temperature": Range(5.0, 100.0, log=True),
        "image_temperature": Range(5.0, 100.0, log=True),
        "local": Choice(("value", "tokens")),
    }

    context: int = 16
    scale: float = 4.0
    margin: float = 1.0
    text_temperature: float = 50.0
    image_temperature: float = 40.0
    local: str = "value"
    sentences: bool = True
    epochs: int = 20
    batch_size: int = 512
    lr: float = 1e-4
    weight_decay: float = 5e-4
    warmup: int = 1

    def skip(self, task):
        return task.captions_missing()

    def fit(self, train_set, run) -> None:
        self.encoder = PromptEncoder(run.clip, train_set.class_names)
        generator = run.generator("context")
        starts = [initial_context(run.clip, self.context, generator) for _ in range(2)]
        self.contexts = [nn.Parameter(start) for start in starts]  # global, local
        said, labels = self._captions(train_set)
        texts, labels = Texts(run.clip, said), torch.from_numpy(labels).to(run.device)
        whole = F.normalize(texts.eos, dim=-1)

        def loss_of(indices):
            tokens, there = texts.padded(indices)
            said, temperature = take_rows(whole, indices), self.text_temperature
            both = self._scores(said, tokens, self._text(), temperature, there)
            return sum(ranking(scores, take_rows(labels, indices), self.margin) for scores in both)

        recipe = Recipe.of(self, optimiser="sgd", schedule="cosine")
        train(self.contexts, loss_of, len(labels), recipe, run, "prompts")

    @torch.no_grad()
    def predict(self, images, run):
        text, found = self._text(), []
        for part in feature_parts(run, images, self.local, "global"):
            places, whole = (F.normalize(features, dim=-1) for features in part)
            found.append(sum(self._scores(whole, places, text, self.image_temperature)) / 2)
        return torch.cat(found)

    def _text(self) -> Tensor:
        """Normalised text features (2, C, D), of the global and of the local context."""
        return F.normalize(self.encoder.several(self.contexts), dim=-1)

    def _scores(
        self,
        whole: Tensor,
        places: Tensor,
        text: Tensor,
        temperature: float,
        there: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Global and local scores (B, C) of texts or images (B, D) and their places (B, L, D)."""
        first, second = text
        local = pooled(F.normalize(places, dim=-1), second, temperature, there)
        return self.scale * whole @ first.T, self.scale * local

    def _captions(self, train_set) -> tuple[list[str], np.ndarray]:
        """The texts that name a class, and their labels (N, C)."""
        texts = list(train_set.captions)
        if self.sentences:
            texts = [part for text in texts for part in re.split(r"(?<=[.!?])\s+", text) if part]
        labels = caption_labels.labels(texts, train_set.class_names)
        kept = np.flatnonzero(labels.any(axis=1))
        if not len(kept):
            raise InputError("taidpt: no caption names a class; give captions of what is in sight")
        return [texts[n] for n in kept], labels[kept]
