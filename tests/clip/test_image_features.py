"""Global and local features of images under CLIP's own towers."""

import copy

import pytest
import torch

from benchmark.clip import image_features, resolve
from benchmark.clip import model as clips
from benchmark.data import preprocessing
from tests.helpers import drawn_images, toy_models


def test_image_features_agree_with_open_clip_and_with_each_other():
    clip = drawn_images.miniature_clip()
    pictures = torch.randint(0, 255, (3, 3, 96, 96), dtype=torch.uint8)
    images = preprocessing.CLIP.normalised(pictures, clip.mean, clip.std)
    with torch.no_grad():
        expected = clip.visual(images)[0]
        views = {}
        for kind, count in ((None, 0), ("tokens", 36), ("value", 36), ("regions", 37)):
            whole, views[kind] = image_features.image_features(clip.visual, images, kind)
            torch.testing.assert_close(whole, expected, rtol=1e-4, atol=1e-5)
            assert views[kind].shape[:2] == (3, count)
    torch.testing.assert_close(views["regions"][:, 1:], views["value"], rtol=1e-4, atol=1e-5)


@pytest.fixture
def resnet(tmp_path, monkeypatch) -> clips.Clip:
    """A toy of CLIP's ResNet with random weights, features of 16 numbers."""
    toy_models.install(tmp_path, monkeypatch.setattr)
    return clips.load(resolve.resolve(f"{toy_models.RESNET}:random", "paper"))


def test_features_of_a_resnet(resnet):
    model = resnet.model
    images = torch.randn(2, 3, 64, 64)
    whole, local = image_features.image_features(model.visual, images, "value")
    torch.testing.assert_close(whole, model.encode_image(images), rtol=1e-4, atol=1e-5)
    assert local.shape == (2, 4, 16)
    _, regions = image_features.image_features(model.visual, images, "regions")
    assert regions.shape == (2, 5, 16)
    torch.testing.assert_close(regions[:, 1:], local)


def test_a_resnet_lies_in_memory_as_its_convolutions_like_it(resnet):
    """Channels last, in its student too; values and gradients are those of the usual order."""
    student = resnet.student().double()
    usual = copy.deepcopy(student).to(memory_format=torch.contiguous_format)
    images, found = torch.randn(2, 3, 64, 64, dtype=torch.float64), []
    for tower, last in ((student, True), (usual, False)):
        weight = tower.layer2[0].conv2.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == last
        whole, local = image_features.image_features(tower, images, "value")
        (whole.square().sum() + local.sin().sum()).backward()
        found.append((whole.detach(), local.detach(), *(p.grad for p in tower.parameters())))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)
