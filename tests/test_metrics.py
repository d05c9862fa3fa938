"""The metric against its definition, and what must not change it."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

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


def few_shot_labels(rows=300, classes=6, seed=3):
    """Labels (N, C) of classes from rare to frequent, each row with at least one."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((rows, classes)) < np.linspace(0.02, 0.4, classes)).astype(np.float32)
    labels[np.arange(rows), rng.integers(0, classes, rows)] = 1
    return labels


def redrawn_word_for_word(labels, draws):
    """The documented rule, class after class, without shortcuts."""
    classes = [k for k in range(labels.shape[1]) if labels[:, k].any()]
    proposed = np.random.default_rng(0).integers(len(classes), size=draws)
    drawn, rows = dict.fromkeys(classes, 0), []
    for t in range(draws):
        current = classes[proposed[t]]
        for other in classes:
            if drawn[other] < drawn[current]:
                current = other
        having = [row for row in range(len(labels)) if labels[row, current]]
        rows.append(having[t % len(having)])
        for k in classes:
            drawn[k] += int(labels[rows[-1], k])
    return rows


def test_the_redraw_follows_its_rule():
    labels = few_shot_labels()
    labels[:, 2] = 0  # a class without a test image is never drawn
    labels = labels[labels.any(1)]
    assert metrics.redraw(labels, 500).tolist() == redrawn_word_for_word(labels, 500)


def test_the_redraw_by_hand_and_from_a_fixed_seed():
    one_each = np.eye(3)
    assert np.bincount(metrics.redraw(one_each, 30)).tolist() == [10, 10, 10]
    # Proposed are classes 1 1 1 0 0 0 0 0; those that are least drawn make it 1 0 0 0 0 1 1 0.
    both = np.array([[1, 0], [0, 1], [1, 1]])
    assert metrics.redraw(both, 8).tolist() == [1, 2, 0, 2, 0, 2, 1, 2]
    assert metrics.redraw(np.zeros((4, 2))).tolist() == []
    rows = metrics.redraw(few_shot_labels())
    assert len(rows) == 40_504 and rows.dtype == np.int64
    assert rows[:8].tolist() == [3, 6, 17, 9, 25, 28, 30, 40]  # every map_redraw rests on it


def test_the_redraw_shows_all_classes_about_equally_often():
    labels = np.eye(5, dtype=np.float32)[np.repeat(np.arange(5), (1, 5, 20, 100, 400))]
    natural, drawn = labels.sum(0), labels[metrics.redraw(labels)].sum(0)
    assert natural.max() / natural.min() == 400
    assert drawn.max() - drawn.min() <= 1


def test_map_redraw_is_ap_with_each_row_as_often_as_it_was_drawn():
    labels = few_shot_labels()
    scores = np.random.default_rng(4).integers(0, 40, labels.shape) + 3.0 * labels
    times = np.bincount(metrics.redraw(labels), minlength=len(labels))
    expected = [
        100 * average_precision_score(truth, score, sample_weight=times)
        for truth, score in zip(labels.T, scores.T, strict=True)
    ]
    found = metrics.evaluate(scores, labels, {}, redraw=True).metrics
    assert found["map_redraw"] == pytest.approx(np.mean(expected))
    assert abs(found["map_redraw"] - found["map"]) > 1
    natural = metrics.evaluate(scores, labels, {}).metrics
    assert natural == found | {"map_redraw": None}


def test_map_redraw_without_any_positive_is_none():
    nothing = np.zeros((3, 2))
    assert metrics.evaluate(nothing, nothing, {}, redraw=True).metrics["map_redraw"] is None
