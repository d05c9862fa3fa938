"""Checks of what a fitted method does: its scores, that they repeat, what it leaves alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmark import metrics
from benchmark.data.images import ImageList
from benchmark.diagnostics.check.findings import Finding, note, ok, wrong
from benchmark.diagnostics.check.trials import Trial
from benchmark.runner import predict

_ROUNDING = 1e-3  # of the scores' spread: what other batch sizes may change


def scores(trial: Trial) -> Iterator[Finding]:
    """`predict` returns finite floating point scores (N, C); probabilities lie in 0 to 1."""
    check, test = "scores", trial.subject.toy.test
    try:
        found = predict.check_scores(trial.predict(test.images), test.labels.shape)
    except (TypeError, ValueError) as error:
        remedy = "return a float tensor, one row an image and one column a class, all finite"
        yield wrong(check, str(error), remedy)
        return
    kind = trial.subject.cls.scores
    if kind == "probabilities" and not 0 <= found.min() <= found.max() <= 1:
        text = f"scores are 'probabilities', but lie in {found.min():.3g} to {found.max():.3g}"
        yield wrong(check, text, "apply a sigmoid, or declare 'logits' or 'raw'")
        return
    if (np.ptp(found, axis=0) == 0).all():
        text = "every image has the same scores"
        yield wrong(check, text, "scores must depend on the image: look for a constant in predict")
        return
    yield ok(check, f"{found.shape[0]} x {found.shape[1]}, {found.min():.3g} to {found.max():.3g}")


def repeats(trial: Trial) -> Iterator[Finding]:
    """The same scores again: from predict, and from another fit with the same seed."""
    subject, test = trial.subject, trial.subject.toy.test.images
    first = trial.scores(test)
    again = trial.scores(test)
    if not np.array_equal(first, again):
        remedy = "no randomness and no change of the method in predict; eval mode for dropout"
        yield wrong("predict again", f"gives other scores, {_apart(first, again)}", remedy)
    else:
        yield ok("predict again", "the same bits")
    data = subject.toy.train
    other = subject.fitted(data, chance=1).scores(test)
    if np.array_equal(first, other):
        yield ok("same seed", "another fit gives the same bits")
        return
    seeded = subject.fitted(data).scores(test)
    if not np.array_equal(first, seeded):
        text = f"another fit gives other scores, {_apart(first, seeded)}"
        remedy = "seed all that is random with run.seed(...) or run.generator(...), and keep "
        yield wrong("same seed", text, remedy + "nothing in the class or the module")
        return
    text = "fit draws from the global random generators; a run repeats, as the harness seeds them"
    remedy = "draw from run.generator(...), so that one draw more does not change all later ones"
    yield note("same seed", text, remedy)


def alone(trial: Trial) -> Iterator[Finding]:
    """An image's scores do not depend on the images that are scored with it, or their order."""
    check, test = "each image alone", trial.subject.toy.test.images
    whole = trial.scores(test)
    count = len(test)
    backwards = list(reversed(range(count)))
    for rows, how in ((backwards, "in another order"), ([count // 2], "without the others")):
        part = ImageList(test.root, tuple(test.paths[row] for row in rows))
        change = np.abs(trial.scores(part) - whole[rows]).max()
        if not change <= _ROUNDING * whole.std():
            text = f"scored {how} it has other scores, {_apart(whole[rows], trial.scores(part))}"
            remedy = "no statistics, normalisation or ranking over the images of predict"
            yield wrong(check, text, f"{remedy}; eval mode for batch norm")
            return
    yield ok(check, "the same scores in any company, up to rounding")


def nothing_random(trial: Trial) -> Iterator[Finding]:
    """A method that says `deterministic` depends on no seed and on no training image."""
    subject, check = trial.subject, "deterministic"
    if not subject.cls.deterministic:
        return
    test = subject.toy.test.images
    other = subject.fitted(subject.toy.episodes[0], identity="other", chance=1).scores(test)
    if np.array_equal(trial.scores(test), other):
        yield ok(check, "other seeds and training images give the same bits")
        return
    text = "other seeds or training images change the scores, but deterministic is True"
    remedy = "set it to False: a deterministic method is run once for all seeds and episodes"
    yield wrong(check, text, remedy)


def learning(trial: Trial) -> Iterator[Finding]:
    """The labels of the training pictures are found again, far better than by chance."""
    subject, check = trial.subject, "learns"
    data, test = subject.toy.train, subject.toy.test
    seen = metrics.evaluate(trial.scores(data.images), data.labels, {}).metrics["map"]
    unseen = metrics.evaluate(trial.scores(test.images), test.labels, {}).metrics["map"]
    chance = 100 * float(data.labels.mean())
    told = f"mAP {seen:.1f} on training pictures, {unseen:.1f} on others; chance is {chance:.0f}"
    if seen >= (chance + 100) / 2:
        yield ok(check, told)
        return
    remedy = "columns in the order of train.class_names? higher for more likely? enough epochs?"
    yield wrong(check, told, f"{remedy} (--set epochs=N tries another setting)")


def curve(entries: list[dict[str, Any]]) -> Iterator[Finding]:
    """What a training loop left in run.curve can be stored; its later half is lower."""
    check = "loss curve"
    for entry in entries:
        if not _is_point(entry):
            remedy = "append {'stage': text, 'epoch': whole number, 'loss': finite number}"
            yield wrong(check, f"run.curve has {entry!r}", remedy)
            return
    falls, risen = [], []
    for stage in dict.fromkeys(entry["stage"] for entry in entries):
        losses = [entry["loss"] for entry in entries if entry["stage"] == stage]
        told = f"{stage} {losses[0]:.4g} to {losses[-1]:.4g}"
        half = len(losses) // 2  # batches differ: single epochs say little
        higher = half and sum(losses[-half:]) >= sum(losses[:half])
        (risen if higher else falls).append(told)
    if risen:
        remedy = "a lower learning rate, or more epochs: the loss of training pictures should fall"
        yield note(check, f"does not fall: {', '.join(risen)}", remedy)
    else:
        yield ok(check, ", ".join(falls) or "none: benchmark.method.training.train was not used")


def local_scores(trial: Trial) -> Iterator[Finding]:
    """Score maps, where a method offers them, are (K, L, C), finite, and change no score."""
    toy = trial.subject.toy
    few = ImageList(toy.test.images.root, toy.test.images.paths[:2])
    before = trial.scores(toy.test.images)
    found = trial.local_maps(few)
    if found is None:
        return
    check, classes = "local scores", len(toy.train.class_names)
    shape = tuple(getattr(found, "shape", ()))
    if len(shape) != 3 or (shape[0], shape[2]) != (2, classes) or not bool(found.isfinite().all()):
        text = f"local_scores of 2 images of {classes} classes has shape {shape or type(found)}"
        yield wrong(check, text, "return a finite tensor (images, places, classes), or None")
    elif not np.array_equal(before, trial.scores(toy.test.images)):
        yield wrong(check, "local_scores changes what predict returns", "change nothing in it")
    else:
        yield ok(check, f"{shape[1]} places an image")


def _is_point(entry: Any) -> bool:
    kinds = {"stage": str, "epoch": int, "loss": float}
    return (
        isinstance(entry, dict)
        and entry.keys() == kinds.keys()
        and all(isinstance(entry[key], kind) for key, kind in kinds.items())
        and math.isfinite(entry["loss"])
    )


def _apart(one: np.ndarray, other: np.ndarray) -> str:
    """`the largest difference 0.21, where scores spread by 1.3`."""
    change = np.abs(one - other).max()
    return f"the largest difference {change:.2g}, where scores spread by {one.std():.2g}"
