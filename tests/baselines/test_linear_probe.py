"""The linear probe against scikit-learn, its choice of C, and a toy with a known answer."""

import types

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from baselines import linear_probe
from baselines.linear_probe import Head, LinearProbe
from benchmark import metrics
from benchmark.common.errors import InputError
from benchmark.data.images import ImageList, LabelledImages
from tests.helpers import drawn_images


def example(count=60, width=6, classes=3, noise=0.5, seed=0):
    """Features off the origin, labels by planes through their centre, and some noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, width)).astype(np.float32)
    planes = np.random.default_rng(7).normal(size=(width, classes))
    y = (x @ planes + noise * rng.normal(size=(count, classes)) > 0.5).astype(np.float32)
    return x + 5, y


def fake_run(**features):
    """A Run of which only the features of image lists, by their first path, are there."""
    return types.SimpleNamespace(
        features=lambda images: features[images.paths[0]], device="cpu", curve=[]
    )


FAST = {"iterations": 60, "folds": 2}


def labelled(name, x, y):
    names = tuple(f"class {k}" for k in range(y.shape[1]))
    return LabelledImages(ImageList(None, (name,) * len(x)), y, names)


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
def test_each_class_is_scikit_learns_logistic_regression(strength):
    x, y = example()
    head = Head(torch.from_numpy(x), torch.from_numpy(y))
    head.fit(strength, 1000)
    for k in range(y.shape[1]):
        theirs = LogisticRegression(C=strength, tol=1e-10, max_iter=10000)
        theirs.fit(x.astype(np.float64), y[:, k])
        np.testing.assert_allclose(head.weight[k].numpy(), theirs.coef_[0], rtol=1e-3, atol=1e-4)
        expected = theirs.decision_function(x)
        np.testing.assert_allclose(
            head(torch.from_numpy(x))[:, k].numpy(), expected, rtol=1e-3, atol=1e-3
        )


def test_going_on_from_another_strength_ends_where_a_fresh_fit_ends():
    x, y = map(torch.from_numpy, example())
    one, other = Head(x, y), Head(x, y)
    for strength in (1e-4, 1e-2, 1.0):
        one.fit(strength, 1000)
    other.fit(1.0, 1000)
    torch.testing.assert_close(one.weight, other.weight, rtol=1e-3, atol=1e-4)


def test_a_class_of_every_image_or_of_none_is_a_constant_and_harms_no_other():
    x, y = map(torch.from_numpy, example())
    alone = Head(x, y)
    alone.fit(1.0, 1000)
    with_them = Head(x, torch.cat([y, torch.zeros(60, 1), torch.ones(60, 1)], 1))
    with_them.fit(1.0, 1000)
    torch.testing.assert_close(with_them(x)[:, :3], alone(x), rtol=1e-3, atol=1e-3)
    none, every = with_them(x)[:, 3:].unbind(1)
    assert (none == none[0]).all() and (every == every[0]).all() and none[0] < -4 < 4 < every[0]


def test_it_finds_the_planes_that_made_the_labels():
    (x, y), (more, truth) = example(200, noise=0.0), example(200, noise=0.0, seed=1)
    run = fake_run(train=x, test=more)
    method = LinearProbe(**FAST)
    method.fit(labelled("train", x, y), run)
    scores = method.predict(labelled("test", more, truth).images, run)
    assert metrics.evaluate(scores.numpy(), truth, {}).metrics["map"] > 99
    assert ((scores > 0.5).numpy() == truth).mean() > 0.96
    losses = [entry["loss"] for entry in run.curve]
    assert len(losses) > 1 and losses[-1] < losses[0]


def test_c_is_small_where_features_are_noise_and_large_where_they_tell():
    chosen = {}
    for noise in (0.0, 8.0):
        x, y = example(80, width=30, noise=noise, seed=3)
        method = LinearProbe(**FAST)
        method.fit(labelled("train", x, y), fake_run(train=x))
        chosen[noise] = method.chosen
    assert chosen[8.0] < chosen[0.0] / 5, chosen


def test_c_has_the_best_held_out_precision_of_those_tried(monkeypatch):
    """A made-up score with its peak at 10^-1.5 is found, and few trials are weaker than that."""
    tried = []

    def score(self, heads, x, labels, fold, exponent):
        tried.append(exponent)
        return -abs(exponent + 1.5)

    monkeypatch.setattr(LinearProbe, "_score", score)
    x, y = example()
    method = LinearProbe(iterations=5)
    method.fit(labelled("train", x, y), fake_run(train=x))
    assert method.chosen == pytest.approx(10**-1.5)
    assert tried[:5] == [-6, -4, -2, 0, 2] and max(tried) == 2


def test_test_images_do_not_enter_and_nothing_is_random():
    x, y = example()
    results = []
    for other in (x[:5], x[:5] + 100):
        run = fake_run(train=x, test=other)
        method = LinearProbe(**FAST)
        method.fit(labelled("train", x, y), run)
        results.append((method.chosen, method.head.weight, run.curve))
    assert results[0][0] == results[1][0] and results[0][2] == results[1][2]
    assert torch.equal(results[0][1], results[1][1])


def test_a_rare_class_is_spread_over_the_folds():
    labels = np.zeros((40, 3), np.float32)
    labels[:, 0] = 1
    labels[:4, 1] = 1
    labels[10:22, 2] = 1
    fold = linear_probe.folds(labels, 4)
    assert sorted(fold[:4]) == [0, 1, 2, 3]
    assert np.bincount(fold).tolist() == [10] * 4
    assert np.bincount(fold[10:22]).tolist() == [3] * 4


def test_one_shot_takes_the_fixed_c_as_nothing_can_be_held_out():
    x, _ = example(4)
    method = LinearProbe()
    run = fake_run(train=x)
    method.fit(labelled("train", x, np.eye(4, dtype=np.float32)), run)
    assert method.chosen == 0.316
    assert torch.equal(method.head(torch.from_numpy(x)).argmax(1), torch.arange(4))


@pytest.mark.parametrize("options", [{"folds": 1}, {"strength": -1.0}, {"iterations": 0}])
def test_bad_hyperparameters_are_named(options):
    x, y = example()
    with pytest.raises(InputError, match=f"linear_probe: .*{next(iter(options.values()))}"):
        LinearProbe(**options).fit(labelled("train", x, y), fake_run(train=x))


def test_the_frozen_clip_stays_and_pictures_are_told_apart(tmp_path):
    clip = drawn_images.miniature_clip()
    before = {k: v.clone() for k, v in clip.model.state_dict().items()}
    data, test = drawn_images.images(tmp_path, 30), drawn_images.images(tmp_path, 20, seed=1)
    run = drawn_images.run(tmp_path)
    method = LinearProbe(**FAST)
    method.fit(data, run)
    scores = method.predict(test.images, run)
    assert all(torch.equal(v, before[k]) for k, v in clip.model.state_dict().items())
    assert scores.min() >= 0 and scores.max() <= 1
    assert metrics.evaluate(scores.numpy(), test.labels, {}).metrics["map"] > 80
