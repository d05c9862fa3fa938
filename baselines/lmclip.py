"""LM-CLIP: the whole CLIP, trained on captions made of labels and on its own class scores."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip.image_features import image_features
from benchmark.clip.model import Clip
from benchmark.clip.observe import observed
from benchmark.clip.packing import text_features
from benchmark.clip.prompts import tower_of, words
from benchmark.common.device import take_rows
from benchmark.common.errors import InputError
from benchmark.data.images import LabelledImages
from benchmark.method import Method, losses
from benchmark.method.inputs import label_matrix, picture_parts
from benchmark.method.search_space import Choice, Range, SearchSpace
from benchmark.method.training import Recipe, train


def contrastive(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    """CLIP's loss of normalised pairs (B, D): the mean of both directions' cross-entropies.

    Two equal texts of a batch stay each other's negatives, as in the authors' code.
    """
    similarity = scale * image @ text.T
    pair = torch.arange(len(similarity), device=similarity.device)
    return (F.cross_entropy(similarity, pair) + F.cross_entropy(similarity.T, pair)) / 2


def sample_weights(labels: Tensor, power: float) -> Tensor:
    """(N,), float64, the largest 1: (sum over the image's labels (N, C) of N / n_c)^power.

    An image without a label has weight 0.
    """
    labels = labels.double()
    rarity = len(labels) / labels.sum(0).clamp(min=1)
    weights = (labels @ rarity) ** power
    return weights / weights.max()


def caption(names: Sequence[str], template: str) -> str:
    """The text that an image with labels of these names is paired with."""
    return template.format(", ".join(map(words, names)))


def shortened(text: str, tokenizer: Any) -> str:
    """The text without as many of its last words as the tokenizer has no room for."""
    while len(tokenizer.encode(text)) + 2 > tokenizer.context_length:  # SOS and EOS
        text = text.rpartition(" ")[0]
    return text


class TextEncoder:
    """Features of class prompts and captions by a text tower in training, in one pass.

    What is said twice, such as the caption of an image with one label and that class's prompt, is
    encoded once. With `plain`, all is encoded as open_clip does it, padded and each for itself.

    tokens (U, L)   of the different texts
    classes (C,), captions (N,)   which of them each is
    """

    def __init__(self, classes: Tensor, captions: Tensor, plain: bool = False) -> None:
        self.tokens, found = torch.cat([classes, captions]).unique(dim=0, return_inverse=True)
        self.classes, self.captions = found.split([len(classes), len(captions)])
        self.plain = plain

    @observed("text")
    def __call__(self, model: nn.Module, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features of all classes (C, D) and of these images' captions (B, D)."""
        wanted = torch.cat([self.classes, self.captions[indices]])
        if self.plain:
            device = model.logit_scale.device
            features = model.encode_text(self.tokens[wanted].to(device))
        else:
            rows, place = wanted.unique(return_inverse=True)
            features = take_rows(text_features(tower_of(model), self.tokens[rows]), place)
        return F.normalize(features, dim=-1).split([len(self.classes), len(indices)])


@dataclass(kw_only=True, eq=False)
class LMCLIP(Method):
    """LM-CLIP, earlier TailCLIP (IEEE Access 13, 2025; code `damilab/lm-clip`).

    Both towers, the projections and the scale are trained, by the contrastive loss of each image
    and the caption that its labels make, plus `balanced` times the balanced asymmetric loss of
    the class scores; images with rare labels are drawn more often, with replacement. The defaults
    are the published ones for COCO-LT and ViT-B/16; suites set those of VOC-LT. The authors resize
    by torchvision's defaults and normalise with ImageNet's mean and deviation: `square-imagenet`.
    Differences: a caption names its labels in the order of the classes, theirs in that of the list
    file; they choose the epoch by mAP on the test set, here the last one counts. The components
    do not add up on the authors' own curves: on COCO-LT the balanced loss alone ends above the
    published sum, on VOC-LT the contrastive one alone does.

    contrastive      whether the contrastive loss is there
    loss, balanced   a name of `losses.make`, and the factor on it; 0: it is not there
    gamma_neg, smoothing   of the loss bal
    class_weights    power of the loss's class weights; 0: none
    sampling_power   power of the weights with which images are drawn; 0: each once an epoch

    Few-shot: fitted to the support set from CLIP's own weights, with no base stage; not published.
    """

    name = "lmclip"
    title = "LM-CLIP"
    scores = "logits"

    search_space: ClassVar[SearchSpace] = {
        "lr": Range(1e-6, 1e-3, log=True),
        "balanced": Range(0.1, 10.0, log=True),
        "gamma_neg": Range(2.0, 14.0),
        "class_weights": Range(0.5, 2.0),
        "sampling_power": Choice((0.0, 0.7, 1.35, 1.6)),
    }

    template: str = "a photo of a {}"
    contrastive: bool = True
    loss: str = "bal"
    balanced: float = 5.0
    gamma_neg: float = 9.8
    smoothing: float = 0.1
    class_weights: float = 1.6
    sampling_power: float = 1.6
    epochs: int = 50
    lr: float = 1e-6
    batch_size: int = 8
    weight_decay: float = 0.01
    beta2: float = 0.98
    eps: float = 1e-9
    augment: str = "flip"

    def fit(self, train_set, run) -> None:
        if not (self.contrastive or self.balanced):
            raise InputError("lmclip: no loss is left; set contrastive or balanced")
        labels = label_matrix(run, train_set)
        self.encode, self.model = self._encoder(train_set, run.clip), run.clip.trainable()
        draw = run.training_pixels(train_set.images, self.augment)
        loss = self.class_loss(labels)

        def loss_of(indices):
            whole = _image(self.model, run.normalise(draw(indices)))
            texts, known = self.encode(self.model, indices), take_rows(labels, indices)
            return self.objective(self.model, whole, *texts, known, loss)

        recipe = Recipe.of(self, schedule="cosine", decay_all=True)
        power = self.sampling_power
        drawn = {"chances": sample_weights(labels.cpu(), power)} if power else {}
        train(self.model.parameters(), loss_of, len(labels), recipe, run, "fine-tuning", **drawn)

    @torch.no_grad()
    def predict(self, images, run):
        classes, _ = self.encode(self.model, torch.arange(0))
        scale, parts = self.model.logit_scale.exp(), picture_parts(run, images)
        return torch.cat([scale * _image(self.model, part) @ classes.T for part in parts])

    def objective(
        self,
        model: nn.Module,
        image: Tensor,
        classes: Tensor,
        captions: Tensor,
        labels: Tensor,
        loss: losses.Loss,
    ) -> Tensor:
        """A scalar, of normalised images and captions (B, D), classes (C, D), and labels (B, C)."""
        scale, total = model.logit_scale.exp(), image.new_zeros(())
        if self.contrastive:
            total = contrastive(image, captions, scale)
        if self.balanced:
            total = total + self.balanced * loss(scale * image @ classes.T, labels)
        return total

    def class_loss(self, labels: Tensor) -> losses.Loss:
        """Of class scores, for training labels (N, C): the mean over images and classes."""
        own = {"gamma_neg": self.gamma_neg, "smoothing": self.smoothing}
        own |= {"power": self.class_weights}
        return losses.make_mean(self.loss, labels, "coco", **(own if self.loss == "bal" else {}))

    def _encoder(self, data: LabelledImages, clip: Clip) -> TextEncoder:
        """Of the classes' prompts, and of the captions that the images' labels make."""
        prompts = [caption([name], self.template) for name in data.class_names]
        captions = []
        for row in data.labels.astype(bool):
            names = list(itertools.compress(data.class_names, row))
            captions.append(shortened(caption(names, self.template), clip.tokenizer))
        return TextEncoder(clip.tokenizer(prompts), clip.tokenizer(captions), clip.plain_text)


def _image(model: nn.Module, pictures: Tensor) -> Tensor:
    """Normalised features (B, D) of normalised pictures (B, 3, S, S)."""
    return F.normalize(image_features(model.visual, pictures, None)[0], dim=-1)
