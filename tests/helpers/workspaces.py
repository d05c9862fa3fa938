"""A worker's workspace on five drawn classes, for tests of what is computed in it."""

from __future__ import annotations

import dataclasses

from benchmark.clip import resolve
from benchmark.data import tasks
from benchmark.runner import devices, workspace
from benchmark.runner.workspace import Workspace
from benchmark.suites.unit import Unit
from tests.helpers import drawn_images

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


def make(folder, monkeypatch, methods, stale=None) -> Workspace:
    """One with these methods by name; the settings of this process stay as they were."""
    monkeypatch.setattr(devices, "make_deterministic", lambda device: None)
    monkeypatch.setattr(workspace.discovery, "discover", lambda plugins: methods)
    backbone = resolve.resolve(None, "miniature")
    places = {"cache": folder / "cache", "root": folder, "stale": stale or {}}
    made = Workspace(backbone=backbone, device="cpu", **places)
    train, test = drawn_images.images(folder, 6), drawn_images.images(folder, 8, seed=1)
    monkeypatch.setattr(made, "task", lambda unit: task(train, test))
    return made


def task(train, test, restriction=None, **given) -> tasks.Task:
    """A long-tailed task of these images."""
    fields = {field.name: None for field in dataclasses.fields(tasks.Task)}
    known = {"class_names": drawn_images.CLASSES, "groups": {}, "train": train, "test": test}
    known |= {"setting": "long-tailed", "dataset": "voc", "restriction": restriction}
    return tasks.Task(**fields | known | given)
