"""What a record says: its fields when a unit is described, done, refused or failed.

results/README.md documents them. `suite` and `key` are put in front by whoever writes it.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark import metrics
from benchmark.common.errors import InputError
from benchmark.common.text import one_line
from benchmark.records import provenance
from benchmark.records.scores import Truth
from benchmark.suites.unit import Unit

if TYPE_CHECKING:
    from benchmark.data.tasks import Task

MOST = 100_000  # characters of a traceback, whose end says what went wrong
METRICS = ("map", *metrics.GROUPS, "var", "map_softmax", "map_redraw", "cf1", "of1")


def described(unit: Unit, task: Task) -> dict[str, Any]:
    """The fields that are known before the method runs; null where none applies."""
    groups = {g: len(task.groups[g]) if g in task.groups else None for g in metrics.GROUPS}
    counts = zip(task.class_names, task.train.class_counts, strict=True)
    return {
        "key": unit.key,
        "scale": unit.scale,
        "task": unit.task,
        "setting": task.setting,
        "label": unit.label,
        "method": unit.method,
        "method_version": unit.method_version,
        "seed": unit.seed,
        "episode": unit.episode,
        "status": None,
        "reason": None,
        "selection": "last",
        "metrics": dict.fromkeys(METRICS),
        "oracle": None,
        "oracle_reason": None,
        "n_classes": {"all": len(task.class_names), **groups, "absent": None},
        "per_class_ap": dict.fromkeys(task.class_names),
        "train_counts": {name: int(count) for name, count in counts},
        "curve": [],
        "hyperparameters": dict(unit.hyperparameters),
        "preprocess": unit.preprocess,
        "precision": unit.precision,
        "split_sha256": unit.split_sha256,
        "restriction": task.restriction,
        "own": task.own,
        "scores_sha256": None,
        "backbone": unit.backbone,
        "weights_sha256": unit.weights_sha256,
        "seconds": dict.fromkeys(("base", "shared", "fit", "predict", "oracle")),
    }


def done(
    described: Mapping[str, Any],
    found: Mapping[str, Any],
    curve: Sequence[Mapping[str, Any]],
    seconds: Mapping[str, float | None],
) -> dict[str, Any]:
    """A done unit's fields.

    found     what `metric_fields` gave
    curve     {"stage", "epoch", "loss"} of every stage, in their order
    seconds   of each phase; null for one that there was not
    """
    return {
        **described,
        "status": "done",
        "metrics": found["metrics"],
        "n_classes": {**described["n_classes"], "absent": found["absent"]},
        "per_class_ap": found["per_class_ap"],
        "curve": list(curve),
        "seconds": {**described["seconds"], **seconds},
    }


def skipped(described: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The fields of a unit that its method refuses."""
    return {**described, "status": "skipped", "reason": reason}


def failed(unit: Unit, error: BaseException, origin: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a failure; `origin` is provenance.

    Bad input that only shows while a unit computes, such as a cut-off image, is the user's to mend:
    its message stands as it is, and `kind` makes the exit code 2.
    """
    bad_input = isinstance(error, InputError)
    text = str(error) if bad_input else f"{type(error).__name__}: {error}"
    if isinstance(error, ValueError) and "read-only" in text:
        text += "; labels are lent: copy them before you change them"
    return {
        "scale": unit.scale,
        "task": unit.task,
        "label": unit.label,
        "method": unit.method,
        "seed": unit.seed,
        "episode": unit.episode,
        "status": "failed",
        "kind": "input" if bad_input else "error",
        "error": one_line(text)[:500],
        "traceback": "".join(traceback.format_exception(error))[-MOST:],
        "provenance": {**origin, "utc": provenance.now()},
    }


def metric_fields(scores: np.ndarray, truth: Truth, kind: str) -> dict[str, Any]:
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
