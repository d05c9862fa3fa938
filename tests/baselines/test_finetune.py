"""Fine-tuning: what it trains, where its head starts, what each loss does, a known answer."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from baselines.finetune import Finetune
from baselines.zeroshot import ZeroShot
from benchmark import metrics
from benchmark.common.errors import InputError
from benchmark.method import losses
from benchmark.method.discovery import hyperparameters
from hpdval.hpdval import HPDVAL
from tests.helpers import drawn_images
from tests.helpers.plain_training import PLAIN

QUICK = PLAIN | {"epochs": 2, "lr": 1e-4, "batch_size": 6}


def fitted(data, folder, **options):
    method, run = Finetune(**(QUICK | options)), drawn_images.run(folder)
    method.fit(data, run)
    return method, run


def test_encoder_and_head_change_and_the_frozen_clip_does_not(tmp_path):
    clip = drawn_images.miniature_clip()
    before = {k: v.clone() for k, v in clip.model.state_dict().items()}
    method, run = fitted(drawn_images.images(tmp_path, 6), tmp_path)
    after = clip.model.state_dict()
    assert all(torch.equal(v, before[k]) for k, v in after.items())
    assert not any(p.requires_grad or p.grad is not None for p in clip.model.parameters())
    frozen = dict(clip.visual.named_parameters())
    own = dict(method.encoder.named_parameters())
    assert set(own) == set(frozen)
    assert not set(map(torch.Tensor.data_ptr, own.values())) & set(
        map(torch.Tensor.data_ptr, frozen.values())
    )
    still = [name for name in own if torch.equal(own[name], frozen[name])]
    assert not still, "the whole encoder is trained"
    assert method.weight.abs().sum() > 0
    assert all(torch.equal(v, clip.visual.get_buffer(k)) for k, v in method.encoder.named_buffers())


def test_a_head_of_text_is_zero_shot_at_step_0_but_for_an_offset_a_class(tmp_path):
    data = drawn_images.images(tmp_path, 12)
    method, run = fitted(data, tmp_path, epochs=0, head="text")
    zeroshot = ZeroShot()
    zeroshot.fit(data, run)
    apart = method.predict(data.images, run) - zeroshot.predict(data.images, run)
    torch.testing.assert_close(apart, apart[:1].expand_as(apart), rtol=0, atol=1e-3)


def test_a_head_of_zeros_knows_the_class_frequencies_alone_at_step_0(tmp_path):
    data = drawn_images.images(tmp_path, 12)
    method, run = fitted(data, tmp_path, epochs=0)
    scores = method.predict(data.images, run)
    rate = torch.tensor(data.labels).mean(0)
    torch.testing.assert_close(scores.sigmoid(), rate.expand_as(scores), rtol=0, atol=5e-3)


def test_the_class_names_do_not_matter_to_a_head_of_zeros(tmp_path):
    """Another name, the same result: no text enters. A head of text does change."""
    data = drawn_images.images(tmp_path, 6)
    renamed = dataclasses.replace(data, class_names=data.class_names[::-1])
    same = {}
    for head in ("zeros", "text"):
        results = []
        for train in (data, renamed):
            method, run = fitted(train, tmp_path, epochs=1, head=head)
            results.append(method.predict(data.images, run))
        same[head] = torch.equal(*results)
    assert same == {"zeros": True, "text": False}


def test_it_learns_labels_that_clip_does_not_know(tmp_path):
    """The class is which half of the picture is black, which no class name says."""
    data = drawn_images.images(tmp_path, 16)
    side = np.arange(16) % 2
    labels = np.eye(2, dtype=np.float32)[side]
    data = dataclasses.replace(data, labels=labels, class_names=("dog", "car"))
    run = drawn_images.run(tmp_path)
    pixels = np.array(run.pixels(data.images))
    middle = pixels.shape[-1] // 2
    pixels[side == 0, ..., :middle] = 0
    pixels[side == 1, ..., middle:] = 0
    run.pixels = lambda images: pixels
    run.training_pixels = lambda images, augment: torch.from_numpy(pixels).__getitem__
    method = Finetune(epochs=8, lr=5e-4, batch_size=8, **PLAIN)
    method.fit(data, run)
    scores = method.predict(data.images, run)
    assert metrics.evaluate(scores.numpy(), labels, {}).metrics["map"] > 95
    curve = [entry["loss"] for entry in run.curve]
    assert len(curve) == 8 and curve[-1] < curve[0] / 2


def test_each_loss_falls_and_trains_another_classifier(tmp_path):
    data = drawn_images.images(tmp_path, 6)
    found = {}
    for loss in losses.NAMES:
        head = "text" if loss == "bal" else "zeros"  # it compares scores, of which zeros have none
        method, run = fitted(data, tmp_path, loss=loss, head=head)
        first, last = (entry["loss"] for entry in run.curve)
        assert last < first, loss
        found[loss] = method.predict(data.images, run)
    for one, other in itertools.combinations(losses.NAMES, 2):
        assert not torch.equal(found[one], found[other]), (one, other)


def test_an_augmentation_and_the_average_of_weights_reach_the_training(tmp_path):
    data = drawn_images.images(tmp_path, 6)
    plain, run = fitted(data, tmp_path)
    for options in ({"augment": "flip"}, {"ema": 0.9}, {"schedule": "onecycle"}):
        other, _ = fitted(data, tmp_path, **options)
        assert not torch.equal(plain.predict(data.images, run), other.predict(data.images, run))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"head": "txt"}, "^unknown head of finetune 'txt'; did you mean 'text'"),
        ({"loss": "focall"}, "^unknown loss 'focall'; did you mean 'focal'"),
    ],
)
def test_bad_hyperparameters_are_named(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        fitted(drawn_images.images(tmp_path, 5), tmp_path, **options)


def test_it_is_trained_as_the_first_stage_of_hp_dval():
    """What sets them apart is language and the local view alone."""
    ours, theirs = hyperparameters(Finetune), hyperparameters(HPDVAL)
    for name in ("batch_size", "weight_decay", "schedule", "ema", "augment"):
        assert ours[name] == theirs[name], name
    for name in ("epochs", "lr"):
        assert ours[name] == theirs[f"stage1_{name}"], name
