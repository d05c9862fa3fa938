"""LM-CLIP beside its authors' code: weights of drawing and classes, tokens, losses, gradients."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd import grad

from baselines.lmclip import LMCLIP, TextEncoder, caption, contrastive, sample_weights
from benchmark.clip.image_features import image_features
from benchmark.clip.model import Clip
from benchmark.diagnostics.parity import model
from benchmark.diagnostics.parity.vectors import Vectors
from benchmark.method import losses
from benchmark.method.losses.balanced_asymmetric import class_weights

Ours = tuple[str, str, Tensor]  # an item's name, the key of theirs, our tensor

CASES = {  # of the balanced loss alone: options of `losses.make`
    "main": {"gamma_neg": 9.8, "smoothing": 0.1, "power": 1.6},
    "rn_voc": {"gamma_neg": 12.0, "smoothing": 0.01, "power": 0.7},
    "plain": {"gamma_neg": 9.8, "smoothing": 0.0, "power": 0.0},
}
FACTORS = {"coco": 5.0, "voc": 0.4}  # on the balanced loss


def lmclip(vectors: Vectors) -> Iterator[Ours]:
    """All items of LM-CLIP's file."""
    clip, method = model.build(vectors), LMCLIP()
    model.check_tokens(vectors, clip, method.template)
    labels = vectors.get("sampling.labels", "images", "C")
    yield from _weights(vectors, labels)
    prompts, captions = _tokens(vectors, clip, method.template)
    yield "class prompts", "sampling.label_tokens", prompts
    yield "captions", "sampling.caption_tokens", captions
    yield from _balanced(vectors, labels)
    yield from _contrastive(vectors)
    shown = captions[vectors.get("io.image_index", "N")]
    for road, plain in (("fast", False), ("plain", True)):
        encode = TextEncoder(prompts, shown, plain)
        for name, key, ours in _objective(vectors, clip, encode, labels):
            yield f"{name}, {road}", key, ours


def _weights(vectors: Vectors, labels: Tensor) -> Iterator[Ours]:
    counts = labels.sum(0)
    yield "class counts", "sampling.class_count", counts
    for key in vectors.matching(r"sampling\.(\w+_s(\d+\.\d+))\.sample_weights"):
        case, power = key[1], float(key[2])
        yield f"sample weights {case}", key.string, sample_weights(labels, power)
        found = class_weights(counts, len(labels), power)
        yield f"class weights {case}", f"sampling.{case}.class_weights", found


def _tokens(vectors: Vectors, clip: Clip, template: str) -> tuple[Tensor, Tensor]:
    """Tokens of the class prompts and of the captions, labels in the order of the file."""
    names = vectors.class_names
    order = vectors.get("sampling.label_order", "images", "most labels").tolist()
    said = [caption([names[k] for k in row if k >= 0], template) for row in order]
    return clip.tokenizer([caption([name], template) for name in names]), clip.tokenizer(said)


def _balanced(vectors: Vectors, labels: Tensor) -> Iterator[Ours]:
    x, y = (vectors.get(f"bal.{key}", "rows", "C") for key in "xy")
    x.requires_grad_()
    for case, options in CASES.items():
        loss = losses.make("bal", labels, "coco", **options)
        value = loss(x, y)
        yield f"balanced loss {case}, elements", f"bal.{case}.elements", loss.elements(x, y)
        yield f"balanced loss {case}", f"bal.{case}.loss", value
        yield f"balanced loss {case}, gradient", f"bal.{case}.grad", *grad(value, [x])


def _contrastive(vectors: Vectors) -> Iterator[Ours]:
    named = {key: vectors.get(f"clip.{key}").requires_grad_() for key in ("image", "text", "scale")}
    loss = contrastive(*named.values())
    yield "contrastive loss", "clip.loss", loss
    for key, slope in zip(named, grad(loss, list(named.values())), strict=True):
        yield f"contrastive loss, {key} gradient", f"clip.grad_{key}", slope


def _objective(vectors: Vectors, clip: Clip, encode: TextEncoder, labels: Tensor) -> Iterator[Ours]:
    """Scores and the whole objective of a batch, with gradients of CLIP's parameters."""
    trained = clip.trainable()
    named = dict(trained.named_parameters())
    pictures = vectors.get("io.images", "N", 3, "S", "S")
    known = vectors.get("io.labels", "N", "C")
    image, _ = image_features(trained.visual, pictures, None)
    image = torch.nn.functional.normalize(image, dim=-1)
    classes, captions = encode(trained, torch.arange(len(image)))
    scores = trained.logit_scale.exp() * image @ classes.T
    yield "scores", "io.logits", scores
    yield "scores, softmax", "io.softmax", scores.softmax(dim=1)
    for dataset, factor in FACTORS.items():
        method = LMCLIP(balanced=factor)
        loss = method.objective(trained, image, classes, captions, known, method.class_loss(labels))
        yield f"objective {dataset}", f"total.{dataset}.loss", loss
        keys = vectors.matching(rf"total\.{dataset}\.grad\.(.+)")
        wanted = [named[key[1]] for key in keys]
        for key, slope in zip(keys, grad(loss, wanted, retain_graph=True), strict=True):
            yield f"objective {dataset}, {key[1]} gradient", key.string, slope
