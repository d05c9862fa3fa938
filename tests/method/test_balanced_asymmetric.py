"""LM-CLIP's loss `bal`: its definition, what passes a gradient, and where it has no number."""

from __future__ import annotations

import math

import pytest
import torch

from benchmark.common.errors import InputError
from benchmark.method import losses
from benchmark.method.losses.balanced_asymmetric import class_weights

OPTIONS = {"gamma_neg": 9.8, "smoothing": 0.1, "power": 1.6}


def example(rows=7, classes=5):
    generator = torch.Generator().manual_seed(0)
    scores = 20 * torch.rand(rows, classes, generator=generator, dtype=torch.float64) + 5
    labels = (torch.rand(rows, classes, generator=generator) < 0.4).double()
    return scores.requires_grad_(), labels


def loss_of(labels, **options):
    return losses.make("bal", labels, "coco", **(OPTIONS | options))


def by_hand(scores, labels, gamma_neg, smoothing, power):
    """The formula of the facts, an element at a time."""
    rows, classes = labels.shape
    counts = [max(float(labels[:, c].sum()), 1) for c in range(classes)]
    weights = [(rows / n) ** power for n in counts]
    largest, total = float(scores.detach().max()), 0.0
    for row, known in zip(scores.tolist(), labels.tolist(), strict=True):
        for c, (x, y) in enumerate(zip(row, known, strict=True)):
            p = 1 / (1 + math.exp(-x / largest))
            q, t, n = min(1.05 - p, 1), (1 - smoothing) * y + smoothing / classes, 1 - y
            likely = (1 + (weights[c] / max(weights) if power else 0)) * t * math.log(p)
            focus = (1 - p * t - q * n) ** (gamma_neg * n)
            total -= (likely + n * math.log(q)) * focus
    return total / (rows * classes)


@pytest.mark.parametrize("options", [{}, {"smoothing": 0.0}, {"power": 0.0}, {"gamma_neg": 3.0}])
def test_it_is_its_definition(options):
    scores, labels = example()
    expected = by_hand(scores, labels, **(OPTIONS | options))
    found = loss_of(labels, **options)(scores, labels)
    torch.testing.assert_close(found.item(), expected)


def test_the_largest_score_and_the_focusing_factor_pass_a_gradient():
    scores, labels = example(4, 3)
    assert torch.autograd.gradcheck(lambda x: loss_of(labels)(x, labels), scores)
    (slope,) = torch.autograd.grad(loss_of(labels)(scores, labels), [scores])
    # The loss knows scores by their ratio to the largest alone (Euler's theorem, degree 0).
    assert float((scores * slope).sum().detach()) == pytest.approx(0, abs=1e-12)


def test_the_largest_score_is_that_of_the_whole_batch():
    scores, labels = example()
    loss = loss_of(labels)
    alone = torch.stack([loss(x[None], y[None]) for x, y in zip(scores, labels, strict=True)])
    assert abs((alone.mean() - loss(scores, labels)).item()) > 1e-3


def test_weights_are_one_for_the_rarest_class():
    counts = torch.tensor([8.0, 2.0, 0.0])
    expected = torch.tensor([(1 / 8) ** 1.6, (1 / 2) ** 1.6, 1.0], dtype=torch.float64)
    torch.testing.assert_close(class_weights(counts, 8, 1.6), expected)


def test_where_it_has_no_number_it_says_so():
    labels = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    far = torch.tensor([[1.0, -3.5, 0.5], [0.2, 0.1, 0.4]])
    with pytest.raises(ValueError, match="-3.5 times its batch's largest; take a lower rate"):
        loss_of(labels)(far, labels)
    assert torch.isfinite(loss_of(labels, smoothing=0.0)(far, labels))
    for scores, why in ((-far.abs(), "no score of a batch is above 0"), (far / 0, "not finite")):
        with pytest.raises(ValueError, match=why):
            loss_of(labels)(scores, labels)


def test_scores_get_no_offset_as_only_their_ratio_counts():
    scores, labels = example()
    assert losses.best_offset(scores, labels, loss_of(labels)).tolist() == [0.0] * 5


def test_an_option_it_does_not_have_is_one_line():
    with pytest.raises(InputError, match="option of the loss bal 'gama_neg'; did you mean"):
        loss_of(example()[1], gama_neg=2.0)
