"""LMPT: class-specific contexts drawn towards captions (Xia et al., ALVR 2024, `lmpt/train.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip.caption_features import Texts
from benchmark.clip.prompts import PromptEncoder, cosine_logits, initial_context
from benchmark.common.device import take_rows
from benchmark.method import Method, losses
from benchmark.method.inputs import label_matrix, normalised_features
from benchmark.method.search_space import Choice, Range, SearchSpace
from benchmark.method.training import Recipe, train


class ClassSpecificEmbedding:
    """The embedding loss between captions and class prompts, margin and weight by class frequency.

    d_ij = 1 - cos(caption i, prompt of class j). A class of the image costs d_ij, another one
    max(0, m_j - d_ij), with the soft margin m_j = margin / n_j^(1/4) (LDAM's rule) and the weight
    (1 / n_j)^gamma over its sum over classes; n_j counts the class's training images. Mean over
    images and classes, as in the authors' code.
    """

    def __init__(self, class_counts: Tensor, margin: float = 0.2, gamma: float = 2.0) -> None:
        counts = class_counts.float().clamp(min=1)
        inverse = (1 / counts) ** gamma
        self.margin, self.weight = margin / counts**0.25, inverse / inverse.sum()

    def __call__(self, caption: Tensor, prompt: Tensor, labels: Tensor) -> Tensor:
        """Of normalised captions (B, D) and prompts (C, D), and labels (B, C)."""
        distance = 1 - caption @ prompt.T
        apart = F.relu(self.margin - distance)
        return ((labels * distance + (1 - labels) * apart) * self.weight).mean()


@dataclass(kw_only=True, eq=False)
class LMPT(Method):
    """Global view; weight x DB loss + (1 - weight) x embedding loss over one context a class.

    Where the authors' code and their text differ, the text decides. In the code a label of the
    image pushes caption and prompt apart (the sign is turned round), the soft margin is computed
    from a softmax of the counts, and what is compared are the input embeddings, position by
    position, of captions cut after 75 characters. Here they are features of the text tower, which
    cuts after 77 tokens, and counts are counts. The rate follows a cosine; the authors' falls when
    mAP on the test set stands still. As in CoOp here, the loss alone has a learned offset a class.
    Needs captions: LMPT's own at the paper's scale; the miniature writes some from the training
    images' labels.

    init     words that every context starts from instead of `context` Gaussian tokens, as with the
             authors' --ctx_init
    weight, margin, gamma   share of the classification loss; see ClassSpecificEmbedding
    """

    name = "lmpt"
    title = "LMPT"
    version = 2
    scores = "logits"

    search_space: ClassVar[SearchSpace] = {
        "lr": Range(1e-4, 1.0, log=True),
        "weight": Range(0.1, 0.9),
        "margin": Range(0.05, 0.5),
        "gamma": Range(0.0, 2.0),
        "loss": Choice(("asl", "bce", "db")),
        "init": Choice(("", "a photo of a")),
    }

    context: int = 16
    init: str = ""
    loss: str = "db"
    db_constants: str = "coco"
    weight: float = 0.5
    margin: float = 0.2
    gamma: float = 2.0
    epochs: int = 50
    batch_size: int = 64
    lr: float = 5e-4
    weight_decay: float = 1e-4
    warmup: int = 0
    augment: str = "flip"
    views: int = 2

    def skip(self, task):
        return task.captions_missing()

    def fit(self, train_set, run) -> None:
        clip, classes = run.clip, len(train_set.class_names)
        self.encoder = PromptEncoder(clip, train_set.class_names)
        if self.init:
            start = initial_context(clip, 0, run.generator("context"), self.init)
            start = start.repeat(classes, 1, 1)
        else:
            start = initial_context(clip, classes * self.context, run.generator("context"))
            start = start.unflatten(0, (classes, self.context))
        self.learned = nn.Parameter(start)
        labels = label_matrix(run, train_set)
        classify = losses.make(self.loss, labels, self.db_constants)
        embed = ClassSpecificEmbedding(labels.sum(0), self.margin, self.gamma)
        captions = F.normalize(Texts(clip, train_set.captions).eos, dim=-1)
        image = normalised_features(run, train_set.images)
        first = cosine_logits(image, self.encoder(start), clip.logit_scale)
        self.offset = nn.Parameter(losses.best_offset(first, labels, classify))
        draw = run.training_features(train_set.images, augment=self.augment, views=self.views)

        def loss_of(indices):
            text = F.normalize(self.encoder(self.learned), dim=-1)
            image, wanted = F.normalize(draw(indices), dim=-1), take_rows(labels, indices)
            scores = cosine_logits(image, text, clip.logit_scale) + self.offset
            drawn = embed(take_rows(captions, indices), text, wanted)
            return self.weight * classify(scores, wanted) + (1 - self.weight) * drawn

        recipe = Recipe.of(self, optimiser="sgd", schedule="cosine")
        train([self.learned, self.offset], loss_of, len(labels), recipe, run, "prompts")

    @torch.no_grad()
    def predict(self, images, run):
        image = normalised_features(run, images)
        return cosine_logits(image, self.encoder(self.learned), run.clip.logit_scale)
