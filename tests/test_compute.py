"""A worker's lab: one CLIP an image size, one store a preprocessing, a guarded CLIP."""

import dataclasses
import types

import labs
import numpy as np
import pytest
import small
import torch
from labs import UNIT

from benchmark import compute, states
from benchmark.errors import InputError
from benchmark.method import Method


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
def lab(tmp_path, monkeypatch):
    return labs.make(tmp_path, monkeypatch, {"mine": Mine, "careless": Careless})


def test_one_clip_for_a_size_and_one_store_for_a_preprocessing(lab, monkeypatch):
    loaded = []
    monkeypatch.setattr(
        compute,
        "clip",
        types.SimpleNamespace(load=lambda *a: loaded.append(a[2]) or small.the_clip()),
    )
    for name in ("clip", "square", "square-raw", "square-64", "clip-raw-64", "clip"):
        run = lab.run("x", name)
        assert run.preprocess.name == name and run.store is lab.store(name)
    assert loaded == [None, 64]


def test_a_units_preprocessing_reaches_the_method_and_the_record(lab):
    first = lab.compute(UNIT)
    other = lab.compute(dataclasses.replace(UNIT, preprocess="square-raw"))
    assert (first["preprocess"], other["preprocess"]) == ("clip", "square-raw")
    assert first["per_class_ap"].keys() == set(small.CLASSES) and first["restriction"] is None
    assert set(lab.stores) == {("clip", False), ("square-raw", False)}
    batches = [
        lab.run("x", name).normalise(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8))
        for name in ("clip", "square-raw")
    ]
    assert batches[1].eq(1).all() and not batches[0].eq(1).any()


def test_a_restriction_is_recorded(lab):
    data = lab.task(UNIT).train
    record = compute.describe(UNIT, labs.task(data, data, "2 of 10 training images"))
    assert record["restriction"] == "2 of 10 training images"


def test_a_method_that_trains_the_shared_clip_fails(lab):
    with pytest.raises(RuntimeError, match="not frozen"):
        lab.compute(dataclasses.replace(UNIT, method="careless"))


def test_a_wrong_size_is_bad_input(lab):
    with pytest.raises(InputError, match="100"):
        lab.run("x", "clip-100")


def test_base_states_of_other_preprocessings_are_others(lab):
    data = lab.task(UNIT).train
    plain = states.identity(UNIT, data)
    other = states.identity(dataclasses.replace(UNIT, preprocess="square"), data)
    assert "preprocess" not in plain and other == plain | {"preprocess": "square"}
