"""CoCoOp: prompts of many contexts at once, the shift by the image, a toy with a known answer."""

from __future__ import annotations

import numpy as np
import prompt_toy
import pytest
import small
import torch
import torch.nn.functional as F

from baselines.cocoop import CoCoOp, meta_network
from benchmark.conditioned import ConditionedEncoder
from benchmark.prompts import PromptEncoder

NAMES = ("dog", "traffic light", "cup", "hair_drier", "a very long name of six words")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def contexts(count: int, length: int = 4) -> torch.Tensor:
    width = small.the_clip().model.token_embedding.weight.shape[1]
    generator = torch.Generator().manual_seed(3)
    return 0.3 * torch.randn(count, length, width, generator=generator)


@pytest.mark.parametrize("length", [0, 1, 4])
def test_many_contexts_at_once_give_what_each_gives_alone(length):
    clip, many = small.the_clip(), contexts(3, length)
    plain = PromptEncoder(clip, NAMES)
    expected = torch.stack([plain.plain(context) for context in many])
    found = ConditionedEncoder(clip, NAMES)(many)
    assert found.shape == expected.shape == (3, len(NAMES), clip.model.text_projection.shape[1])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_so_do_the_gradients():
    clip = small.the_clip()
    many, each = (contexts(2).requires_grad_() for _ in range(2))
    plain = PromptEncoder(clip, NAMES)
    pattern = torch.randn(2, len(NAMES), clip.model.text_projection.shape[1])
    (ConditionedEncoder(clip, NAMES)(many) * pattern).sum().backward()
    sum((plain.plain(c) * p).sum() for c, p in zip(each, pattern, strict=True)).backward()
    torch.testing.assert_close(many.grad, each.grad, rtol=1e-3, atol=1e-4)


def test_the_network_is_the_authors_bottleneck_and_repeats():
    first, second = (meta_network(512, 768, 16, torch.Generator().manual_seed(1)) for _ in range(2))
    assert [tuple(p.shape) for p in first.parameters()] == [(32, 512), (32,), (768, 32), (768,)]
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert isinstance(first[1], torch.nn.ReLU)
    assert first[0].weight.abs().max() <= 512**-0.5 < 32**-0.5 / 2 < first[2].weight.abs().max()


def learner(tmp_path, **options):
    data = small.images(tmp_path, 20)
    method = CoCoOp(**{"epochs": 6, "lr": 0.02, "batch_size": 5, "warmup": 0, "views": 1} | options)
    return method, data, small.run(tmp_path)


def test_an_image_is_scored_under_its_own_prompts(tmp_path):
    """From the definition: each image's context is shifted by the network's answer to it."""
    method, data, run = learner(tmp_path, epochs=1, augment="none")
    method.fit(data, run)
    scores = method.predict(data.images, run)
    image = F.normalize(torch.from_numpy(np.array(run.features(data.images))), dim=-1)
    encoder = PromptEncoder(run.clip, data.class_names)
    for n in (0, 7, 19):
        with torch.no_grad():
            text = F.normalize(encoder.plain(method.learned + method.net(image[n])), dim=-1)
            expected = run.clip.logit_scale * image[n] @ text.T + method.offset
        torch.testing.assert_close(scores[n], expected, rtol=1e-4, atol=1e-3)


def test_it_starts_from_the_words_and_all_of_it_is_trained(tmp_path):
    method, data, run = learner(tmp_path, epochs=0)
    method.fit(data, run)
    ids = run.clip.tokenizer.encode("a photo of a")
    assert torch.equal(method.learned.detach(), run.clip.model.token_embedding.weight[ids].detach())
    before = [p.detach().clone() for p in (method.learned, method.offset, *method.net.parameters())]
    method, data, run = learner(tmp_path, epochs=1)
    method.fit(data, run)
    after = (method.learned, method.offset, *method.net.parameters())
    assert not any(torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_it_finds_the_hidden_context():
    toy, data = prompt_toy.under_hidden()
    method = CoCoOp(epochs=20, lr=0.1, warmup=0, batch_size=10, loss="bce")
    before, after = prompt_toy.learned(method, toy, data)
    assert before < 75 and after > 98
    losses = [c["loss"] for c in toy.curve]
    assert losses[-1] < losses[0] / 2
