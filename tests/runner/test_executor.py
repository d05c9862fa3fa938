"""A worker's workspace: one CLIP an image size, one store a preprocessing, a guarded CLIP."""

import dataclasses
import os
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.common.errors import InputError
from benchmark.method.base import Method
from benchmark.method.inputs import label_matrix
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


def workspace_at(folder):
    """A workspace of shipped methods, whose home is the folder."""
    from benchmark.clip import resolve

    backbone = resolve.resolve(None, "miniature")
    made = runner_workspace.Workspace(
        backbone=backbone, device="cpu", cache=Path(folder), root=Path(folder), plugins=None
    )
    assert made.folder == Path(folder)
    return made


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


class Scaling(Mine):
    """Changes a value of the shared CLIP past the versions that torch keeps, then asks for more."""

    def fit(self, train, run):
        run.clip.model.visual.proj.data.mul_(1.05)

    def predict(self, images, run):
        return torch.from_numpy(np.array(run.features(images)))[:, :5]


def test_a_changed_value_of_the_shared_clip_is_neither_recorded_nor_cached(
    workspace, tmp_path, monkeypatch
):
    monkeypatch.setitem(workspace.classes, "scaling", Scaling)
    with pytest.raises(RuntimeError, match=r"values of visual\.proj were changed"):
        execute(workspace, dataclasses.replace(UNIT, method="scaling"))
    run = workspace.run("x")
    with pytest.raises(RuntimeError, match=r"values of visual\.proj"):
        run.features(workspace.task(UNIT).test.images)
    assert not list((tmp_path / "cache" / "features").glob("global-*.npy"))


def test_what_a_method_sets_for_the_process_is_set_anew(monkeypatch):
    from PIL import Image, ImageFile

    here, most = os.getcwd(), Image.MAX_IMAGE_PIXELS
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(2)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    made = workspace_at(here)
    os.chdir("/")
    made.settle({})
    assert torch.is_grad_enabled() and torch.zeros(1).dtype == torch.float32
    assert torch.zeros(1).device.type == "cpu" and torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled() and os.getcwd() == here
    assert not ImageFile.LOAD_TRUNCATED_IMAGES and most == Image.MAX_IMAGE_PIXELS


def test_labels_are_read_only_and_a_methods_matrix_is_its_own(workspace):
    data = workspace.task(UNIT).train
    with pytest.raises(ValueError, match="read-only"):
        data.labels[0] = 1
    matrix = label_matrix(workspace.run("x"), data)
    before = data.labels.copy()
    matrix += 1
    assert np.array_equal(data.labels, before)


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
