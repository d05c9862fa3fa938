"""The one metric: average precision per class on raw float32 scores, and its means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

GROUPS = ("head", "medium", "tail", "novel")
DRAWS, DRAW_SEED = 40_504, 0  # of the redraw: as many as val2014 has images, at both scales


@dataclass(frozen=True)
class Evaluation:
    """`metrics`: percent, None where not applicable. `per_class`: AP in percent, NaN if absent."""

    metrics: dict[str, float | int | None]
    per_class: list[float]


def average_precision(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """AP of each class (C,), percent, of scores and 0/1 labels (N, C); NaN without a positive.

    scikit-learn's: non-interpolated, ties counted together. Scores stay as they are: a sigmoid
    would saturate CLIP's logits and change the ranking.
    """
    scores = np.asarray(scores, dtype=np.float32)
    return np.array(
        [
            100 * average_precision_score(truth, score) if truth.any() else np.nan
            for truth, score in zip(labels.T, scores.T, strict=True)
        ]
    )


def evaluate(
    scores: np.ndarray,
    labels: np.ndarray,
    groups: dict[str, tuple[int, ...]],
    kind: str = "raw",
    redraw: bool = False,
) -> Evaluation:
    """All metrics of a unit from scores (N, C) and 0/1 labels (N, C), in percent.

    groups   the columns of "head", "medium", "tail" or "novel": their mAP; the others are None
    kind     what the scores are, see `Method.scores`: of "logits" also map_softmax, of
             "probabilities" also cf1 and of1
    redraw   also map_redraw, as COCO's few-shot tasks have it: the mAP of the same scores on the
             rows that the function `redraw` gives, repeats included
    `var` is the population variance of the classes' AP, percent squared; `absent` counts classes
    without a positive, which are in no mean.
    """
    per_class = average_precision(scores, labels)
    metrics: dict[str, float | int | None] = {"map": _mean(per_class)}
    for group in GROUPS:
        metrics[group] = _mean(per_class[list(groups[group])]) if group in groups else None
    metrics["var"] = float(np.nanvar(per_class)) if np.isfinite(per_class).any() else None
    metrics["absent"] = int(np.isnan(per_class).sum())
    metrics["map_softmax"] = None
    if kind == "logits":
        metrics["map_softmax"] = _mean(average_precision(_softmax(scores), labels))
    metrics["map_redraw"] = _redrawn(scores, labels) if redraw else None
    cf1, of1 = f1_scores(scores, labels) if kind == "probabilities" else (None, None)
    return Evaluation(metrics | {"cf1": cf1, "of1": of1}, per_class.tolist())


def f1_scores(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """CF1 and OF1, percent, of probabilities and 0/1 labels (N, C) at the threshold 0.5.

    CF1 is the harmonic mean of precision and recall, each the mean over classes with a positive;
    OF1 that of precision and recall over all pairs of image and class.
    """
    chosen, truth = probabilities > 0.5, labels > 0.5
    true_positive, predicted, actual = (chosen & truth).sum(0), chosen.sum(0), truth.sum(0)
    present = actual > 0
    precision = (true_positive / np.maximum(predicted, 1))[present].mean()
    recall = (true_positive / np.maximum(actual, 1))[present].mean()
    found = true_positive.sum()
    overall = found / max(predicted.sum(), 1), found / max(actual.sum(), 1)
    return _harmonic(precision, recall), _harmonic(*overall)


def redraw(labels: np.ndarray, draws: int = DRAWS, seed: int = DRAW_SEED) -> np.ndarray:
    """Rows of labels (N, C), with repeats, that show all classes about equally often: (draws,).

    LaSO's (CVPR 2019) way of testing few-shot learners on COCO, from a seed of its own so that all
    methods meet the same rows. Draw t = 0, 1, ...: a class at random; if others were drawn less
    often, the first of those that were least drawn takes its place; then that class's image number
    t modulo how many it has, in list order. Every class of the image counts as drawn once more.
    Classes without an image stay out; int64, empty where no class has one.
    """
    truth = np.asarray(labels) > 0
    truth = truth[:, truth.any(0)]
    if not truth.size:
        return np.empty(0, np.int64)
    positives = [np.flatnonzero(column) for column in truth.T]
    classes = [np.flatnonzero(row).tolist() for row in truth]
    drawn = [0] * len(positives)
    chosen = np.empty(draws, np.int64)
    dice = np.random.default_rng(seed).integers(len(positives), size=draws)
    for draw, guess in enumerate(dice.tolist()):
        least = min(drawn)
        rows = positives[guess if drawn[guess] == least else drawn.index(least)]
        chosen[draw] = row = rows[draw % len(rows)]
        for k in classes[row]:
            drawn[k] += 1
    return chosen


def _redrawn(scores: np.ndarray, labels: np.ndarray) -> float | None:
    rows = redraw(labels)
    return _mean(average_precision(scores[rows], labels[rows]))


def _softmax(scores: np.ndarray) -> np.ndarray:
    """Over the classes of each image, as the LMPT line of work does before it ranks images."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _mean(values: np.ndarray) -> float | None:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else None


def _harmonic(precision: float, recall: float) -> float:
    return float(200 * precision * recall / max(precision + recall, 1e-12))
