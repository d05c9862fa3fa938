"""The fields of a record that are made from its scores: when they are computed, and again later."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmark import metrics
from benchmark.stored import Truth

METRICS = ("map", *metrics.GROUPS, "var", "map_softmax", "map_redraw", "cf1", "of1")


def fields(scores: np.ndarray, truth: Truth, kind: str) -> dict[str, Any]:
    """`metrics`, `per_class_ap` and `absent` of scores (N, C); null where one does not apply.

    kind   what the scores are, see `Method.scores`
    """
    found = metrics.evaluate(scores, truth.labels, truth.groups, kind, truth.redraw)
    per_class = zip(truth.class_names, found.per_class, strict=True)
    return {
        "metrics": {name: _number(found.metrics.get(name)) for name in METRICS},
        "per_class_ap": {name: _number(value) for name, value in per_class},
        "absent": found.metrics.get("absent"),
    }


def _number(value: Any) -> float | None:
    """A JSON number; NaN (an absent class, a group without any) becomes null."""
    return None if value is None or not math.isfinite(value) else float(value)
