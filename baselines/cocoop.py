"""CoCoOp: a context shifted by what each image shows (Zhou et al., CVPR 2022, `cocoop.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip.prompts import PromptEncoder, cosine_logits, initial_context
from benchmark.common.device import take_rows
from benchmark.method import Method, losses
from benchmark.method.inputs import label_matrix, normalised_features
from benchmark.method.search_space import Choice, Range, SearchSpace
from benchmark.method.training import Recipe, train

_CHUNK = 32  # images whose prompts are encoded at a time where nothing is learned


def meta_network(
    image: int, context: int, reduction: int, generator: torch.Generator
) -> nn.Sequential:
    """Two linear layers with a ReLU and a bottleneck between: image feature to context shift.

    Weights and biases are uniform within 1 / sqrt(inputs), torch's own rule, from the generator.
    """
    hidden = max(1, image // reduction)
    net = nn.Sequential(nn.Linear(image, hidden), nn.ReLU(), nn.Linear(hidden, context))
    for layer in (net[0], net[2]):
        bound = layer.in_features**-0.5
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return net


@dataclass(kw_only=True, eq=False)
class CoCoOp(Method):
    """Global view, one shared context plus a shift that a small network computes of each image.

    Every image has its own text features: the prompts of all classes are encoded image by image,
    C times the work of CoOp's step. The authors' settings are a batch of one image and ten epochs.
    As in CoOp here, their softmax cross entropy is replaced by a multi-label loss, which alone
    sees a learned offset a class; it starts where it minimises the loss under the first context
    without a shift. The authors crop and flip at random; the features of `views` such views of each
    image are cached, and training goes through them in turn. The miniature's suites take larger
    batches and fewer epochs, for time.

    init        words that the context starts from; they give its length. "" for a Gaussian one of
                `context` tokens
    reduction   width of image features over that of the network's hidden layer
    """

    name = "cocoop"
    title = "CoCoOp"
    version = 2
    scores = "logits"

    search_space: ClassVar[SearchSpace] = {
        "lr": Range(1e-4, 0.5, log=True),
        "weight_decay": Range(1e-5, 1e-2, log=True),
        "loss": Choice(("asl", "bce", "db")),
        "init": Choice(("", "a photo of a")),
        "reduction": Choice((4, 16)),
    }

    context: int = 4
    init: str = "a photo of a"
    reduction: int = 16
    loss: str = "asl"
    db_constants: str = "coco"
    epochs: int = 10
    batch_size: int = 1
    lr: float = 0.002
    weight_decay: float = 5e-4
    warmup: int = 1
    augment: str = "crop+flip"
    views: int = 8

    def fit(self, train_set, run) -> None:
        clip = run.clip
        image = normalised_features(run, train_set.images)
        self.encoder = PromptEncoder(clip, train_set.class_names)
        start = initial_context(clip, self.context, run.generator("context"), self.init)
        self.learned = nn.Parameter(start)
        sizes = (image.shape[1], start.shape[1], self.reduction)
        self.net = meta_network(*sizes, run.generator("meta network")).to(run.device)
        labels = label_matrix(run, train_set)
        loss = losses.make(self.loss, labels, self.db_constants)
        first = cosine_logits(image, self.encoder(start), clip.logit_scale)
        self.offset = nn.Parameter(losses.best_offset(first, labels, loss))
        draw = run.training_features(train_set.images, augment=self.augment, views=self.views)

        def loss_of(indices):
            scores = self._logits(F.normalize(draw(indices), dim=-1), clip.logit_scale)
            return loss(scores + self.offset, take_rows(labels, indices))

        recipe = Recipe.of(self, optimiser="sgd", schedule="cosine")
        learned = [self.learned, self.offset, *self.net.parameters()]
        train(learned, loss_of, len(labels), recipe, run, "prompts")

    @torch.no_grad()
    def predict(self, images, run):
        parts = normalised_features(run, images).split(_CHUNK)
        return torch.cat([self._logits(part, run.clip.logit_scale) for part in parts])

    def _logits(self, image: Tensor, scale: float) -> Tensor:
        """Logits (B, C) of normalised image features (B, D), each under its own prompts."""
        text = self.encoder.several(self.learned + self.net(image)[:, None])
        return scale * torch.einsum("bd,bcd->bc", image, F.normalize(text, dim=-1))
