"""Lets an image tower take images of another size than it was trained on."""

from __future__ import annotations

from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from benchmark.common.errors import InputError

RESNET_STRIDE = 32  # pixels a side to one place of CLIP's ResNets


def fit(visual: nn.Module, size: int) -> None:
    """Change the tower in place to images of (size, size) pixels; its own size changes nothing.

    The learned positions are interpolated to the new grid, in a ViT's input as in a ResNet's
    attention pool. InputError for a size that the tower cannot take.
    """
    if size == side(visual):
        return
    if isinstance(visual, VisionTransformer):
        patch = visual.patch_size[0]
        grid = _grid(size, patch)
        visual.positional_embedding = _parameter(visual.positional_embedding, grid)
        visual.grid_size, visual.image_size = (grid, grid), (size, size)
    elif isinstance(visual, ModifiedResNet):
        pool, grid = visual.attnpool, _grid(size, RESNET_STRIDE)
        pool.positional_embedding = _parameter(pool.positional_embedding, grid)
        visual.image_size = size
    else:
        raise InputError(
            f"image size {size}: only CLIP's own ViT and ResNet towers can change theirs; "
            f"keep {side(visual)}, or use a backbone such as ViT-B-16 or RN101"
        )
    visual.preprocess_cfg = {**visual.preprocess_cfg, "size": visual.image_size}


def side(visual: nn.Module) -> int:
    """Pixels a side of the images that the tower takes."""
    size = visual.image_size
    return size if isinstance(size, int) else size[0]


def interpolate(positions: Tensor, grid: int) -> Tensor:
    """Positions (1 + g * g, W) on a square grid of another side: (1 + grid * grid, W).

    Bicubic, as open_clip does on loading. The first row is not a place (a ViT's class token, a
    ResNet's mean over all places) and is kept as it is.
    """
    old = round((len(positions) - 1) ** 0.5)
    if old == grid:
        return positions
    return resample_abs_pos_embed(positions[None], [grid, grid], [old, old])[0]


def _parameter(old: nn.Parameter, grid: int) -> nn.Parameter:
    return nn.Parameter(interpolate(old.detach(), grid), requires_grad=old.requires_grad)


def _grid(size: int, patch: int) -> int:
    """Places a side; InputError if the last would be cut."""
    if size < patch or size % patch:
        near = max(patch, round(size / patch) * patch)
        raise InputError(
            f"image size {size}: not a multiple of {patch} pixels, the side of one place of "
            f"this backbone; use {near}"
        )
    return size // patch
