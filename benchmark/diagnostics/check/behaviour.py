"""Checks of what a fitted method does: its scores, that they repeat, what it leaves alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmark import metrics
from benchmark.data.images import ImageList
from benchmark.diagnostics.check.findings import Doubtful, Wrong, calling
from benchmark.diagnostics.check.trials import Trial
from benchmark.runner import predict

_ROUNDING = 1e-3  # of the scores' spread: what other batch sizes may change


def only_training_data(trial: Trial) -> str:
    """The fit read no test file, and did not change the labels that it was given."""
    if trial.opened:
        remedy = "learn from train.images alone; no test file may be read before predict"
        raise Wrong(f"fit opened {sorted(trial.opened)[0]}", remedy)
    if not np.array_equal(trial.data.labels, trial.subject.toy.train.labels):
        raise Wrong("fit changes train.labels", "copy them: train.labels.copy()")
    return "fit opened no test file and left the labels as they were"


def scores(trial: Trial) -> str:
    """`predict` returns finite floating point scores (N, C); probabilities lie in 0 to 1."""
    test = trial.subject.toy.test
    try:
        found = predict.check_scores(trial.predict(test.images), test.labels.shape)
    except (TypeError, ValueError) as error:
        remedy = "return a float tensor, one row an image and one column a class, all finite"
        raise Wrong(str(error), remedy) from error
    span = f"{found.min():.3g} to {found.max():.3g}"
    if trial.subject.cls.scores == "probabilities" and not 0 <= found.min() <= found.max() <= 1:
        remedy = "apply a sigmoid, or declare 'logits' or 'raw'"
        raise Wrong(f"scores are 'probabilities', but lie in {span}", remedy)
    if (np.ptp(found, axis=0) == 0).all():
        remedy = "scores must depend on the image: look for a constant in predict"
        raise Wrong("every image has the same scores", remedy)
    return f"{found.shape[0]} x {found.shape[1]}, {span}"


def again(trial: Trial) -> str:
    """`predict` gives the same bits when it is called again."""
    first, second = (trial.scores(trial.subject.toy.test.images) for _ in range(2))
    if not np.array_equal(first, second):
        remedy = "no randomness and no change of the method in predict; eval mode for dropout"
        raise Wrong(f"gives other scores, {_apart(first, second)}", remedy)
    return "the same bits"


def same_seed(trial: Trial) -> str:
    """Another fit with the same seed gives the same bits, whatever the global generators do."""
    subject, test = trial.subject, trial.subject.toy.test.images
    first, data = trial.scores(test), subject.toy.train
    if np.array_equal(first, subject.fitted(data, chance=1).scores(test)):
        return "another fit gives the same bits"
    seeded = subject.fitted(data).scores(test)
    if not np.array_equal(first, seeded):
        remedy = "seed all that is random with run.seed(...) or run.generator(...), and keep "
        text = f"another fit gives other scores, {_apart(first, seeded)}"
        raise Wrong(text, remedy + "nothing in the class or the module")
    raise Doubtful(
        "fit draws from the global random generators; a run repeats, as the harness seeds them",
        "draw from run.generator(...), so that one draw more does not change all later ones",
    )


def alone(trial: Trial) -> str:
    """An image's scores do not depend on the images that are scored with it, or their order."""
    test = trial.subject.toy.test.images
    whole, count = trial.scores(test), len(test)
    backwards = list(reversed(range(count)))
    for rows, how in ((backwards, "in another order"), ([count // 2], "without the others")):
        part = ImageList(test.root, tuple(test.paths[row] for row in rows))
        change = np.abs(trial.scores(part) - whole[rows]).max()
        if not change <= _ROUNDING * whole.std():
            remedy = "no statistics, normalisation or ranking over the images of predict"
            text = f"scored {how} it has other scores, {_apart(whole[rows], trial.scores(part))}"
            raise Wrong(text, f"{remedy}; eval mode for batch norm")
    return "the same scores in any company, up to rounding"


def nothing_random(trial: Trial) -> str | None:
    """A method that says `deterministic` depends on no seed and on no training image."""
    subject, test = trial.subject, trial.subject.toy.test.images
    if not subject.cls.deterministic:
        return None
    other = subject.fitted(subject.toy.episodes[0], identity="other", chance=1).scores(test)
    if not np.array_equal(trial.scores(test), other):
        remedy = "set it to False: a deterministic method is run once for all seeds and episodes"
        text = "other seeds or training images change the scores, but deterministic is True"
        raise Wrong(text, remedy)
    return "other seeds and training images give the same bits"


def learning(trial: Trial) -> str:
    """The labels of the training pictures are found again, far better than by chance."""
    data, test = trial.subject.toy.train, trial.subject.toy.test
    seen = metrics.evaluate(trial.scores(data.images), data.labels, {}).metrics["map"]
    unseen = metrics.evaluate(trial.scores(test.images), test.labels, {}).metrics["map"]
    chance = 100 * float(data.labels.mean())
    text = f"mAP {seen:.1f} on training pictures, {unseen:.1f} on others; chance is {chance:.0f}"
    if seen < (chance + 100) / 2:
        remedy = "columns in the order of train.class_names? higher for more likely? enough epochs?"
        raise Wrong(text, f"{remedy} (--set epochs=N tries another setting)")
    return text


def curve(entries: list[dict[str, Any]]) -> str:
    """What a training loop left in run.curve can be stored; its later half is lower."""
    for entry in entries:
        if not _is_point(entry):
            remedy = "append {'stage': text, 'epoch': whole number, 'loss': finite number}"
            raise Wrong(f"run.curve has {entry!r}", remedy)
    falls, risen = [], []
    for stage in dict.fromkeys(entry["stage"] for entry in entries):
        losses = [entry["loss"] for entry in entries if entry["stage"] == stage]
        half = len(losses) // 2  # batches differ: single epochs say little
        higher = half and sum(losses[-half:]) >= sum(losses[:half])
        (risen if higher else falls).append(f"{stage} {losses[0]:.4g} to {losses[-1]:.4g}")
    if risen:
        remedy = "a lower learning rate, or more epochs: the loss of training pictures should fall"
        raise Doubtful(f"does not fall: {', '.join(risen)}", remedy)
    return ", ".join(falls) or "none: benchmark.method.training.train was not used"


def local_scores(trial: Trial) -> str | None:
    """Score maps, where a method offers them, are (K, L, C), finite, and change no score."""
    test, classes = trial.subject.toy.test.images, len(trial.data.class_names)
    before = trial.scores(test)
    with calling("local_scores", trial.subject.cls):
        found = trial.method.local_scores(ImageList(test.root, test.paths[:2]), trial.run)
    if found is None:
        return None
    shape = tuple(getattr(found, "shape", ()))
    if len(shape) != 3 or (shape[0], shape[2]) != (2, classes) or not bool(found.isfinite().all()):
        text = f"local_scores of 2 images of {classes} classes has shape {shape or type(found)}"
        raise Wrong(text, "return a finite tensor (images, places, classes), or None")
    if not np.array_equal(before, trial.scores(test)):
        raise Wrong("local_scores changes what predict returns", "change nothing in it")
    return f"{shape[1]} places an image"


def _is_point(entry: Any) -> bool:
    kinds = {"stage": str, "epoch": int, "loss": float}
    if not isinstance(entry, dict) or entry.keys() != kinds.keys():
        return False
    typed = all(isinstance(entry[key], kind) for key, kind in kinds.items())
    return typed and math.isfinite(entry["loss"])


def _apart(one: np.ndarray, other: np.ndarray) -> str:
    """`the largest difference 0.21, where scores spread by 1.3`."""
    change = np.abs(one - other).max()
    return f"the largest difference {change:.2g}, where scores spread by {one.std():.2g}"
