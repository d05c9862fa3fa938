"""The comparisons with CPRFL's own code: tokens, prompts, block, scores, loss, every gradient.

The trunk and the text tower are left out there: the file has what they gave.
"""

from __future__ import annotations

from collections.abc import Iterator

import open_clip
from torch import Tensor
from torch.autograd import grad

from baselines.cprfl import CPRFL
from baselines.cprfl_head import Head, Shape
from baselines.cprfl_trunks import places
from benchmark.clip.prompts import template_prompts
from benchmark.diagnostics.parity.vectors import Vectors
from benchmark.method import losses

TEXT_TOWER = "RN50-quickgelu"  # whose tokenizer made the prompts' tokens
HEADS = 2  # of the file, where it does not give its own
_BLOCK = {  # their names of a block's parameters, and ours
    "0.norm": "norm_1",
    "0.fn.to_qkv": "qkv",
    "0.fn.to_out.0": "out",
    "1.norm": "norm_2",
    "1.fn.net.0": "up",
    "1.fn.net.3": "down",
}


def cprfl(vectors: Vectors) -> Iterator[tuple[str, str, Tensor]]:
    """All that the file has; scores go the method's way, which leaves out what nobody reads."""
    method = CPRFL()
    prompts = template_prompts(vectors.class_names, method.template)
    yield "prompt tokens", "prompt_tokens", open_clip.get_tokenizer(TEXT_TOWER)(prompts)
    yield from _loss(vectors, method)
    weights = vectors.weights()
    head = _head(vectors, weights)
    maps = vectors.get("io.feature_maps", "B", "D", "H", "W").requires_grad_()
    text = vectors.get("io.text_features", "C", "E").requires_grad_()
    labels = vectors.get("io.labels", "B", "C")
    made = head.prompts(text)
    tokens = head.tokens(places(maps), made)
    scores = head(places(maps), text)
    loss = losses.make_mean(method.loss, labels, method.db_constants)(scores, labels)
    yield "prompts", "io.prompts", made
    yield "tokens before the block", "io.tokens_in", tokens
    yield "tokens after the block", "io.tokens_out", head.refined(tokens)
    yield "scores", "io.score", scores
    yield "loss", "io.loss", loss
    ours = {_own_name(name): name for name in weights}
    inputs = {"io.feature_maps": maps, "io.text_features": text}
    inputs |= {ours[name]: parameter for name, parameter in head.named_parameters()}
    for name, slope in zip(inputs, grad(loss, list(inputs.values())), strict=True):
        yield f"gradient of {name}", f"grad.{name}", slope


def _loss(vectors: Vectors, method: CPRFL) -> Iterator[tuple[str, str, Tensor]]:
    x = vectors.get("asl.x", "images", "classes").requires_grad_()
    y = vectors.get("asl.y", "images", "classes")
    loss = losses.make_mean(method.loss, y, method.db_constants)(x, y)
    yield "asymmetric loss", "asl.loss", loss
    yield "asymmetric loss: gradient", "asl.grad", *grad(loss, [x])


def _head(vectors: Vectors, weights: dict[str, Tensor]) -> Head:
    """The head whose weights are `w.*`; its shape is read off them, but for the number of heads."""
    depth = len(vectors.matching(r"w\.attention\.layers\.\d+\.0\.fn\.to_qkv\.weight"))
    heads = int(vectors.constant("heads", HEADS))
    try:
        inner = weights["attention.layers.0.0.fn.to_out.0.weight"].shape[1]
        width, places_width = weights["fc.0.weight"].shape
        hidden, text = weights["label_emb.0.weight"].shape
        mlp = len(weights["attention.layers.0.1.fn.net.0.bias"])
        shape = Shape(places_width, text, width, hidden, heads, inner // heads, mlp, depth)
        head = Head(shape).eval()
        head.load_state_dict({_own_name(name): value for name, value in weights.items()})
    except (LookupError, ArithmeticError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:150]
        raise vectors.error("w.*", f"not the weights of a CPRFL ({reason})") from error
    return head


def _own_name(theirs: str) -> str:
    """`attention.layers.0.1.fn.net.3.bias` to `blocks.0.down.bias`."""
    module, _, kind = theirs.rpartition(".")
    plain = {"fc.0": "places", "label_emb.0": "prompts.0", "label_emb.3": "prompts.2"}
    if module in plain:
        return f"{plain[module]}.{kind}"
    number, _, part = module.removeprefix("attention.layers.").partition(".")
    return f"blocks.{number}.{_BLOCK[part]}.{kind}"
