"""AP against its definition: random scores with ties, absent classes, any scale, half precision."""

import numpy as np
import pytest

from benchmark import metrics


def by_definition(scores, labels):
    """Percent: over all thresholds, the precision times what the recall gains; else NaN.

    Equal scores fall on one side of every threshold.
    """
    positives = int(sum(labels))
    if not positives:
        return np.nan
    total, before = 0.0, 0
    for threshold in sorted(set(scores), reverse=True):
        said = [label for score, label in zip(scores, labels, strict=True) if score >= threshold]
        hits = int(sum(said))
        total += (hits - before) / positives * hits / len(said)
        before = hits
    return 100 * total


def expected(scores, labels):
    columns = zip(scores.T.tolist(), labels.T.tolist(), strict=True)
    return np.array([by_definition(*column) for column in columns])


def example(seed):
    """Scores (70, 9) in steps and labels: classes of no, of one and of only positives among them.

    Class 3 has one score for all images; class 4 none twice.
    """
    rng = np.random.default_rng(seed)
    scores = rng.integers(-6, 7, (70, 9)) / 8
    labels = (rng.random((70, 9)) < rng.uniform(0.05, 0.6, 9)).astype(np.float32)
    labels[:, 0], labels[:, 1] = 0, 1
    labels[:, 2] = np.arange(70) == rng.integers(70)
    scores[:, 3], scores[:, 4] = 0.5, rng.permutation(70) / 64
    return scores, labels


# Scale and shift; all but the last two fit float16.
SCALES = [(1, 0), (100, 0), (1, -1000), (100, 20), (2.0**-60, 0), (2.0**100, 0)]
CASES = [(np.float16, *case) for case in SCALES[:4]]
CASES += [(kind, *case) for kind in (np.float32, np.float64) for case in SCALES]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind, scale, shift", CASES)
def test_average_precision_equals_its_definition(kind, scale, shift, seed):
    scores, labels = example(seed)
    given = (scale * scores + shift).astype(kind)
    found = metrics.average_precision(given, labels)
    np.testing.assert_allclose(found, expected(given, labels), rtol=1e-9)
    assert np.isnan(found).tolist() == [True] + 8 * [False]
    assert found[1] == pytest.approx(100) and found[3] == pytest.approx(100 * labels[:, 3].mean())
    if kind is not np.float16 or (scale, shift) == (1, 0):  # else rounding made more ties
        np.testing.assert_allclose(found, expected(scores, labels), rtol=1e-9)


def test_half_precision_may_tie_scores_and_is_scored_as_it_is_given():
    scores = np.array([[20.001], [20.0], [19.0]])
    labels = np.array([[1], [0], [0]])
    assert metrics.average_precision(scores, labels)[0] == pytest.approx(100)
    assert metrics.average_precision(scores.astype(np.float16), labels)[0] == pytest.approx(50)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_all_metrics_stand_any_scale_and_precision(kind):
    scores, labels = example(0)
    groups = {"head": (1, 3), "tail": (0, 2)}
    found = metrics.evaluate((100 * scores + 20).astype(kind), labels, groups, "logits")
    aps = expected(scores, labels)
    assert found.metrics["map"] == pytest.approx(np.nanmean(aps))
    assert found.metrics["head"] == pytest.approx(aps[[1, 3]].mean())
    assert found.metrics["tail"] == pytest.approx(aps[2])
    assert found.metrics["absent"] == 1 and 0 < found.metrics["map_softmax"] <= 100


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_images_does_not_matter_not_even_among_ties(seed):
    scores, labels = example(seed)
    order = np.random.default_rng(seed).permutation(len(scores))
    np.testing.assert_allclose(
        metrics.average_precision(scores[order], labels[order]),
        metrics.average_precision(scores, labels),
        rtol=1e-12,
    )
