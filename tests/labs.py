"""A worker's lab on five drawn classes, for tests of what it computes."""

from __future__ import annotations

import dataclasses

import small

from benchmark import backbones, compute, tasks
from benchmark.units import Unit

UNIT = Unit(
    task="voc-lt",
    label="mine",
    method="mine",
    method_version=1,
    hyperparameters=(),
    scale="miniature",
    seed=0,
    episode=None,
    split_sha256="aa",
    backbone="miniature-clip",
    weights_sha256="bb",
)


def make(folder, monkeypatch, methods, stale=None) -> compute.Lab:
    """A lab with these methods by name; the settings of this process stay as they were."""
    monkeypatch.setattr(compute, "settle", lambda device: None)
    monkeypatch.setattr(compute, "discover", lambda plugins: methods)
    backbone = backbones.resolve(None, "miniature")
    lab = compute.Lab(
        backbone=backbone, device="cpu", cache=folder / "cache", root=folder, stale=stale
    )
    train, test = small.images(folder, 6), small.images(folder, 8, seed=1)
    monkeypatch.setattr(lab, "task", lambda unit: task(train, test))
    return lab


def task(train, test, restriction=None, **given) -> tasks.Task:
    """A long-tailed task of these images."""
    fields = {field.name: None for field in dataclasses.fields(tasks.Task)}
    known = {"class_names": small.CLASSES, "groups": {}, "train": train, "test": test}
    known |= {"setting": "long-tailed", "dataset": "voc", "restriction": restriction}
    return tasks.Task(**fields | known | given)
