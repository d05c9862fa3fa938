"""The cache: right values, no second look at an image, nothing half-written."""

import numpy as np
import pytest
import small
import torch

from benchmark import features
from benchmark.errors import InputError


def test_features_are_what_clip_computes(tmp_path):
    data = small.images(tmp_path, 5)
    run, clip = small.run(tmp_path), small.the_clip()
    pixels = torch.from_numpy(np.array(run.pixels(data.images)))
    with torch.no_grad():
        whole, patches = clip.visual(clip.normalise(pixels))
    np.testing.assert_allclose(run.features(data.images), whole, rtol=1e-5, atol=1e-6)
    local = (patches @ clip.visual.proj).numpy()
    np.testing.assert_allclose(run.features(data.images, "tokens"), local, rtol=1e-5, atol=1e-6)


def test_a_hit_opens_no_image_and_a_changed_image_is_no_hit(tmp_path, monkeypatch):
    data = small.images(tmp_path, 4)
    before = np.array(small.run(tmp_path).features(data.images, "tokens"))
    opened = []
    real = features._open
    monkeypatch.setattr(features, "_open", lambda file: opened.append(file) or real(file))
    small.run(tmp_path).features(data.images, "tokens")
    small.run(tmp_path).features(data.images, "global")
    assert opened == []
    first, second = data.images.files()[:2]
    first.write_bytes(second.read_bytes())
    after = small.run(tmp_path).features(data.images, "tokens")
    assert len(opened) == 4
    assert np.array_equal(after[0], before[1]) and np.array_equal(after[2], before[2])


def test_a_broken_image_is_named_and_leaves_no_entry(tmp_path):
    data = small.images(tmp_path, 3)
    broken = data.images.files()[1]
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(InputError, match=broken.name):
        small.run(tmp_path).features(data.images)
    kept = list((tmp_path / "cache" / "features").iterdir())
    assert not [path for path in kept if path.suffix in (".npy", ".tmp")]


def test_an_unknown_kind_is_named(tmp_path):
    data = small.images(tmp_path, 1)
    with pytest.raises(ValueError, match="unknown kind 'locals'"):
        small.run(tmp_path).features(data.images, "locals")
