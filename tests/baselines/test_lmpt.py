"""LMPT: the embedding loss from its definition, what captions change, a toy with a known answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from baselines.lmpt import LMPT, ClassSpecificEmbedding
from benchmark.clip.caption_features import Texts
from benchmark.data import tasks
from tests.helpers import drawn_images, prompt_task


def by_definition(caption, prompt, labels, counts, margin, gamma):
    """Loops in float64 over images and classes."""
    total = 0.0
    weights = [(1 / n) ** gamma for n in counts]
    for x, row in zip(caption, labels, strict=True):
        for y, one, n, weight in zip(prompt, row, counts, weights, strict=True):
            distance = 1 - float(x @ y)
            cost = distance if one else max(0.0, margin / n**0.25 - distance)
            total += weight / sum(weights) * cost
    return total / labels.size


@pytest.mark.parametrize("margin, gamma", [(0.2, 2.0), (1.5, 0.0)])
def test_the_embedding_loss_is_its_definition(margin, gamma):
    rng = np.random.default_rng(0)
    caption, prompt = rng.normal(size=(6, 5)), rng.normal(size=(4, 5))
    caption[:4] = prompt + 0.2 * rng.normal(size=(4, 5))  # within the margin of each class once
    caption, prompt = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (caption, prompt))
    labels, counts = rng.integers(0, 2, (6, 4)), np.array([1, 7, 40, 1000])
    loss = ClassSpecificEmbedding(torch.from_numpy(counts), margin, gamma)
    inputs = [torch.from_numpy(x).float() for x in (caption, prompt, labels)]
    found = loss(*inputs)
    expected = by_definition(caption, prompt, labels, counts, margin, gamma)
    np.testing.assert_allclose(float(found), expected, rtol=1e-5)


def test_rare_classes_get_the_wider_margin_and_the_larger_weight():
    loss = ClassSpecificEmbedding(torch.tensor([0, 16, 10_000]))
    assert float(loss.weight.sum()) == pytest.approx(1)
    assert loss.weight[0] > loss.weight[1] > loss.weight[2]
    torch.testing.assert_close(loss.margin, torch.tensor([0.2, 0.1, 0.02]))


def test_text_features_are_clips_own_and_token_features_precede_them():
    clip = drawn_images.miniature_clip()
    said = ["a dog.", "a photo of a cup and a banana on a table", "car", "dog " * 100]
    texts = Texts(clip, said)
    torch.testing.assert_close(texts.eos, clip.encode_text(said), rtol=1e-4, atol=1e-5)
    assert texts.lengths.tolist()[:3] == [5, 13, 3] and int(texts.lengths[3]) == 77
    tokens, there = texts.padded(torch.tensor([2, 0]))
    assert tokens.shape[:2] == there.shape == (2, 5) and there.sum(1).tolist() == [3, 5]
    assert torch.equal(tokens[1, 4], texts.eos[0]) and torch.equal(tokens[0, 2], texts.eos[2])
    alone = Texts(clip, ["car"])
    torch.testing.assert_close(tokens[0, :3], alone.tokens, rtol=1e-4, atol=1e-5)


def test_it_finds_the_hidden_context():
    toy, data = prompt_task.under_hidden()
    method = LMPT(epochs=40, lr=1.0, context=4, loss="bce")
    before, after = prompt_task.learned(method, toy, data)
    assert before < 75 and after > 90, (before, after)


def test_the_embedding_loss_draws_prompts_to_the_captions_of_their_class():
    toy, data = prompt_task.under_hidden()
    told = F.normalize(Texts(toy.clip, data.captions).eos, dim=-1)
    labels = torch.tensor(data.labels)

    def gap(weight: float) -> float:
        method = LMPT(epochs=30, lr=2.0, context=4, weight=weight, margin=1.0, gamma=0.0)
        method.fit(data, toy)
        cosine = told @ F.normalize(method.encoder(method.learned.detach()), dim=-1).T
        return float(cosine[labels == 1].mean() - cosine[labels == 0].mean())

    assert gap(0.0) > gap(1.0) + 0.05


def test_it_skips_tasks_without_captions_and_says_what_to_get(captioned):
    for name, dataset, wanted in (
        ("voc-lt", "voc", "benchmark splits fetch"),
        ("coco-fs-1", "coco", "annotations/captions_train2014.json"),
        ("voc-fs-1", "voc", "none are published"),
    ):
        task = tasks.load(name, "miniature", captioned, None if "lt" in name else 1)
        assert LMPT().skip(task) is None and task.dataset == dataset
        reason = LMPT().skip(replace(task, train=replace(task.train, captions=None)))
        assert "no captions" in reason and wanted in reason and "\n" not in reason
