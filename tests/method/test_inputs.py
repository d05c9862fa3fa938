"""What methods read of an image list: the harness's features and pictures, in order and whole."""

import numpy as np
import pytest
import torch

from benchmark.method import inputs
from tests.helpers import drawn_images


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Pictures, and a run that has them."""
    folder = tmp_path_factory.mktemp("read")
    return drawn_images.images(folder, 7).images, drawn_images.run(folder)


@pytest.mark.parametrize("kind", ["global", "value"])
def test_normalised_features_are_the_runs_at_length_1(read, kind):
    images, run = read
    found, raw = inputs.normalised_features(run, images, kind), np.array(run.features(images, kind))
    expected = raw / np.linalg.norm(raw, axis=-1, keepdims=True)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_features_come_in_parts_in_order_each_kind_beside_the_other(read, monkeypatch):
    images, run = read
    monkeypatch.setattr(inputs, "_PART", 3)
    parts = list(inputs.feature_parts(run, images, "tokens", "global"))
    assert [len(whole) for _, whole in parts] == [4, 3]
    for kind, found in zip(("tokens", "global"), zip(*parts, strict=True), strict=True):
        assert np.array_equal(torch.cat(found).numpy(), run.features(images, kind))


def test_pictures_come_in_parts_as_the_image_tower_wants_them(read, monkeypatch):
    images, run = read
    monkeypatch.setattr(type(run.clip), "chunk", 3)
    parts = list(inputs.picture_parts(run, images))
    assert [len(part) for part in parts] == [3, 3, 1]
    whole = run.normalise(torch.from_numpy(np.array(run.pixels(images))))
    assert torch.equal(torch.cat(parts), whole)
