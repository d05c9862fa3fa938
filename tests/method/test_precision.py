"""Precision as part of what a unit is: names, key, autocast of steps, float16 local features."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.common.errors import InputError
from benchmark.method import precision
from benchmark.method.precision import FLOAT32, Precision, parse
from benchmark.method.run import Run
from benchmark.method.training import Recipe, train
from benchmark.runner import checkpoints
from benchmark.suites.unit import Unit
from tests.helpers import drawn_images

UNIT = Unit("voc-lt", "coop", "coop", 1, (), "miniature", 0, None, "ab", "m", "cd")


def test_each_precision_has_one_name():
    assert parse("float32") == Precision() and parse("float32").name == "float32" == FLOAT32
    assert parse("half-features+bf16").name == "bf16+half-features"
    for name in precision.PARTS:
        assert parse(name).name == name


@pytest.mark.parametrize("name", ["bf15", "", "float32+bf16", "bf16+bf16", "half"])
def test_other_names_are_refused_in_one_line(name):
    with pytest.raises(InputError) as caught:
        parse(name)
    assert "precision" in str(caught.value) and "\n" not in str(caught.value)


def test_float32_goes_without_saying_in_keys_and_states():
    other = dataclasses.replace(UNIT, precision="bf16")
    keys = {UNIT.key, other.key, dataclasses.replace(UNIT, precision="half-features").key}
    assert len(keys) == 3
    assert (
        UNIT.key == "226c3287629d0db946e189d4d0baa052ac7d1f0b45595a69ac5b4c5fc0bb2bcb"
    )  # as before there was another precision
    data = type("Data", (), {"images": drawn_images, "class_names": (), "labels": np.zeros((0, 0))})
    data.images = type("Images", (), {"paths": ()})
    plain, half = checkpoints.identity(UNIT, data), checkpoints.identity(other, data)
    assert "precision" not in plain and half == plain | {"precision": "bf16"}


def trained(bits: str) -> tuple[torch.Tensor, list]:
    run = Run(clip=None, store=None, device="cpu", identity="unit")
    run.precision = parse(bits)
    torch.manual_seed(0)
    layer, x, seen = nn.Linear(16, 4), torch.randn(12, 16), []

    def loss_of(indices):
        out = layer(x[indices])
        seen.append(out.dtype)
        return (out - 1).square().mean()

    train(layer.parameters(), loss_of, 12, Recipe(3, 0.01, 4), run, "fit")
    assert {p.dtype for p in layer.parameters()} == {torch.float32}
    assert not torch.is_autocast_enabled("cpu")
    return layer.weight.detach(), seen


def test_bf16_steps_run_under_autocast_and_parameters_stay_float32():
    exact, dtypes = trained("float32")
    assert set(dtypes) == {torch.float32}
    rough, dtypes = trained("bf16")
    assert set(dtypes) == {torch.bfloat16}
    assert not torch.equal(exact, rough)
    torch.testing.assert_close(exact, rough, atol=0.02, rtol=0)


def with_half(tmp_path):
    """The store that a unit of precision half-features gets, beside the usual one."""
    run = drawn_images.run(tmp_path)
    half = type(run.store)(run.clip, tmp_path, run.preprocess, half=True)
    return run.store, half


@pytest.mark.parametrize("kind", ["tokens", "value"])
def test_half_features_are_float16_on_disk_and_float32_in_use(kind, tmp_path):
    data = drawn_images.images(tmp_path, 5)
    store, half = with_half(tmp_path)
    exact, rounded = store.features(data.images, kind), half.features(data.images, kind)
    assert rounded.stored.dtype == np.float16 and rounded.dtype == np.float32
    assert rounded.shape == exact.shape and len(rounded) == 5
    assert rounded.nbytes == exact.nbytes == 2 * rounded.stored.nbytes
    expected = np.array(exact).astype(np.float16).astype(np.float32)
    assert not np.array_equal(exact, expected)
    assert np.array_equal(rounded[1:3], expected[1:3])
    assert np.array_equal(np.array(rounded), expected)
    assert np.array_equal(rounded[[4, 0]], expected[[4, 0]])
    one = half.features(data.images)  # the global feature is small and stays as it is
    assert one.dtype == np.float32 and np.array_equal(one, store.features(data.images))


def test_a_draw_of_half_features_is_float32(tmp_path):
    from benchmark.method import batches

    data = drawn_images.images(tmp_path, 5)
    _, half = with_half(tmp_path)
    drawn = batches.FeatureBatches(half, data.images, "value", "none", 1)(torch.tensor([3, 1]))
    assert drawn.dtype == torch.float32
    assert np.array_equal(drawn.numpy(), half.features(data.images, "value")[[3, 1]])


def test_dualcoop_scores_hardly_change_with_half_features(tmp_path):
    from baselines.dualcoop import DualCoOp

    data, scores = drawn_images.images(tmp_path, 12), []
    for store in with_half(tmp_path):
        run = drawn_images.run(tmp_path)
        run.store = store
        torch.manual_seed(0)
        method = DualCoOp(epochs=2, local="tokens", augment="none", views=1)
        method.fit(data, run)
        scores.append(method.predict(data.images, run))
    gap = (scores[0] - scores[1]).abs().max() / scores[0].abs().max()
    assert 0 < gap < 2e-3
