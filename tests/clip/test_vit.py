"""CLIP's ViT with its last block cut short: values and gradients as the tower's own forward."""

import pytest
import torch
import torch.nn.functional as F
from open_clip.transformer import LayerScale, VisionTransformer

from benchmark.clip import vit

KINDS = (None, "tokens", "value", "regions")


def tower(**other) -> VisionTransformer:
    torch.manual_seed(0)
    made = VisionTransformer(
        image_size=32, patch_size=8, width=24, layers=3, heads=3, mlp_ratio=4.0, output_dim=16,
        output_tokens=True, **other
    )  # fmt: skip
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0, 0.2)
    return made.eval()


def whole(visual, images, local):
    """The same with every block for every token, by the modules of open_clip."""
    inputs = []
    last = visual.transformer.resblocks[-1]
    handle = last.register_forward_pre_hook(lambda module, given: inputs.append(given[0]))
    pooled, tokens = visual(images)
    handle.remove()
    if local is None:
        return pooled, pooled.new_empty(len(pooled), 0, 1)
    if local == "tokens":
        return pooled, tokens @ visual.proj
    width, seen = last.attn.embed_dim, last.ln_1(inputs[0][:, 0 if local == "regions" else 1 :])
    weight, bias = last.attn.in_proj_weight, last.attn.in_proj_bias
    value = last.attn.out_proj(F.linear(seen, weight[2 * width :], bias[2 * width :]))
    return pooled, visual.ln_post(value) @ visual.proj


def gradients(function, visual, images, local):
    visual.zero_grad()
    pooled, found = function(visual, images, local)
    (pooled.sin().sum() + (found * found.cos()).sum()).backward()
    return {n: p.grad.clone() for n, p in visual.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("local", KINDS)
@pytest.mark.parametrize("scaled", [False, True])
def test_the_cut_tower_gives_the_same_values_and_gradients(local, scaled):
    visual = tower(ls_init_value=0.7 if scaled else None).double()
    assert vit._usual(visual)
    assert scaled == isinstance(visual.transformer.resblocks[0].ls_1, LayerScale)
    images = torch.randn(5, 3, 32, 32, dtype=torch.float64)
    for mine, theirs in zip(
        vit.image_features(visual, images, local), whole(visual, images, local), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
    mine = gradients(vit.image_features, visual, images, local)
    theirs = gradients(whole, visual, images, local)
    assert mine.keys() == theirs.keys()
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("local", KINDS)
def test_float32_agrees_to_rounding(local):
    visual, images = tower(), torch.randn(5, 3, 32, 32)
    with torch.inference_mode():
        both = vit.image_features(visual, images, local), whole(visual, images, local)
    for mine, theirs in zip(*both, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_the_last_block_works_for_the_class_token_alone():
    visual, seen = tower(), []
    visual.transformer.resblocks[-1].mlp.register_forward_pre_hook(
        lambda module, given: seen.append(given[0].shape[1])
    )
    for local in KINDS:
        vit.image_features(visual, torch.randn(2, 3, 32, 32), local)
    assert seen == [1, 1, 16, 1, 1]


def test_patches_that_overlap_are_left_to_the_towers_own_convolution():
    visual = tower()
    visual.conv1.stride = (4, 4)
    assert not vit._usual(visual)
