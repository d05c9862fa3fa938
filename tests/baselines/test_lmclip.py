"""LM-CLIP: draws by rarity, captions of labels, a text tower in training, what is trained."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from baselines.lmclip import (
    LMCLIP,
    TextEncoder,
    caption,
    contrastive,
    sample_weights,
    shortened,
)
from benchmark.clip.packing import text_features
from benchmark.clip.prompts import tower_of
from benchmark.common.errors import InputError
from benchmark.method import training
from tests.helpers import drawn_images

QUICK = {"epochs": 1, "lr": 1e-4, "batch_size": 6, "augment": "none"}
TEMPLATE = LMCLIP.template


def labels(count=40, classes=6):
    dice = np.random.default_rng(0)
    found = dice.random((count, classes)) < np.linspace(0.7, 0.05, classes)
    found[0] = False
    return torch.from_numpy(found).float()


def test_images_are_weighted_by_the_rarity_of_all_their_labels():
    known = labels()
    counts = known.sum(0).tolist()
    sums = [sum(40 / n for n, y in zip(counts, row, strict=True) if y) for row in known.tolist()]
    expected = np.array([s**1.35 for s in sums])
    found = sample_weights(known, 1.35)
    np.testing.assert_allclose(found.numpy(), expected / expected.max(), rtol=1e-12)
    assert found.dtype == torch.float64 and found[0] == 0


def test_class_counts_of_many_draws_are_those_that_the_weights_say():
    known, draws = labels(), 4000
    weights = sample_weights(known, 1.35)
    chance = weights / weights.sum()
    order = torch.Generator().manual_seed(1)
    drawn = torch.cat([training.drawn(40, weights, order) for _ in range(draws // 40)])
    assert len(drawn) == draws and 0 not in drawn
    expected = draws * (chance @ known.double())
    spread = (draws * (chance @ known.double()) * (1 - chance @ known.double())).sqrt()
    assert ((known[drawn].sum(0) - expected).abs() < 4 * spread).all()


def test_draws_depend_on_unit_and_stage_alone(tmp_path):
    run, weights = drawn_images.run(tmp_path), sample_weights(labels(), 1.0)

    def seen(stage):
        found = []

        def loss_of(indices):
            found.append(indices.tolist())
            return parameter.sum()

        parameter = torch.nn.Parameter(torch.zeros(2))
        recipe = training.Recipe(epochs=2, lr=0.1, batch_size=8)
        training.train([parameter], loss_of, 40, recipe, run, stage, chances=weights)
        return found

    first = seen("fine-tuning")
    torch.manual_seed(123)
    assert seen("fine-tuning") == first != seen("other")
    assert [len(batch) for batch in first] == [8] * 10
    assert max(Counter(sum(first[:5], [])).values()) > 1  # with replacement


def test_a_caption_names_all_labels_and_loses_its_last_words_where_there_is_no_room():
    assert caption(["person", "traffic_light"], TEMPLATE) == "a photo of a person, traffic light"
    tokenizer = drawn_images.miniature_clip().tokenizer
    long = caption([f"dog {n}" for n in range(60)], TEMPLATE)
    short = shortened(long, tokenizer)
    assert long.startswith(short) and short != long
    assert len(tokenizer.encode(short)) + 2 <= tokenizer.context_length
    assert len(tokenizer.encode(long[: len(short) + 7])) + 2 > tokenizer.context_length - 3


def test_the_contrastive_loss_is_its_definition_and_equal_texts_stay_apart():
    generator = torch.Generator().manual_seed(0)
    image, text = (
        F.normalize(torch.randn(5, 8, generator=generator), dim=-1).double() for _ in range(2)
    )
    text[3] = text[1]
    similarity = (20.0 * image @ text.T).exp()
    ratio = similarity.diag() / similarity.sum(1), similarity.diag() / similarity.sum(0)
    expected = -(ratio[0].log().mean() + ratio[1].log().mean()) / 2
    torch.testing.assert_close(contrastive(image, text, torch.tensor(20.0).double()), expected)


CAPTIONS = (
    "a photo of a dog",
    "a photo of a cat, traffic light",
    "a photo of a dog",
    "a photo of a",
)


def encoders():
    """The fast road and the plain one, and a double-precision model for each."""
    clip = drawn_images.miniature_clip()
    prompts = clip.tokenizer([caption([name], TEMPLATE) for name in ("dog", "cat", "bus")])
    said = clip.tokenizer(CAPTIONS)
    return [(TextEncoder(prompts, said, plain), clip.trainable().double()) for plain in (0, 1)]


def test_a_text_tower_in_training_is_encoded_exactly_in_value_and_gradient():
    found = []
    for encode, model in encoders():
        classes, captions = encode(model, torch.tensor([1, 0, 3, 2, 0]))
        (torch.cat([classes, captions]).sin() * torch.arange(1, 9)[:, None]).sum().backward()
        slopes = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        found.append((classes, captions, slopes))
    (classes, captions, fast), (theirs, said, plain) = found
    torch.testing.assert_close(classes, theirs, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(captions, said, rtol=1e-10, atol=1e-12)
    assert fast.keys() == plain.keys() and len(fast) > 20
    for name, slope in plain.items():
        torch.testing.assert_close(fast[name], slope, rtol=1e-9, atol=1e-11, msg=name)


def test_what_is_said_twice_is_encoded_once(monkeypatch):
    (encode, model), _ = encoders()
    rows = []

    def counted(tower, tokens):
        rows.append(len(tokens))
        return text_features(tower, tokens)

    monkeypatch.setattr("baselines.lmclip.text_features", counted)
    classes, captions = encode(model, torch.tensor([0, 2, 1]))
    assert rows == [4] and torch.equal(captions[0], captions[1])
    assert torch.equal(captions[0], classes[0])


def fitted(folder, plain=False, count=8, **options):
    data, run = drawn_images.images(folder, count), drawn_images.run(folder)
    run.clip = copy.copy(run.clip)
    run.clip.plain_text = plain
    method = LMCLIP(**(QUICK | options))
    method.fit(data, run)
    return method, data, run


def test_all_of_clip_is_trained_and_the_frozen_one_is_not(tmp_path):
    method, _, run = fitted(tmp_path)
    run.clip.check_frozen()
    frozen = dict(run.clip.model.named_parameters())
    own = dict(method.model.named_parameters())
    assert own.keys() == frozen.keys()
    assert not [name for name in own if torch.equal(own[name], frozen[name])]
    assert tower_of(method.model) is not tower_of(run.clip.model)


def test_without_training_it_is_zero_shot_clip(tmp_path):
    method, data, run = fitted(tmp_path, epochs=0)
    text = run.clip.encode_text([caption([name], TEMPLATE) for name in data.class_names])
    image = torch.from_numpy(np.array(run.features(data.images)))
    expected = run.clip.logit_scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    found = method.predict(data.images, run)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_it_learns_the_same_on_both_roads(tmp_path):
    scores = []
    for plain in (False, True):
        method, data, run = fitted(tmp_path, plain)
        scores.append(method.predict(data.images, run))
    torch.testing.assert_close(*scores, rtol=1e-3, atol=2e-2)


def test_each_component_can_be_left_out_but_not_both(tmp_path):
    seen = set()
    for options in ({}, {"balanced": 0.0}, {"contrastive": False}, {"loss": "asl"}):
        _, _, run = fitted(tmp_path, **options)
        seen.add(round(run.curve[-1]["loss"], 4))
    assert len(seen) == 4
    with pytest.raises(InputError, match="no loss is left; set contrastive or balanced"):
        fitted(tmp_path, contrastive=False, balanced=0.0)
