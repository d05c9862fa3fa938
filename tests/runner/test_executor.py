"""A worker's workspace: one CLIP an image size, one store a preprocessing, a guarded CLIP."""

import dataclasses
import types

import numpy as np
import pytest
import torch

from benchmark.common.errors import InputError
from benchmark.method.base import Method
from benchmark.records.record import described
from benchmark.runner import checkpoints
from benchmark.runner import workspace as runner_workspace
from benchmark.runner.executor import execute
from tests.helpers import drawn_images, workspaces
from tests.helpers.workspaces import UNIT


class Mine(Method):
    """Scores from pixels, so that they tell preprocessings apart."""

    name = "mine"

    def fit(self, train, run):
        self.seen = run.preprocess.name

    def predict(self, images, run):
        batch = run.normalise(torch.from_numpy(np.array(run.pixels(images))))
        return batch.flatten(1)[:, :5]


class Careless(Mine):
    """Trains the shared CLIP."""

    def fit(self, train, run):
        run.clip.visual.requires_grad_(True)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    return workspaces.make(tmp_path, monkeypatch, {"mine": Mine, "careless": Careless})


def test_one_clip_for_a_size_and_one_store_for_a_preprocessing(workspace, monkeypatch):
    loaded = []
    monkeypatch.setattr(
        runner_workspace,
        "model",
        types.SimpleNamespace(load=lambda *a: loaded.append(a[2]) or drawn_images.miniature_clip()),
    )
    for name in ("clip", "square", "square-raw", "square-64", "clip-raw-64", "clip"):
        run = workspace.run("x", name)
        assert run.preprocess.name == name and run.store is workspace.store(name)
    assert loaded == [None, 64]


def test_a_units_preprocessing_reaches_the_method_and_the_record(workspace):
    first = execute(workspace, UNIT)
    other = execute(workspace, dataclasses.replace(UNIT, preprocess="square-raw"))
    assert (first["preprocess"], other["preprocess"]) == ("clip", "square-raw")
    assert (
        first["per_class_ap"].keys() == set(drawn_images.CLASSES) and first["restriction"] is None
    )
    assert set(workspace.stores) == {("clip", False), ("square-raw", False)}
    batches = [
        workspace.run("x", name).normalise(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8))
        for name in ("clip", "square-raw")
    ]
    assert batches[1].eq(1).all() and not batches[0].eq(1).any()


def test_a_restriction_is_recorded(workspace):
    data = workspace.task(UNIT).train
    record = described(UNIT, workspaces.task(data, data, "2 of 10 training images"))
    assert record["restriction"] == "2 of 10 training images"


def test_a_method_that_trains_the_shared_clip_fails(workspace):
    with pytest.raises(RuntimeError, match="not frozen"):
        execute(workspace, dataclasses.replace(UNIT, method="careless"))


def test_a_wrong_size_is_bad_input(workspace):
    with pytest.raises(InputError, match="100"):
        workspace.run("x", "clip-100")


def test_base_states_of_other_preprocessings_are_others(workspace):
    data = workspace.task(UNIT).train
    plain = checkpoints.identity(UNIT, data)
    other = checkpoints.identity(dataclasses.replace(UNIT, preprocess="square"), data)
    assert "preprocess" not in plain and other == plain | {"preprocess": "square"}
