"""The losses against the authors' values, and at their edges; see also test_loss_formulas.py."""

import math

import pytest
import torch
from safetensors.torch import load_file

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.method import losses

NAMES = [name for name in losses.NAMES if name != "bal"]  # see test_balanced_asymmetric.py
PARITY = environment.ROOT / "tests" / "parity_vectors" / "losses.safetensors"


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
    for name in NAMES:
        logits.grad = None
        losses.make(name, labels, "voc")(logits, labels).backward()
        assert torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0, name


@pytest.mark.parametrize("labels", [[[1.0, 0, 1]], [[0.0, 0, 0]], [[1.0, 1, 1], [1, 0, 1]]])
@pytest.mark.parametrize("name", NAMES)
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


def test_the_best_offset_is_finite_for_classes_of_every_image_or_of_none():
    labels = torch.tensor([[1.0, 0, 1, 0], [1, 0, 0, 0]])
    logits = 20 + torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    for name in NAMES:
        for rows in (2, 1):
            loss = losses.make(name, labels[:rows], "coco")
            offset = losses.best_offset(logits[:rows], labels[:rows], loss, steps=60)
            assert torch.isfinite(offset).all() and offset.abs().max() < 50, name


def test_every_loss_falls_towards_the_labels():
    _, labels, _ = example()
    labels[labels.sum(1) == 0, 0] = 1  # without a label the softmax has nothing to fall towards
    for name in NAMES:
        loss = losses.make(name, labels, "coco")
        good, bad = loss(6 * labels - 3, labels), loss(3 - 6 * labels, labels)
        # A softmax over k labels cannot go below log k.
        floor = (labels.sum(1).log()).mean() if name == "mls" else 0
        assert good - floor < (bad - floor) / 5, name
    two_way = torch.stack([3 - 6 * labels, 6 * labels - 3], dim=1)
    assert losses.two_way_asymmetric(two_way, labels) < losses.two_way_asymmetric(-two_way, labels)


@pytest.mark.parametrize(
    "name, dataset, options, message",
    [
        ("dbl", "coco", {}, r"^unknown loss 'dbl'; did you mean 'db'.*known: asl, bal, bce, "),
        ("db", "coc", {}, "^unknown data set for the constants of db 'coc'; did you mean 'coco'"),
        ("asl", "coco", {"gama_neg": 2.0}, "^unknown option of the loss asl 'gama_neg'; did you"),
        ("bce", "coco", {"gamma": 2.0}, "^unknown option of the loss bce 'gamma'; known: none"),
        ("cb-focal", "coco", {"class_counts": 1}, "^unknown option of the loss cb-focal"),
        ("cb-focal", "coco", {"beta": 1.0}, "beta 1.0 must be at least 0 and below 1"),
        ("cb-focal", "coco", {"by": "row"}, "^unknown weighting of cb-focal 'row'"),
        ("db", "coco", {"focal_on": "elements"}, "^unknown focal_on 'elements'; did you mean"),
        ("db*", "coco", {"positive": "count"}, "^positive: 'count' must be"),
    ],
)
def test_what_is_not_known_is_named_in_one_line(name, dataset, options, message):
    with pytest.raises(InputError, match=message) as caught:
        losses.make(name, torch.ones(2, 2), dataset, **options)
    assert "\n" not in str(caught.value)


def test_the_best_offset_of_bce_alone_is_the_log_odds():
    _, labels, counts = example()
    offset = losses.best_offset(torch.zeros(9, 5), labels, losses.make("bce", labels, "coco"))
    torch.testing.assert_close(offset, (counts / (9 - counts)).log(), rtol=0, atol=2e-3)
