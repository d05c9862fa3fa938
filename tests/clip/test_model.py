"""The frozen model: clip/model.py, and position_embedding.py for images of another size."""

from __future__ import annotations

import open_clip
import pytest
import torch
from open_clip.model import resize_pos_embed
from torch import nn

from benchmark.clip import backbone, image_features, model, position_embedding, resolve
from benchmark.common.errors import InputError
from tests.helpers import toy_models


@pytest.fixture(scope="module", params=["ViT-B-32", "RN50"])
def real(request) -> model.Clip:
    """A model of CLIP's real size with random weights."""
    return model.load(resolve.resolve(f"{request.param}:random", "paper"))


@pytest.fixture(scope="module")
def mini() -> model.Clip:
    """The shipped miniature."""
    return model.load(resolve.resolve(None, "miniature"))


def embedding(visual: nn.Module) -> torch.Tensor:
    """The tower's learned positions."""
    return getattr(visual, "attnpool", visual).positional_embedding


def test_another_image_size_gives_its_grid_of_local_features(real):
    tower = real.student().requires_grad_(False)
    before = embedding(tower)
    position_embedding.fit(tower, 224)
    assert embedding(tower) is before and position_embedding.side(tower) == real.image_size == 224
    generator = torch.Generator().manual_seed(0)
    for size, kind in ((224, "tokens"), (448, "value"), (448, "regions")):
        position_embedding.fit(tower, size)
        pixels = torch.rand(1, 3, size, size, generator=generator)
        pooled, local = image_features.image_features(tower, pixels, kind)
        pooled_too = kind == "regions"
        assert local.shape == (1, (size // 32) ** 2 + pooled_too, pooled.shape[1])
        assert pooled.isfinite().all() and local.isfinite().all()
    assert position_embedding.side(tower) == 448 and len(embedding(tower)) == 14 * 14 + 1
    assert torch.equal(embedding(tower)[0], before[0])  # the class token's, or the mean's
    assert len(embedding(real.visual)) == 7 * 7 + 1  # the shared model is as it was


def test_a_size_between_two_grids_is_refused(real):
    with pytest.raises(InputError, match="image size 450: not a multiple of 32 .*use 448"):
        position_embedding.fit(real.visual, 450)
    with pytest.raises(InputError, match="use 32"):
        position_embedding.fit(real.visual, 0)


def test_random_weights_are_the_same_each_time_and_leave_the_dice_alone(tmp_path, monkeypatch):
    toy_models.install(tmp_path, monkeypatch.setattr)
    found = resolve.resolve(f"{toy_models.PLAIN}:random", "paper")
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first = model.load(found).model.state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(8)
    second = model.load(found).model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_grid_is_left_as_it_is():
    rows = torch.randn(50, 8)
    assert position_embedding.interpolate(rows, 7) is rows


def test_interpolation_is_smooth_and_keeps_axes_apart():
    """A plane over the places stays one; rows and columns are not swapped."""
    down, right = torch.meshgrid(torch.arange(7.0), torch.arange(7.0), indexing="ij")
    rows = torch.cat([torch.full((1, 2), 9.0), torch.stack([down, right], -1).flatten(0, 1)])
    found = position_embedding.interpolate(rows, 14)[1:].unflatten(0, (14, 14))[
        4:-4, 4:-4
    ]  # inside
    expected = (torch.arange(14.0) + 0.5) / 2 - 0.5
    torch.testing.assert_close(found[..., 0], expected[4:-4, None].expand(6, 6))
    torch.testing.assert_close(found[..., 1], expected[None, 4:-4].expand(6, 6))


@pytest.mark.parametrize("size", [32, 96, 128])
def test_a_vit_is_interpolated_as_open_clip_does_on_loading(size, tmp_path, monkeypatch):
    toy_models.install(tmp_path, monkeypatch.setattr)
    path = toy_models.save(tmp_path)
    theirs = open_clip.create_model(
        toy_models.PLAIN, pretrained=str(path), force_image_size=size
    ).eval()
    ours = model.load(resolve.resolve(f"{toy_models.PLAIN}:{path}", "paper"), size=size)
    assert ours.image_size == size and ours.visual.preprocess_cfg["size"] == (size, size)
    assert torch.equal(ours.visual.positional_embedding, theirs.visual.positional_embedding)
    pixels = torch.rand(2, 3, size, size)
    pooled, _ = image_features.image_features(ours.visual, pixels, None)
    torch.testing.assert_close(pooled, theirs.encode_image(pixels))


def test_a_resnet_pools_with_the_same_rule():
    """open_clip's rule, applied to a ResNet's positions as if they were a ViT's."""
    grid = nn.Module()
    grid.visual = nn.Module()
    grid.visual.grid_size = (14, 14)
    state = {"visual.positional_embedding": torch.randn(50, 16)}
    ours = position_embedding.interpolate(state["visual.positional_embedding"], 14)
    resize_pos_embed(state, grid)
    assert torch.equal(ours, state["visual.positional_embedding"])


class Foreign(nn.Module):
    """An image tower of another library."""

    image_size = 64

    def forward(self, pixels):
        return pixels.mean((2, 3))


def test_a_foreign_tower_has_a_global_feature_only():
    tower, pixels = Foreign(), torch.rand(2, 3, 64, 64)
    pooled, local = image_features.image_features(tower, pixels, None)
    assert pooled.shape == (2, 3) and local.shape[:2] == (2, 0)
    for kind in image_features.LOCAL_KINDS:
        with pytest.raises(InputError, match=f"local features .{kind}.*Foreign.*ViT-B-16"):
            image_features.image_features(tower, pixels, kind)
    position_embedding.fit(tower, 64)
    with pytest.raises(InputError, match="image size 128.*keep 64"):
        position_embedding.fit(tower, 128)


def test_loading_leaves_the_model_frozen_in_eval_mode_and_float32(real, mini):
    for loaded in (real, mini):
        loaded.check_frozen()
        assert not any(module.training for module in loaded.model.modules())
        assert all(p.dtype == torch.float32 for p in loaded.model.parameters())


def test_a_model_that_was_changed_is_noticed(mini):
    block = mini.visual.transformer.resblocks[0]
    block.train()
    with pytest.raises(RuntimeError, match="visual.transformer.resblocks.0 left eval mode"):
        mini.check_frozen()
    block.eval()
    mini.visual.proj.requires_grad_(True)
    with pytest.raises(RuntimeError, match="visual.proj is not frozen"):
        mini.check_frozen()
    mini.visual.proj.requires_grad_(False)
    old = mini.visual.proj.data
    mini.visual.proj.data = old.half()
    with pytest.raises(RuntimeError, match="visual.proj is torch.float16"):
        mini.check_frozen()
    mini.visual.proj.data = old
    mini.check_frozen()


def test_a_student_is_trainable_and_its_own(mini):
    student = mini.student()
    assert all(p.requires_grad for p in student.parameters())
    with torch.no_grad():
        student.proj.zero_()
    assert mini.visual.proj.abs().sum() > 0
    mini.check_frozen()


def test_pixel_statistics_are_those_of_the_weights(tmp_path, monkeypatch):
    toy_models.install(tmp_path, monkeypatch.setattr)
    path = toy_models.save(tmp_path)
    plain = resolve.resolve(f"{toy_models.PLAIN}:{path}", "paper")
    assert model.load(plain).mean.flatten().tolist() == pytest.approx(
        [0.4815, 0.4578, 0.4082], abs=1e-4
    )
    half = backbone.Backbone("x", toy_models.PLAIN, path, "", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    loaded = model.load(half)
    assert loaded.mean.shape == (3, 1, 1) and loaded.mean.flatten().tolist() == [0.5] * 3
    assert loaded.std.flatten().tolist() == [0.25] * 3
