"""CoCoOp: the shift by the image, its start, a toy with a known answer."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from baselines.cocoop import CoCoOp, meta_network
from benchmark.clip.prompts import PromptEncoder
from tests.helpers import drawn_images, prompt_task


def test_the_network_is_the_authors_bottleneck_and_repeats():
    first, second = (meta_network(512, 768, 16, torch.Generator().manual_seed(1)) for _ in range(2))
    assert [tuple(p.shape) for p in first.parameters()] == [(32, 512), (32,), (768, 32), (768,)]
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert isinstance(first[1], torch.nn.ReLU)
    assert first[0].weight.abs().max() <= 512**-0.5 < 32**-0.5 / 2 < first[2].weight.abs().max()


def learner(tmp_path, **options):
    data = drawn_images.images(tmp_path, 20)
    method = CoCoOp(**{"epochs": 6, "lr": 0.02, "batch_size": 5, "warmup": 0, "views": 1} | options)
    return method, data, drawn_images.run(tmp_path)


def test_an_image_is_scored_under_its_own_prompts(tmp_path):
    """From the definition: each image's context is shifted by the network's answer to it."""
    method, data, run = learner(tmp_path, epochs=1, augment="none")
    method.fit(data, run)
    scores = method.predict(data.images, run)
    image = F.normalize(torch.from_numpy(np.array(run.features(data.images))), dim=-1)
    encoder = PromptEncoder(run.clip, data.class_names, plain=True)
    for n in (0, 7, 19):
        with torch.no_grad():
            text = F.normalize(encoder(method.learned + method.net(image[n])), dim=-1)
            expected = run.clip.logit_scale * image[n] @ text.T
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
    toy, data = prompt_task.under_hidden()
    method = CoCoOp(epochs=20, lr=0.1, warmup=0, batch_size=10, loss="bce")
    before, after = prompt_task.learned(method, toy, data)
    assert before < 75 and after > 98
    losses = [c["loss"] for c in toy.curve]
    assert losses[-1] < losses[0] / 2
