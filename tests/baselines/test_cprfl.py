"""CPRFL as a method: what it trains, at which rate, from which text, and that it repeats."""

import pytest
import torch

from baselines.cprfl import CPRFL
from benchmark.clip.image_features import image_features
from benchmark.clip.prompts import encode_template
from benchmark.common.errors import InputError
from benchmark.method import losses
from benchmark.method.discovery import hyperparameters
from benchmark.method.inputs import picture_parts
from tests.helpers import drawn_images
from tests.helpers.plain_training import PLAIN

QUICK = PLAIN | {"epochs": 2, "cycle": 0, "lr": 1e-4, "batch_size": 6}


def fitted(data, folder, identity="test", **options):
    method, run = CPRFL(**(QUICK | options)), drawn_images.run(folder, identity)
    method.fit(data, run)
    return method, run


def test_scores_are_the_heads_of_clips_places_and_of_text_that_is_not_normalised(tmp_path):
    data = drawn_images.images(tmp_path, 6)
    method, run = fitted(data, tmp_path, epochs=0)
    (pictures,) = picture_parts(run, data.images)
    with torch.no_grad():
        places = image_features(run.clip.visual, pictures, "tokens")[1]
        text = encode_template(run.clip, data.class_names, "a photo of a {}.")
        assert text.norm(dim=1).sub(1).abs().min() > 0.01
        expected = method.head.eval()(places, text)
        other = method.head(places, torch.nn.functional.normalize(text, dim=-1))
    found = method.predict(data.images, run)
    assert torch.equal(found, expected) and not torch.allclose(found, other, rtol=1e-3)


@pytest.mark.parametrize("text", ["frozen", "trained"])
def test_trunk_and_head_are_trained_whole_and_the_text_tower_if_asked(text, tmp_path):
    data = drawn_images.images(tmp_path, 6)
    before, run = fitted(data, tmp_path, epochs=0, text=text)
    after, _ = fitted(data, tmp_path, text=text)
    for part in ("places", "head"):
        old, new = (dict(getattr(m, part).named_parameters()) for m in (before, after))
        assert old.keys() == new.keys() and len(old) > 5
        assert not [name for name in old if torch.equal(old[name], new[name])]
    trained = text == "trained"
    assert after.names().requires_grad == trained
    assert torch.equal(before.names(), after.names()) != trained
    assert not any(p.requires_grad for p in run.clip.model.parameters())


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_the_trunk_may_have_a_lower_rate_than_the_head(rate, tmp_path):
    """At the first step Adam moves each weight by its rate, decay and sign of gradient alone."""
    data = drawn_images.images(tmp_path, 6)
    options = {"epochs": 1, "weight_decay": 0.0, "trunk_rate": rate}
    before, _ = fitted(data, tmp_path, epochs=0)
    after, _ = fitted(data, tmp_path, **options)
    for part, expected in (("places", rate * QUICK["lr"]), ("head", QUICK["lr"])):
        old, new = (dict(getattr(m, part).named_parameters()) for m in (before, after))
        moved = max((new[name] - old[name]).detach().abs().max().item() for name in old)
        assert moved == pytest.approx(expected, rel=1e-2, abs=1e-9), part


def test_the_loss_falls_and_is_the_mean_asymmetric_one(tmp_path):
    data = drawn_images.images(tmp_path, 6)
    method, run = fitted(data, tmp_path, epochs=8, lr=1e-3, trunk_rate=0.1, dropout=0.0)
    curve = [entry["loss"] for entry in run.curve]
    assert len(curve) == 8 and curve[-1] < curve[0] / 2
    start, _ = fitted(data, tmp_path, epochs=0, dropout=0.0)
    scores, labels = start.predict(data.images, run), torch.tensor(data.labels)
    first = losses.make_mean("asl", labels, "coco")(scores, labels)
    assert curve[0] == pytest.approx(float(first), rel=1e-4)


def test_each_seed_has_a_head_and_a_dropout_of_its_own(tmp_path):
    data = drawn_images.images(tmp_path, 6)
    found = {}
    for identity in ("one", "other"):
        for dropout in (0.0, 0.3):
            torch.manual_seed(len(found))  # has no say
            method, run = fitted(data, tmp_path, identity, epochs=1, dropout=dropout)
            found[identity, dropout] = method.predict(data.images, run)
    again, run = fitted(data, tmp_path, "one", epochs=1, dropout=0.3)
    assert torch.equal(again.predict(data.images, run), found["one", 0.3])
    values = list(found.values())
    assert not any(torch.equal(a, b) for n, a in enumerate(values) for b in values[:n])


def test_widths_go_with_the_places_or_are_given(tmp_path):
    data = drawn_images.images(tmp_path, 5)
    space = drawn_images.miniature_clip().encode_text(["a photo"]).shape[1]
    for options, width, inner, mlp, hidden in (
        ({}, space, 2 * space, space, space // 2),
        ({"width": 32}, 32, 64, 32, 16),
        ({"width": 32, "heads": 3, "head_width": 5, "mlp_width": 7, "expand": 0.25}, 32, 15, 7, 8),
    ):
        method, run = fitted(data, tmp_path, epochs=0, **options)
        (block,) = method.head.blocks
        assert block.qkv.weight.shape == (3 * inner, width) and block.up.out_features == mlp
        assert method.head.prompts[0].out_features == hidden
        assert method.predict(data.images, run).shape == (5, 5)
    assert len(fitted(data, tmp_path, epochs=0, depth=3)[0].head.blocks) == 3


def test_the_code_s_widths_are_those_of_a_resnet_101():
    """2048 wide: heads of 512, an MLP of 2048, prompts by way of 1024."""
    method = CPRFL()
    shape = method.shape(places=2048, text=1024)
    assert (shape.width, shape.hidden, shape.heads, shape.head_width) == (2048, 1024, 8, 512)
    assert (shape.mlp, shape.depth) == (2048, 1)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"trunk": "resnet10"}, "^unknown value of trunk 'resnet10'; did you mean 'resnet101'"),
        ({"text": "thawed"}, "^unknown value of text 'thawed'"),
        ({"dropout_at": "mpl"}, "^unknown value of dropout_at 'mpl'; did you mean 'mlp'"),
        ({"loss": "asll"}, "^unknown loss 'asll'; did you mean 'asl'"),
        ({"heads": 0}, "^hyperparameter heads: 0 must be 1 or more"),
        ({"depth": 0}, "^hyperparameter depth: 0 must be 1 or more"),
        ({"dropout": 1.0}, "^hyperparameter dropout: 1.0 must be below 1"),
    ],
)
def test_bad_hyperparameters_are_named(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        fitted(drawn_images.images(tmp_path, 5), tmp_path, **options)


def test_defaults_are_the_released_code_s():
    expected = {
        "epochs": 79, "cycle": 80, "lr": 1e-5, "batch_size": 16, "weight_decay": 1e-4,
        "schedule": "onecycle", "ema": 0.998, "augment": "cutout+randaugment", "trunk_rate": 1.0,
        "dropout": 0.1, "dropout_at": "all", "heads": 8, "depth": 1, "expand": 0.5, "loss": "asl",
        "template": "a photo of a {}.",
    }  # fmt: skip
    assert expected.items() <= hyperparameters(CPRFL).items()
