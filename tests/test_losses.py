"""The losses against the authors' values, against their formulas in plain loops, and at edges."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from baselines.coop import _best_offset
from benchmark import losses

PARITY = Path(__file__).parent / "data" / "parity" / "losses.safetensors"


def check(loss_of, vectors, key, value):
    x = vectors["x"].clone().requires_grad_()
    loss = loss_of(x, vectors["y"])
    loss.backward()
    torch.testing.assert_close(loss.detach(), vectors[f"{key}.{value}"][0], rtol=1e-5, atol=0)
    grad = vectors[f"{key}.grad"]
    assert (x.grad - grad).abs().max() <= 1e-5 * grad.abs().max()


@pytest.mark.parametrize("dataset", ["coco", "voc"])
@pytest.mark.parametrize("focal", [0, 1])
def test_distribution_balanced_loss_equals_its_authors(dataset, focal):
    vectors = load_file(PARITY)
    loss = losses.DistributionBalanced(
        vectors["class_count"],
        int(vectors["num_train"][0]),
        **losses.DB_CONSTANTS[dataset],
        gamma=2.0 * focal,
        balance=1.0 + focal,
    )
    check(loss, vectors, f"db.{dataset}.focal{focal}", "mean_loss")


@pytest.mark.parametrize("gammas", [(2, 1), (4, 0)])
def test_asymmetric_loss_equals_its_authors_but_for_the_mean_over_images(gammas):
    vectors = load_file(PARITY)
    key = "asl_sigmoid_sum.gneg{}_gpos{}_clip0.05".format(*gammas)
    check(lambda x, y: losses.asymmetric(x, y, *gammas) * len(x), vectors, key, "loss")


def example():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(9, 5, generator=generator)
    labels = (torch.rand(9, 5, generator=generator) < 0.4).float()
    return logits, labels, labels.sum(0)


@pytest.mark.parametrize("positive", ["frequency", 5.0])
def test_db_star_element_by_element(positive):
    logits, labels, counts = example()
    loss = losses.DistributionBalanced(counts, 9, mu=0.3, neg_scale=5.0, positive=positive)
    total = 0.0
    for s, y in zip(logits.tolist(), labels.tolist(), strict=True):
        inverse = sum(yi / ni for yi, ni in zip(y, counts.tolist(), strict=True))
        for i, n in enumerate(counts.tolist()):
            p = (1 / n) / inverse if inverse else math.inf
            r = 0.1 + 1 / (1 + math.exp(-10 * (p - 0.3))) if math.isfinite(p) else 1.1
            x = s[i] - math.log(9 / n - 1) * 0.05 / 5
            w = n / counts.max().item() if positive == "frequency" else positive
            z = w * x if y[i] else -5 * x
            entropy = math.log(1 + math.exp(-z))
            focal = (1 - math.exp(-entropy)) ** 2
            total += 2 * r * focal * entropy / (1 if y[i] else 5)
    assert loss(logits, labels).item() == pytest.approx(total / labels.numel(), rel=1e-5)


def test_focal_on_the_batch_is_the_released_helper():
    logits, labels, counts = example()
    options = {"mu": 0.2, "neg_scale": 2.0}
    plain = losses.DistributionBalanced(counts, 9, **options, gamma=0, balance=1)
    mean_entropy_of = torch.nn.functional.binary_cross_entropy_with_logits
    x = (logits + plain.bias) * (labels + 2 * (1 - labels))
    focal = (1 - torch.exp(-mean_entropy_of(x, labels))) ** 2
    released = losses.DistributionBalanced(counts, 9, **options, focal_on="batch")
    torch.testing.assert_close(
        released(logits, labels), 2 * focal * plain(logits, labels), rtol=1e-5, atol=0
    )


def test_a_class_of_every_image_or_of_none_gives_finite_gradients():
    logits = torch.zeros(4, 3, requires_grad=True)
    labels = torch.tensor([[1.0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 1]])
    for name in ("db", "db*", "asl", "bce"):
        logits.grad = None
        losses.make(name, labels, "voc")(logits, labels).backward()
        assert torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0, name


@pytest.mark.parametrize("labels", [[[1.0, 0, 1]], [[0.0, 0, 0]], [[1.0, 1, 1], [1, 0, 1]]])
@pytest.mark.parametrize("name", ["db", "db*", "asl", "bce"])
def test_a_training_list_of_one_or_two_images_gives_finite_losses_and_gradients(name, labels):
    """Few shots, or a data set restricted to the images at hand: classes without a positive."""
    labels = torch.tensor(labels)
    logits = torch.linspace(-30, 30, labels.numel()).view_as(labels).requires_grad_()
    loss = losses.make(name, labels, "coco")(logits, labels)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()


def test_the_clamp_of_the_class_counts_changes_nothing_where_the_bias_was_finite():
    counts = torch.tensor([1.0, 3, 9, 10, 0])
    bias = losses.DistributionBalanced(counts, 10, mu=0.2, neg_scale=2.0).bias
    expected = [-math.log(10 / n - 1) * 0.05 / 2 for n in (1, 3, 9, 9, 1)]
    assert bias.tolist() == pytest.approx(
        [*expected[:3], -math.log(10 / 9 - 1) * 0.025, expected[4]]
    )


def test_coops_offset_is_finite_for_classes_of_every_image_or_of_none():
    labels = torch.tensor([[1.0, 0, 1, 0], [1, 0, 0, 0]])
    logits = 20 + torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    for name in ("db", "db*", "asl", "bce"):
        for rows in (2, 1):
            loss = losses.make(name, labels[:rows], "coco")
            offset = _best_offset(logits[:rows], labels[:rows], loss)
            assert torch.isfinite(offset).all() and offset.abs().max() < 50, name


def test_every_loss_falls_towards_the_labels():
    _, labels, _ = example()
    for name in ("db", "asl", "bce"):
        loss = losses.make(name, labels, "coco")
        good, bad = loss(6 * labels - 3, labels), loss(3 - 6 * labels, labels)
        assert good < bad / 5, name
    two_way = torch.stack([3 - 6 * labels, 6 * labels - 3], dim=1)
    assert losses.two_way_asymmetric(two_way, labels) < losses.two_way_asymmetric(-two_way, labels)


def test_an_unknown_loss_is_named():
    with pytest.raises(ValueError, match="unknown 'dbl'; known: bce, asl, db, db"):
        losses.make("dbl", torch.ones(2, 2), "coco")
