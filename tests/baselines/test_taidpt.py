"""TaI-DPT: the ranking loss, the pooling, labels found in captions, a toy with a known answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from baselines.taidpt import TaIDPT, pooled, ranking
from benchmark.clip.caption_features import Texts
from benchmark.common.errors import InputError
from benchmark.data import caption_labels, tasks
from benchmark.data.annotations import VOC_CLASSES
from benchmark.miniature import concepts
from tests.helpers import drawn_images, prompt_task


def test_the_ranking_loss_is_its_definition():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(5, 6)), rng.integers(0, 2, (5, 6))
    labels[0] = 0  # no positive: no pair
    total = 0.0
    for s, y in zip(scores, labels, strict=True):
        for p in np.flatnonzero(y):
            for n in np.flatnonzero(1 - y):
                total += max(0.0, 1.5 - s[p] + s[n])
    found = ranking(torch.from_numpy(scores), torch.from_numpy(labels).double(), 1.5)
    np.testing.assert_allclose(float(found), total / 5)


def test_pooling_weights_places_by_the_cosine_and_leaves_out_padding():
    rng = np.random.default_rng(1)
    places, text = (rng.normal(size=s) for s in ((2, 4, 3), (5, 3)))
    there = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool)
    expected = np.zeros((2, 5))
    for b in range(2):
        for c in range(5):
            cosine = places[b, there[b]] @ text[c]
            weight = np.exp(3 * cosine)
            expected[b, c] = (weight / weight.sum()) @ cosine
    tensors = (torch.from_numpy(x) for x in (places, text))
    found = pooled(*tensors, 3.0, torch.from_numpy(there))
    np.testing.assert_allclose(found.numpy(), expected)


def test_labels_are_the_classes_that_a_caption_names():
    classes = ["person", "dog", "bear", "teddy bear", "mouse", "bus"]
    said = [
        "Two men and a dog.",
        "a hot dog on a plate",
        "A teddy bear next to a bear",
        "mice, buses and dogs",
        "nothing of all this, dogged",
    ]
    expected = [[1, 1, 0, 0, 0, 0], [0] * 6, [0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 1], [0] * 6]
    assert caption_labels.labels(said, classes).tolist() == expected
    voc = caption_labels.labels(["a sofa and a motorcycle", "a dining table, a tv"], VOC_CLASSES)
    named = [{VOC_CLASSES[k] for k in np.flatnonzero(row)} for row in voc]
    assert named == [{"sofa", "motorbike"}, {"diningtable", "tvmonitor"}]
    assert caption_labels.labels(["a zork and two zorks"], ["zork"]).tolist() == [[1]]


def test_every_class_is_found_by_its_own_name_alone():
    names = list(concepts.load())
    assert np.array_equal(
        caption_labels.labels([f"a {name}." for name in names], names), np.eye(80)
    )


def test_prompts_learned_from_captions_rank_unseen_captions_and_images():
    """Captions of the toy's classes: every pair is ranked with the margin, on other texts too."""
    clip = drawn_images.miniature_clip()
    told = [f"look at this {name} at home" for name in prompt_task.NAMES]
    toy, data = prompt_task.made(Texts(clip, told).eos)
    method = TaIDPT(epochs=30, lr=0.03, warmup=0, context=4, batch_size=10)
    method.fit(data, toy)
    losses = [c["loss"] for c in toy.curve]
    assert losses[-1] < 0.7 * losses[0], losses
    assert prompt_task.mean_ap(method.predict(data.images, toy), data) == 100
    unseen = F.normalize(Texts(clip, [f"one {name}" for name in prompt_task.NAMES]).eos, dim=-1)
    text = F.normalize(method.encoder(method.contexts[0].detach()), dim=-1)
    cosine = method.scale * unseen @ text.T
    assert torch.equal(cosine.argmax(1), torch.arange(len(cosine)))


def test_images_are_not_looked_at_in_training():
    toy, data = prompt_task.under_hidden()
    method = TaIDPT(epochs=2, context=4)
    toy.features = None  # would fail if called
    method.fit(data, toy)
    assert len(toy.curve) == 2


def test_an_images_score_is_the_mean_of_both_views():
    toy, data = prompt_task.under_hidden()
    method = TaIDPT(epochs=0, context=4)
    method.fit(data, toy)
    with torch.no_grad():
        text = [F.normalize(method.encoder(c), dim=-1) for c in method.contexts]
        local = pooled(toy.places, text[1], 40.0)
        expected = 4.0 * (toy.whole @ text[0].T + local) / 2
    torch.testing.assert_close(method.predict(data.images, toy), expected)


def test_captions_that_name_nothing_are_left_out_and_none_is_an_error():
    toy, data = prompt_task.under_hidden()
    texts, labels = TaIDPT()._captions(replace(data, captions=("a sky. a dog! a car",) * 50))
    assert len(texts) == 100 and set(texts) == {"a dog!", "a car"} and labels.sum() == 100
    with pytest.raises(InputError, match="no caption names a class") as caught:
        TaIDPT().fit(replace(data, captions=("a sky",) * 50), toy)
    assert "\n" not in str(caught.value)


def test_it_skips_tasks_without_captions(captioned):
    task = tasks.load("voc-fs-1", "miniature", captioned, 1)
    assert TaIDPT().skip(task) is None
    bare = replace(task, train=replace(task.train, captions=None))
    assert "no captions" in TaIDPT().skip(bare)
