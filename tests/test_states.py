"""Stages that units share: built once, the same bits for all, counted once, Busy and --force."""

import contextlib
import dataclasses
import types

import labs
import numpy as np
import pytest
import small
import torch
from labs import UNIT

from benchmark import compute, locks, records, runner, scoring, states
from benchmark.method import Method

built = []  # one entry a build


class Staged(Method):
    """A first stage of random numbers, then more random numbers; `late` is not the stage's."""

    name = "mine"

    def __init__(self, early: float = 1.0, late: float = 0.0, breaks: bool = False):
        self.early, self.late, self.breaks = early, late, breaks

    def fit(self, train, run):
        self.state_of = run.shared({"early": self.early}, lambda: self.first(run))
        clock.now += 2
        self.more = torch.rand(5) + float(np.random.rand())
        run.curve.append({"stage": "second", "epoch": 1, "loss": 0.1})

    def first(self, run):
        built.append(self.early)
        assert run.after_epoch is None
        clock.now += 5
        if self.breaks:
            raise RuntimeError("no luck")
        run.curve.append({"stage": "first", "epoch": 1, "loss": 1 / 3})
        weight = self.early * torch.rand(5, 5) + float(np.random.rand())
        return {"weight": weight.T, "count": torch.tensor(3)}

    def predict(self, images, run):
        return (self.state_of["weight"][0] + self.more + self.late).expand(len(images), 5)


class Wrong(Staged):
    name = "wrong"


clock = types.SimpleNamespace(now=0.0)


def unit(method="mine", **settings):
    return dataclasses.replace(UNIT, method=method, hyperparameters=tuple(sorted(settings.items())))


@pytest.fixture
def lab(tmp_path, monkeypatch):
    built.clear()
    monkeypatch.setattr(compute.time, "perf_counter", lambda: clock.now)
    return labs.make(tmp_path, monkeypatch, {"mine": Staged, "wrong": Wrong})


def seen(lab, unit, monkeypatch):
    """The record and the scores of a unit."""
    scores = []
    real = scoring.check_scores
    with monkeypatch.context() as patch:
        patch.setattr(scoring, "check_scores", lambda s, n: scores.append(s) or real(s, n))
        record = lab.compute(unit)
    return record, scores[0]


def test_in_place_built_and_loaded_give_the_same_bits_and_curve(lab, monkeypatch, tmp_path):
    first, scores = seen(lab, unit(late=1.0), monkeypatch)
    second, again = seen(lab, unit(late=1.0), monkeypatch)
    other, shifted = seen(lab, unit(late=3.0), monkeypatch)
    assert built == [1.0]
    with monkeypatch.context() as patch:  # a run without a store, as in a notebook
        patch.setattr(compute, "SharedStages", lambda *a: types.SimpleNamespace(
            seconds=None, building=0.0))  # fmt: skip
        alone, plain = seen(lab, unit(late=1.0), monkeypatch)
    assert built == [1.0, 1.0]
    assert torch.equal(scores, again) and torch.equal(scores, plain)
    torch.testing.assert_close(shifted, scores + 2)
    assert first["curve"] == second["curve"] == other["curve"] == alone["curve"]
    assert [entry["stage"] for entry in first["curve"]] == ["first", "second"]


def test_its_seconds_are_stated_by_all_and_part_of_no_fit(lab):
    records_of = [lab.compute(unit(late=late)) for late in (0.0, 1.0)]
    assert [r["seconds"]["shared"] for r in records_of] == [5.0, 5.0]
    assert [r["seconds"]["fit"] for r in records_of] == [2.0, 2.0]


def test_other_settings_seeds_methods_and_versions_build_their_own(lab):
    lab.compute(unit())
    lab.compute(unit(early=2.0))
    lab.compute(dataclasses.replace(unit(), seed=1))
    lab.compute(dataclasses.replace(unit(), method_version=2))
    lab.compute(unit("wrong"))
    lab.compute(dataclasses.replace(unit(), preprocess="square"))
    assert built == [1.0, 2.0, 1.0, 1.0, 1.0, 1.0]


def test_its_identity_knows_the_data_but_not_the_other_hyperparameters(tmp_path):
    data, other = small.images(tmp_path, 6), small.images(tmp_path, 6, seed=1)
    labels = data.labels.copy()
    labels[0] = 1 - labels[0]
    what = {"alpha": 0.4}
    plain = states.shared_identity(unit(late=1.0), data, what)
    assert plain == states.shared_identity(unit(late=2.0), data, what)
    changed = [
        states.shared_identity(UNIT, other, what),
        states.shared_identity(UNIT, dataclasses.replace(data, labels=labels), what),
        states.shared_identity(UNIT, data, {"alpha": 0.5}),
        states.shared_identity(dataclasses.replace(UNIT, weights_sha256="cc"), data, what),
        states.shared_identity(dataclasses.replace(UNIT, scale="paper"), data, what),
        states.shared_identity(dataclasses.replace(UNIT, task="coco-lt"), data, what),
    ]
    assert all(found != plain for found in changed)
    with pytest.raises(TypeError):
        states.shared_identity(UNIT, data, {"alpha": torch.zeros(1)})


def test_while_another_process_builds_it_the_unit_waits(lab, tmp_path):
    lab.compute(unit())
    (path,) = (tmp_path / "cache" / "states").glob("*.safetensors")
    path.unlink()
    job = types.SimpleNamespace(suite="x", folder=records.Folder(tmp_path / "r"), origin={})
    with locks.claimed(path.with_suffix(".lock")) as mine:
        assert mine
        with pytest.raises(states.Busy):
            lab.compute(unit())
        assert runner.one(job, unit(), lab) is False
    assert not list((tmp_path / "r").rglob("*.json")) and len(built) == 1
    assert lab.compute(unit())["status"] == "done" and len(built) == 2


def test_a_forced_run_builds_it_anew_once(lab, tmp_path, monkeypatch):
    lab.compute(unit())
    stale = records.files(tmp_path / "cache" / "states", ".safetensors")
    assert len(stale) == 1
    forced = labs.make(tmp_path, monkeypatch, {"mine": Staged}, stale)
    for late in (0.0, 1.0):
        forced.compute(unit(late=late))
    assert len(built) == 2


def test_one_that_fails_is_tried_once_and_leaves_no_file(lab, tmp_path):
    for late in (0.0, 1.0):
        with pytest.raises(RuntimeError, match="no luck"):
            lab.compute(unit(breaks=True, late=late))
    assert len(built) == 1 and not list((tmp_path / "cache" / "states").glob("*.safetensors"))


def test_the_oracle_does_not_look_into_a_shared_stage(lab, tmp_path):
    run = small.run(tmp_path)
    run.after_epoch = watch = lambda stage, epoch: None
    with contextlib.suppress(RuntimeError):
        run.shared({}, lambda: Staged(breaks=True).first(run))
    assert run.after_epoch is watch and len(built) == 1
