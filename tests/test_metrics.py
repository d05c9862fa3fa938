"""The metric against its definition, and what must not change it."""

import numpy as np
import pytest

from benchmark import metrics


def by_definition(scores, labels):
    """AP in percent: sum over distinct thresholds of (gain in recall) x precision."""
    precision_gain, found = 0.0, 0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        hits = int(labels[chosen].sum())
        precision_gain += (hits - found) / labels.sum() * hits / chosen.sum()
        found = hits
    return 100 * precision_gain


@pytest.mark.parametrize("scale, shift", [(1, 0), (100, 0), (100, 20), (1e-3, -5)])
def test_average_precision_is_the_definition_on_scores_of_any_scale_with_ties(scale, shift):
    rng = np.random.default_rng(0)
    scores = (rng.integers(0, 12, (60, 7)) / 12 * scale + shift).astype(np.float32)
    labels = (rng.random((60, 7)) < 0.2).astype(float)
    expected = [by_definition(s, t) for s, t in zip(scores.T, labels.T, strict=True)]
    np.testing.assert_allclose(metrics.average_precision(scores, labels), expected, rtol=1e-9)


def test_an_absent_class_is_nan_left_out_and_counted():
    labels = np.array([[1, 0, 0], [0, 0, 1]], np.float32)
    scores = np.array([[1, 5, 0], [0, 9, 1]], np.float32)
    found = metrics.evaluate(scores, labels, {"head": (0, 1), "medium": (1,), "tail": (2,)})
    assert np.isnan(found.per_class[1])
    assert found.metrics["absent"] == 1
    assert found.metrics["map"] == found.metrics["head"] == found.metrics["tail"] == 100
    assert found.metrics["medium"] is None and found.metrics["novel"] is None


def test_total_is_the_mean_over_classes_and_var_their_population_variance():
    rng = np.random.default_rng(1)
    scores, labels = rng.random((50, 4)), (rng.random((50, 4)) < 0.3).astype(float)
    found = metrics.evaluate(scores, labels, {"head": (0,), "tail": (1, 2, 3)})
    assert found.metrics["map"] == pytest.approx(np.mean(found.per_class))
    assert found.metrics["tail"] == pytest.approx(np.mean(found.per_class[1:]))
    assert found.metrics["var"] == pytest.approx(np.var(found.per_class))


def test_softmax_over_classes_is_recorded_beside_and_ranks_differently():
    rng = np.random.default_rng(2)
    scores = 20 + 5 * rng.random((80, 5)).astype(np.float32)
    labels = (rng.random((80, 5)) < 0.3).astype(np.float32)
    raw = metrics.evaluate(scores, labels, {}, "raw").metrics
    logits = metrics.evaluate(scores, labels, {}, "logits").metrics
    assert raw["map_softmax"] is None
    assert logits["map"] == raw["map"] != logits["map_softmax"]
    exponent = np.exp(scores - 20)
    shares = exponent / exponent.sum(1, keepdims=True)
    assert logits["map_softmax"] == pytest.approx(
        metrics.average_precision(shares, labels).mean(), abs=0.2
    )


def test_f1_by_hand_and_only_for_probabilities():
    probabilities = np.array([[0.9, 0.6], [0.8, 0.1], [0.2, 0.7]])
    labels = np.array([[1, 0], [0, 1], [0, 1]])
    found = metrics.evaluate(probabilities, labels, {}, "probabilities").metrics
    # class 0: P 1/2, R 1; class 1: P 1/2, R 1/2. Overall: 2 hits of 4 said, of 3 true.
    assert found["cf1"] == pytest.approx(100 * 2 * 0.5 * 0.75 / 1.25)
    assert found["of1"] == pytest.approx(100 * 2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3))
    assert metrics.evaluate(probabilities, labels, {}, "logits").metrics["cf1"] is None
