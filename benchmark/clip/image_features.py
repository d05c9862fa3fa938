"""Global and local image features of CLIP's towers: its ViT, its ResNet; of others global ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmark.clip.observe import observed
from benchmark.common.errors import InputError

LOCAL_KINDS = ("tokens", "value", "regions")


@observed("image")
def image_features(visual: nn.Module, images: Tensor, local: str | None) -> tuple[Tensor, Tensor]:
    """Global feature (N, D) and local features (N, L, D) of normalised images (N, 3, S, S).

    local   "tokens": a ViT's patch tokens through the final norm and projection.
            "value": the last attention's value and output projections at each place.
            "regions": the same of the pooled token, then of each place, 1 + L in all: what
            DualCoOp takes from a ResNet's attention pool, positions included.
            None: no local features; the second result is empty (N, 0, D).
    Works with gradients: HP-DVAL trains the tower through it. InputError for local features of
    a tower that is neither CLIP's ViT, class token and all, nor its ResNet.
    """
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.transformer import VisionTransformer

    from benchmark.clip import vit

    if isinstance(visual, ModifiedResNet):
        return _resnet(visual, images, local)
    if isinstance(visual, VisionTransformer):
        return vit.image_features(visual, images, local)
    if local:
        raise InputError(
            f"local features ({local}): not known of this backbone's {type(visual).__name__}; "
            "use a backbone with CLIP's own ViT or ResNet, such as ViT-B-16 or RN101"
        )
    pooled = visual(images)
    return pooled, pooled.new_empty(len(pooled), 0, 1)


def _resnet(visual: nn.Module, images: Tensor, local: str | None) -> tuple[Tensor, Tensor]:
    """CLIP's ModifiedResNet; tokens and value path are the same thing here.

    Its attention pool puts the mean of all places first, as the token that it returns.
    """
    x = visual.stem(images)
    x = visual.layer4(visual.layer3(visual.layer2(visual.layer1(x))))
    pool = visual.attnpool
    places = x.flatten(2).transpose(1, 2)
    if not local:
        return pool(x), places[:, :0]
    tokens = torch.cat([places.mean(dim=1, keepdim=True), places], dim=1)
    value = pool.c_proj(pool.v_proj(tokens + pool.positional_embedding))
    return pool(x), value if local == "regions" else value[:, 1:]
