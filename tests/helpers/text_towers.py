"""CLIP models with the text towers that the prompts are tested on, in float32 and in float64."""

from __future__ import annotations

import copy
from functools import cache
from types import SimpleNamespace

import open_clip
import torch

from tests.helpers import drawn_images

TOWERS = ("miniature", "ViT-B-16-quickgelu", "RN50")
LAYERS = 2  # of the real towers' 12: the last is not like the others


@cache
def clip(name: str, double: bool = False):
    """A Clip of the miniature, or its like with a real tower's width, heads and random weights."""
    if double:
        twin = copy.copy(clip(name))
        twin.model = copy.deepcopy(twin.model).double()
        return twin
    if name == "miniature":
        return copy.copy(drawn_images.miniature_clip())
    config = open_clip.get_model_config(name)
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}  # not of interest
    text = config["text_cfg"] | {"layers": LAYERS}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.CLIP(
            config["embed_dim"], vision, text, quick_gelu=config.get("quick_gelu", False)
        )
        for parameter in model.transformer.parameters():  # biases and norms are 0 and 1 at first
            parameter.data += 0.02 * torch.randn_like(parameter)
    model = model.eval().requires_grad_(False)
    return SimpleNamespace(
        model=model,
        tokenizer=open_clip.get_tokenizer(name),
        device="cpu",
        plain_text=False,
    )


def contexts(of, *shape: int, seed: int = 0) -> torch.Tensor:
    """Random contexts (*shape, W) like the model's own embedding, collecting gradients."""
    weight = of.model.token_embedding.weight
    generator = torch.Generator().manual_seed(seed)
    drawn = 0.1 * torch.randn(*shape, weight.shape[1], generator=generator, dtype=torch.float64)
    return drawn.to(weight).requires_grad_()
