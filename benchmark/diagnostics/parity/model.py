"""Builds the tiny CLIP of a file of parity vectors, and encodes its class names under contexts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
from open_clip.model import build_model_from_openai_state_dict, set_model_preprocess_cfg
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import VisionTransformer
from torch import Tensor

from benchmark.clip.backbone import Backbone
from benchmark.clip.model import Clip
from benchmark.clip.prompts import PromptEncoder, words
from benchmark.diagnostics.parity.vectors import Vectors

EMBEDDING = "token_embedding.weight"
IDS, ROWS = "io.token_rows.ids", "io.token_rows.values"


def build(vectors: Vectors) -> Clip:
    """The CLIP whose weights are `w.*`, in OpenAI's format, on the CPU, with QuickGELU.

    Its shape is read off the weights. Of the token embedding the file holds only the rows that
    its prompts need; the others are zero. Sets the vectors' sizes W (width of the text tower),
    D (of the features), S (side of an image) and L (places in it).
    """
    weights = vectors.weights()
    weights[EMBEDDING] = _embedding(vectors)
    try:
        # open_clip rounds OpenAI's weights to halves: these go in once more as they are.
        model = build_model_from_openai_state_dict(dict(weights), cast_dtype=torch.float32).float()
        model.load_state_dict(weights)
    except (LookupError, ArithmeticError, ValueError, RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:150]
        raise vectors.error("w.*", f"not the weights of a CLIP ({reason})") from error
    as_they_are = {"mean": (0, 0, 0), "std": (1, 1, 1)}  # io.image is normalised already
    set_model_preprocess_cfg(model, as_they_are)
    if isinstance(model.visual, VisionTransformer):
        model.visual.output_tokens = True
    backbone = Backbone(vectors.path.stem, vectors.path.stem, vectors.path, "")
    clip = Clip(backbone, model, _tokenizer(model.context_length), "cpu")
    positions = getattr(model.visual, "attnpool", model.visual).positional_embedding
    vectors.sizes |= {"W": weights["ln_final.weight"].numel(), "S": clip.image_size}
    vectors.sizes |= {"D": weights["text_projection"].shape[1], "L": len(positions) - 1}
    return clip


def check_tokens(vectors: Vectors, clip: Clip, template: str = "{}.") -> None:
    """InputError unless the file has the embedding of every token of its prompts."""
    known = set(vectors.get(IDS).tolist())
    for name in vectors.class_names:
        if not known.issuperset(clip.tokenizer.encode(template.format(words(name)))):
            raise vectors.error(
                IDS, f"lacks tokens of '{template.format(name)}'; is meta.json of other vectors?"
            )


def context(vectors: Vectors, key: str) -> Tensor:
    """A context (M, W), or class-specific (C, M, W), that collects its gradient."""
    classes = ["C"] if vectors.get(key).ndim == 3 else []
    return vectors.get(key, *classes, f"M of {key}", "W").requires_grad_()


def roads(clip: Clip, vectors: Vectors, *contexts: Tensor) -> Iterator[tuple[str, PromptEncoder]]:
    """The ways to encode the class names under such contexts, each with a mark for its items."""
    specific = all(context.ndim == 3 for context in contexts)
    yield "" if specific else ", fast", PromptEncoder(clip, vectors.class_names, plain=False)
    if not specific:
        yield ", plain", PromptEncoder(clip, vectors.class_names, plain=True)


@cache
def _tokenizer(length: int = 77) -> SimpleTokenizer:
    return SimpleTokenizer(context_length=length)


def _embedding(vectors: Vectors) -> Tensor:
    vocabulary = _tokenizer().vocab_size
    ids = vectors.get(IDS, "tokens")
    rows = vectors.get(ROWS, "tokens", "W")
    if ids.is_floating_point() or not ((ids >= 0) & (ids < vocabulary)).all():
        raise vectors.error(IDS, f"must be whole numbers from 0 to {vocabulary - 1}")
    table = torch.zeros(vocabulary, rows.shape[1])
    table[ids] = rows
    return table
