"""The fast text encoding against the plain one and against open_clip itself."""

import copy

import pytest
import small
import torch

from benchmark import clip as clips
from benchmark import preprocessing
from benchmark.prompts import PromptEncoder, initial_context, template_features

NAMES = ("dog", "traffic light", "hot_dog", "tvmonitor", "pair of scissors")


def double(clip):
    """The same CLIP in float64."""
    twin = copy.copy(clip)
    twin.model = copy.deepcopy(clip.model).double()
    return twin


@pytest.mark.parametrize("length", [1, 4, 16, 64])
@pytest.mark.parametrize("precise", [True, False])
def test_shared_prefix_is_exact_in_value_and_gradient(length, precise):
    clip = double(small.the_clip()) if precise else small.the_clip()
    encoder = PromptEncoder(clip, NAMES)
    start = initial_context(clip, length, torch.Generator().manual_seed(length))
    start = start.to(encoder.start.dtype)
    results = []
    for encode in (encoder, encoder.plain):
        context = start.clone().requires_grad_()
        features = encode(context)
        features.sin().sum().backward()
        results.append((features.detach(), context.grad))
    tolerance = 1e-12 if precise else 1e-5
    for fast, plain in zip(*results, strict=True):
        assert (fast - plain).abs().max() <= tolerance * plain.abs().max()


def test_a_class_specific_context_of_equal_rows_is_the_shared_one():
    clip = double(small.the_clip())
    encoder = PromptEncoder(clip, NAMES)
    context = initial_context(clip, 8, torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(
        encoder(context.expand(len(NAMES), -1, -1)), encoder(context), rtol=1e-9, atol=1e-11
    )


def test_the_words_of_a_template_as_context_give_the_template():
    clip = small.the_clip()
    context = initial_context(clip, 0, None, "a photo of a")
    ours = torch.nn.functional.normalize(PromptEncoder(clip, NAMES)(context), dim=-1)
    whole = template_features(clip, NAMES, "a photo of a {}.")
    torch.testing.assert_close(ours, whole, rtol=1e-4, atol=1e-5)


def test_the_text_tower_gets_no_gradient():
    clip = small.the_clip()
    context = initial_context(clip, 4, torch.Generator().manual_seed(0)).requires_grad_()
    PromptEncoder(clip, NAMES)(context).sum().backward()
    assert context.grad.abs().sum() > 0
    assert all(p.grad is None for p in clip.model.parameters())


def test_image_views_agree_with_open_clip_and_with_each_other():
    clip = small.the_clip()
    pictures = torch.randint(0, 255, (3, 3, 96, 96), dtype=torch.uint8)
    images = preprocessing.CLIP.normalised(pictures, clip.mean, clip.std)
    with torch.no_grad():
        expected = clip.visual(images)[0]
        views = {}
        for kind, count in ((None, 0), ("tokens", 36), ("value", 36), ("regions", 37)):
            whole, views[kind] = clips.image_views(clip.visual, images, kind)
            torch.testing.assert_close(whole, expected, rtol=1e-4, atol=1e-5)
            assert views[kind].shape[:2] == (3, count)
    torch.testing.assert_close(views["regions"][:, 1:], views["value"], rtol=1e-4, atol=1e-5)


def test_views_of_a_resnet():
    import open_clip

    vision = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 1, "layers": 1}
    model = open_clip.CLIP(32, vision, text).eval()
    images = torch.randn(2, 3, 64, 64)
    whole, local = clips.image_views(model.visual, images, "value")
    torch.testing.assert_close(whole, model.encode_image(images), rtol=1e-4, atol=1e-5)
    assert local.shape == (2, 4, 32)
    _, regions = clips.image_views(model.visual, images, "regions")
    assert regions.shape == (2, 5, 32)
    torch.testing.assert_close(regions[:, 1:], local)
