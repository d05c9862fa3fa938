"""Global and local image features of CLIP's ViT; its last block only where something reads it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from benchmark.common.errors import InputError

Features = tuple[Tensor, Tensor]  # global (N, D) and local (N, L, D)
_CLASS = slice(0, 1)  # the first token


def image_features(visual: VisionTransformer, images: Tensor, local: str | None) -> Features:
    """Global feature (N, D) and local ones (N, L, D), as `image_features.image_features` says.

    The global feature is the class token's. For "value", "regions" and None the last block works
    for that token alone, and the value path takes the values that its attention has anyway: of
    four blocks that is a fifth of the work, of twelve a fourteenth. Exact, gradients too.
    """
    if not _usual(visual):
        return _whole(visual, images, local)
    x = _embedded(visual, images)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        x = _block(block, x)[0]
    if local == "tokens":
        x, patches, _ = _block(last, x, _CLASS, slice(1, None))
        return _out(visual, x[:, 0]), _out(visual, patches)
    x, value = _block(last, x, _CLASS)
    pooled = _out(visual, x[:, 0])
    if local is None:
        return pooled, pooled.new_empty(len(pooled), 0, 1)
    value = value if local == "regions" else value[:, 1:]
    return pooled, _out(visual, last.attn.out_proj(value.contiguous()))


def _embedded(visual: VisionTransformer, images: Tensor) -> Tensor:
    """The first block's input (N, 1 + L, W): what the tower's `_embeds` gives.

    Its convolution takes each pixel once, so it is one matrix product over patches.
    """
    side = visual.conv1.kernel_size[0]
    patches = images.unfold(2, side, side).unfold(3, side, side)  # (N, 3, rows, columns, S, S)
    patches = patches.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
    x = F.linear(patches, visual.conv1.weight.flatten(1), visual.conv1.bias)
    x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1)
    return visual.ln_pre(visual.patch_dropout(x + visual.positional_embedding))


def _out(visual: VisionTransformer, x: Tensor) -> Tensor:
    """From the tower's width to the space that texts share."""
    return visual.ln_post(x) @ visual.proj


def _block(block: ResidualAttentionBlock, x: Tensor, *parts: slice) -> list[Tensor]:
    """The block's output for each of the parts of tokens, by default for all of them at once.

    x (N, L, W); after the parts' (N, part, W) come all values (N, L, W), as the attention has
    them before its output projection. A part's bits do not depend on which others there are.
    """
    attention, width = block.attn, x.shape[-1]
    seen, weight, bias = block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias
    key, value = F.linear(seen, weight[width:], bias[width:]).chunk(2, dim=-1)
    stored = [_heads(each, attention.num_heads) for each in (key, value)]
    found = []
    for part in parts or (slice(None),):
        query = F.linear(seen[:, part].contiguous(), weight[:width], bias[:width])
        heads = _heads(query, attention.num_heads)
        mixed = F.scaled_dot_product_attention(heads, *stored).transpose(1, 2).flatten(2)
        y = x[:, part] + block.ls_1(attention.out_proj(mixed))
        found.append(y + block.ls_2(block.mlp(block.ln_2(y))))
    return [*found, value]


def _heads(x: Tensor, count: int) -> Tensor:
    """(N, L, W) to (N, count, L, W / count)."""
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def _usual(visual: VisionTransformer) -> bool:
    """Whether the tower is made as OpenAI's: its class token, normalised and projected."""
    return (
        visual.pool_type == "tok"
        and visual.attn_pool is None
        and not visual.final_ln_after_pool
        and len(visual.transformer.resblocks) > 0
        and visual.conv1.kernel_size == visual.conv1.stride == visual.conv1.kernel_size[::-1]
        and all(type(b) is ResidualAttentionBlock for b in visual.transformer.resblocks)
        and all(type(b.attn) is nn.MultiheadAttention for b in visual.transformer.resblocks)
    )


def _whole(visual: VisionTransformer, images: Tensor, local: str | None) -> Features:
    """The same of a tower with another pooling or other blocks: its own forward pass.

    InputError for local features: where they come from in such a tower, nobody has laid down.
    """
    if local:
        raise InputError(
            f"local features ({local}): not known of this backbone, whose ViT pools in another way "
            "than CLIP's or has other blocks; use a backbone such as ViT-B-16 or RN101"
        )
    found = visual(images)
    pooled = found[0] if visual.output_tokens else found
    return pooled, pooled.new_empty(len(pooled), 0, 1)
