"""The comparisons: what our functions make of a file's inputs, beside the outputs that it holds.

No formula is written out here: each item comes from the functions that the methods themselves use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import grad

from baselines.dualcoop import DualCoOp, normalised_regions, two_way_logits
from baselines.zeroshot import ZeroShot
from benchmark.clip.image_features import image_features
from benchmark.clip.model import Clip
from benchmark.clip.prompts import cosine_logits, encode_template
from benchmark.common.errors import InputError
from benchmark.diagnostics.parity import model
from benchmark.diagnostics.parity.cprfl import cprfl
from benchmark.diagnostics.parity.lmclip import lmclip
from benchmark.diagnostics.parity.vectors import Vectors
from benchmark.method import losses
from hpdval import equations
from hpdval.released import HPDVALReleased

ALPHA, TOP_K = 0.3, 5  # of the hpdval vectors, where they do not give their own
POSITIVE = {"coco": 5.0, "voc": 10.0}  # the released code's factor on positive logits
EXACT = 1e-12  # the tolerance of what is computed in float64
_NUMBER = r"(\d+(?:\.\d+)?)"
_ASYMMETRIC = rf"gneg{_NUMBER}_gpos{_NUMBER}_clip{_NUMBER}"

Ours = tuple[str, str, Tensor]  # an item's name, the key of theirs, our tensor


class Item(NamedTuple):
    """Our tensor and theirs, of one shape, and the key of theirs."""

    name: str
    key: str
    ours: Tensor
    theirs: Tensor

    @property
    def error(self) -> float:
        """max |ours - theirs| / max |theirs| over all elements.

        One scale for the tensor, as an element near zero may be off by rounding alone. Infinite
        where anything is not finite, and where theirs are all zero and ours are not.
        """
        difference = (self.ours.double() - self.theirs.double()).abs().max()
        largest = self.theirs.double().abs().max()
        if not (torch.isfinite(difference) and torch.isfinite(largest)):
            return math.inf
        if largest == 0:
            return 0.0 if difference == 0 else math.inf
        return float(difference / largest)

    def tolerance(self, usual: float) -> float:
        """The largest error that counts as equal: of tokens none, of float64 hardly any."""
        if not self.ours.is_floating_point():
            return 0.0
        return min(usual, EXACT) if self.ours.dtype == torch.float64 else usual


def coop_and_zeroshot(vectors: Vectors) -> Iterator[Ours]:
    """CLIP's ViT and text tower, zero-shot CLIP, CoOp with shared and class-specific contexts."""
    clip, zeroshot, names = model.build(vectors), ZeroShot(), vectors.class_names
    model.check_tokens(vectors, clip, zeroshot.template)
    image, _ = image_features(clip.visual, _images(vectors), None)
    yield "ViT image features", "io.zeroshot.image_features", image
    text = encode_template(clip, names, zeroshot.template)
    yield "text features", "io.zeroshot.text_features", text
    run = SimpleNamespace(clip=clip, device=clip.device, features=lambda *_: image.numpy())
    zeroshot.fit(SimpleNamespace(class_names=names), run)
    yield "zero-shot cosine", "io.zeroshot.cosine", zeroshot.predict(None, run) / clip.logit_scale
    for kind in ("shared", "csc"):
        yield from _coop(vectors, clip, F.normalize(image, dim=-1), kind)


def _coop(vectors: Vectors, clip: Clip, image: Tensor, kind: str) -> Iterator[Ours]:
    key = f"io.coop.{kind}"
    context = model.context(vectors, f"{key}.ctx")
    labels = vectors.get(f"{key}.labels", "N", "C")
    gradient = vectors.only(rf"{key}\.ctx_grad_of_bce_logits_over_{_NUMBER}")
    loss_of = losses.make("bce", labels, "coco")
    for road, encode in model.roads(clip, vectors, context):
        text = encode(context)
        logits = cosine_logits(image, text, clip.logit_scale)
        loss = loss_of(logits / float(gradient[1]), labels)
        yield f"CoOp {kind}{road}: text features", f"{key}.text_features", text
        yield f"CoOp {kind}{road}: logits", f"{key}.logits", logits
        yield f"CoOp {kind}{road}: context gradient", gradient.string, *grad(loss, [context])


def dualcoop(vectors: Vectors) -> Iterator[Ours]:
    """DualCoOp on CLIP's ResNet: local features, two-way logits, asymmetric loss, gradients."""
    clip, method = model.build(vectors), DualCoOp()
    model.check_tokens(vectors, clip)
    whole, local = image_features(clip.visual, _images(vectors), method.local)
    yield "local features", "io.local_features_B_D_L", local.transpose(1, 2)
    regions = normalised_regions(whole, local, method.local)
    contexts = {sign: model.context(vectors, f"io.ctx_{sign}") for sign in ("pos", "neg")}
    labels = vectors.get("io.labels", "N", "C")
    key = vectors.only(rf"io\.asl_sum_{_ASYMMETRIC}")
    for road, encode in model.roads(clip, vectors, *contexts.values()):
        logits = two_way_logits(regions, *encode.several(list(contexts.values())))
        loss = losses.two_way_asymmetric(logits, labels, *map(float, key.groups()))
        loss = loss * len(labels)  # theirs is the sum over the images
        yield f"two-way logits{road}", "io.logits_B_2_C_negfirst", logits
        yield f"asymmetric loss{road}", key.string, loss
        for sign, slope in zip(contexts, grad(loss, list(contexts.values())), strict=True):
            yield f"{sign} context gradient{road}", f"io.ctx_{sign}_grad", slope


def hpdval_released(vectors: Vectors) -> Iterator[Ours]:
    """hpdval-released: both views' features, scores, consistency term, loss, gradients."""
    clip, preset = model.build(vectors), HPDVALReleased()
    model.check_tokens(vectors, clip, preset.template)
    whole, patches = image_features(clip.visual, _images(vectors), preset.local)
    yield "global features", "io.global_feature", whole
    yield "patch features", "io.patch_features", patches
    template = encode_template(clip, vectors.class_names, preset.template)
    yield "template text features", "io.template_text_features", template
    contexts = {view: model.context(vectors, f"io.ctx_{view}") for view in ("global", "local")}
    alpha, k = vectors.constant("alpha", ALPHA), _share(vectors)
    for road, encode in model.roads(clip, vectors, *contexts.values()):
        text = equations.hierarchical_prompts(encode, contexts, template)
        inputs = whole, patches, text["global"], text["local"], alpha, k
        score = equations.SCORES[preset.similarity](*inputs)
        tied = equations.semantic_consistency(text[preset.tied], template)
        yield f"local prompt text features{road}", "io.text_features_local_prompt", text["local"]
        yield f"score, raw{road}", "io.score_raw", equations.released_raw_scores(*inputs)
        yield f"score, normalised{road}", "io.score_normalised", score
        yield f"consistency term{road}", "io.sc_l1_mean", tied
        for name, key, loss in _released_losses(vectors, preset, score):
            slopes = grad(loss + tied, list(contexts.values()), retain_graph=True)
            yield f"{name}{road}", f"{key}.loss", loss
            for view, slope in zip(contexts, slopes, strict=True):
                gradient = f"{key}.ctx_{view}_grad_of_loss_plus_sc"
                yield f"{name}{road}: {view} context gradient", gradient, slope


def _released_losses(vectors: Vectors, preset: HPDVALReleased, score: Tensor) -> Iterator[Ours]:
    labels = vectors.get("io.labels", "N", "C")
    counts, total = vectors.get("io.class_count", "C"), vectors.scalar("io.num_train")
    for dataset, positive in POSITIVE.items():
        options = losses.DB_CONSTANTS[dataset] | {"focal_on": preset.focal_on}
        loss_of = losses.DistributionBalanced(counts, int(total), **options, positive=positive)
        yield f"released DB loss {dataset}", f"io.db_released.{dataset}", loss_of(score, labels)


def _share(vectors: Vectors) -> float:
    """The k of the paper's 196 patches that is the file's k of its own number of patches."""
    k, patches = vectors.constant("top_k", TOP_K), vectors.sizes["L"]
    if k not in range(1, patches + 1):
        raise vectors.error("top_k", f"{k:g} must be a whole number from 1 to {patches} patches")
    return k * equations.PAPER_PATCHES / patches


def loss_values(vectors: Vectors) -> Iterator[Ours]:
    """Asymmetric and distribution-balanced losses on given logits: values and gradients."""
    x = vectors.get("x", "images", "classes").requires_grad_()
    y = vectors.get("y", "images", "classes")
    for key in vectors.matching(rf"asl_sigmoid_sum\.{_ASYMMETRIC}\.loss"):
        loss = losses.asymmetric(x, y, *map(float, key.groups())) * len(y)  # theirs is the sum
        yield from _value_and_slope("asymmetric loss", key.string, loss, x)
    counts, total = vectors.get("class_count", "classes"), vectors.scalar("num_train")
    for dataset, constants in losses.DB_CONSTANTS.items():
        for focal in (0, 1):
            options = constants | {"gamma": 2.0 * focal, "balance": 1.0 + focal}
            loss = losses.DistributionBalanced(counts, int(total), **options)(x, y)
            key = f"db.{dataset}.focal{focal}.mean_loss"
            yield from _value_and_slope("DB loss", key, loss, x)


def _value_and_slope(name: str, key: str, loss: Tensor, x: Tensor) -> Iterator[Ours]:
    start = key.rpartition(".")[0]
    case = start.partition(".")[2]
    yield f"{name} {case}", key, loss
    yield f"{name} {case}: gradient", f"{start}.grad", *grad(loss, [x])


def _images(vectors: Vectors) -> Tensor:
    return vectors.get("io.image", "N", 3, "S", "S")


FILES: dict[str, Callable[[Vectors], Iterator[Ours]]] = {
    "losses.safetensors": loss_values,
    "vit_coop_zeroshot.safetensors": coop_and_zeroshot,
    "rn_dualcoop.safetensors": dualcoop,
    "vit_hpdval_released.safetensors": hpdval_released,
    "lmclip.safetensors": lmclip,
    "cprfl.safetensors": cprfl,
}


def items(vectors: Vectors) -> Iterator[Item]:
    """A file's items; InputError where its tensors do not fit each other."""
    try:
        for name, key, ours in FILES[vectors.path.name](vectors):
            yield _item(vectors, name, key, ours)
    except (RuntimeError, IndexError, InputError) as error:
        if str(vectors.path) in str(error):
            raise  # it names what is wrong already
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{vectors.path}: its tensors do not fit together ({reason})") from error


def _item(vectors: Vectors, name: str, key: str, ours: Tensor) -> Item:
    exact = ours.dtype == torch.float64
    theirs = vectors.get(key, *ours.shape, exact=exact) if ours.ndim else vectors.scalar(key)
    return Item(name, key, ours.detach(), theirs)
