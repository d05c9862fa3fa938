"""The one metric: average precision per class on raw float32 scores, and its group means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

GROUPS = ("head", "medium", "tail", "novel")


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
    scores: np.ndarray, labels: np.ndarray, groups: dict[str, tuple[int, ...]], kind: str = "raw"
) -> Evaluation:
    """All metrics of a unit. `kind` says what the scores are: see `Method.scores`."""
    per_class = average_precision(scores, labels)
    metrics: dict[str, float | int | None] = {"map": _mean(per_class)}
    for group in GROUPS:
        metrics[group] = _mean(per_class[list(groups[group])]) if group in groups else None
    metrics["var"] = float(np.nanvar(per_class)) if np.isfinite(per_class).any() else None
    metrics["absent"] = int(np.isnan(per_class).sum())
    metrics["map_softmax"] = None
    if kind == "logits":
        metrics["map_softmax"] = _mean(average_precision(_softmax(scores), labels))
    cf1, of1 = f1_scores(scores, labels) if kind == "probabilities" else (None, None)
    return Evaluation(metrics | {"cf1": cf1, "of1": of1}, per_class.tolist())


def f1_scores(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """CF1 (of the mean precision and recall over classes) and OF1 (over all pairs), percent."""
    chosen, truth = probabilities > 0.5, labels > 0.5
    hits, said, are = (chosen & truth).sum(0), chosen.sum(0), truth.sum(0)
    present = are > 0
    precision = (hits / np.maximum(said, 1))[present].mean()
    recall = (hits / np.maximum(are, 1))[present].mean()
    return _harmonic(precision, recall), _harmonic(
        hits.sum() / max(said.sum(), 1), hits.sum() / max(are.sum(), 1)
    )


def _softmax(scores: np.ndarray) -> np.ndarray:
    """Over the classes of each image, as the LMPT line of work does before it ranks images."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _mean(values: np.ndarray) -> float | None:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else None


def _harmonic(precision: float, recall: float) -> float:
    return float(200 * precision * recall / max(precision + recall, 1e-12))
