"""Stages that units share: built once, the same bits for all, counted once, Busy and --force."""

import contextlib
import dataclasses
import json
import os
import types

import numpy as np
import pytest
import torch

from benchmark.common import files
from benchmark.method.base import Method
from benchmark.records import store
from benchmark.runner import checkpoints, executor, predict, unit_process
from benchmark.runner.executor import execute
from benchmark.runner.predict import check_scores
from tests.helpers import drawn_images, workspaces
from tests.helpers.workspaces import UNIT

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
def workspace(tmp_path, monkeypatch):
    built.clear()
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    return workspaces.make(tmp_path, monkeypatch, {"mine": Staged, "wrong": Wrong})


def seen(workspace, unit, monkeypatch):
    """The record and the scores of a unit."""
    scores = []
    real = check_scores
    with monkeypatch.context() as patch:
        patch.setattr(predict, "check_scores", lambda s, n: scores.append(s) or real(s, n))
        record = execute(workspace, unit)
    return record, scores[0]


def test_in_place_built_and_loaded_give_the_same_bits_and_curve(workspace, monkeypatch, tmp_path):
    first, scores = seen(workspace, unit(late=1.0), monkeypatch)
    second, again = seen(workspace, unit(late=1.0), monkeypatch)
    other, shifted = seen(workspace, unit(late=3.0), monkeypatch)
    assert built == [1.0]
    with monkeypatch.context() as patch:  # a run without a store, as in a notebook
        patch.setattr(executor, "SharedStages", lambda *a: types.SimpleNamespace(
            seconds=None, building=0.0))  # fmt: skip
        alone, plain = seen(workspace, unit(late=1.0), monkeypatch)
    assert built == [1.0, 1.0]
    assert torch.equal(scores, again) and torch.equal(scores, plain)
    torch.testing.assert_close(shifted, scores + 2)
    assert first["curve"] == second["curve"] == other["curve"] == alone["curve"]
    assert [entry["stage"] for entry in first["curve"]] == ["first", "second"]


def test_its_seconds_are_stated_by_all_and_part_of_no_fit(workspace):
    records_of = [execute(workspace, unit(late=late)) for late in (0.0, 1.0)]
    assert [r["seconds"]["shared"] for r in records_of] == [5.0, 5.0]
    assert [r["seconds"]["fit"] for r in records_of] == [2.0, 2.0]


def test_other_settings_seeds_methods_and_versions_build_their_own(workspace):
    execute(workspace, unit())
    execute(workspace, unit(early=2.0))
    execute(workspace, dataclasses.replace(unit(), seed=1))
    execute(workspace, dataclasses.replace(unit(), method_version=2))
    execute(workspace, unit("wrong"))
    execute(workspace, dataclasses.replace(unit(), preprocess="square"))
    assert built == [1.0, 2.0, 1.0, 1.0, 1.0, 1.0]


def test_its_identity_knows_the_data_but_not_the_other_hyperparameters(tmp_path):
    data, other = drawn_images.images(tmp_path, 6), drawn_images.images(tmp_path, 6, seed=1)
    labels = data.labels.copy()
    labels[0] = 1 - labels[0]
    what = {"alpha": 0.4}
    plain = checkpoints.shared_identity(unit(late=1.0), data, what)
    assert plain == checkpoints.shared_identity(unit(late=2.0), data, what)
    changed = [
        checkpoints.shared_identity(UNIT, other, what),
        checkpoints.shared_identity(UNIT, dataclasses.replace(data, labels=labels), what),
        checkpoints.shared_identity(UNIT, data, {"alpha": 0.5}),
        checkpoints.shared_identity(dataclasses.replace(UNIT, weights_sha256="cc"), data, what),
        checkpoints.shared_identity(dataclasses.replace(UNIT, scale="paper"), data, what),
        checkpoints.shared_identity(dataclasses.replace(UNIT, task="coco-lt"), data, what),
    ]
    assert all(found != plain for found in changed)
    with pytest.raises(TypeError):
        checkpoints.shared_identity(UNIT, data, {"alpha": torch.zeros(1)})


def test_while_another_process_builds_it_the_unit_waits(workspace, tmp_path):
    execute(workspace, unit())
    (path,) = (tmp_path / "cache" / "states").glob("*.safetensors")
    path.unlink()
    job = types.SimpleNamespace(suite="x", folder=store.ResultsFolder(tmp_path / "r"), origin={})
    with files.claimed(path.with_suffix(".lock")) as mine:
        assert mine
        with pytest.raises(checkpoints.Busy):
            execute(workspace, unit())
        assert unit_process.computed(job, unit(), workspace, {}).outcome == unit_process.WAITS
    assert not list((tmp_path / "r").rglob("*.json")) and len(built) == 1
    assert execute(workspace, unit())["status"] == "done" and len(built) == 2


def test_a_forced_run_builds_it_anew_once(workspace, tmp_path, monkeypatch):
    execute(workspace, unit())
    stale = files.file_times(tmp_path / "cache" / "states", ".safetensors")
    assert len(stale) == 1
    forced = workspaces.make(tmp_path, monkeypatch, {"mine": Staged}, stale)
    for late in (0.0, 1.0):
        execute(forced, unit(late=late))
    assert len(built) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[: len(b) // 2],
        lambda b: b"",
        lambda b: b[:-40] + bytes(40),
        lambda b: b.replace(b"seconds", b"sEconds"),
        lambda b: b.replace(b"5.0", b"6.0"),
        lambda b: b"\xff" * 8 + b"{}" * 50,
        lambda b: json.dumps({"weight": []}).encode(),
    ],
)
def test_a_damaged_one_is_built_anew_which_one_line_says(workspace, tmp_path, damage, capsys):
    before = execute(workspace, unit())
    (path,) = (tmp_path / "cache" / "states").glob("*.safetensors")
    content = path.read_bytes()
    assert path.stat().st_mode & 0o222 == 0
    path.chmod(0o644)
    path.write_bytes(damage(content))
    path.with_name(f".{path.name}.0123456789ab.tmp").write_bytes(b"half")
    capsys.readouterr()
    assert execute(workspace, unit())["curve"] == before["curve"] and len(built) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line and "built anew" in line
    assert not list(path.parent.glob(".*.tmp"))
    execute(workspace, unit())
    assert len(built) == 2 and not capsys.readouterr().err


def test_one_of_another_stage_under_its_name_is_damage(workspace, tmp_path, capsys):
    execute(workspace, unit())
    (path,) = (tmp_path / "cache" / "states").glob("*.safetensors")
    execute(workspace, unit(early=2.0))
    (other,) = set(path.parent.glob("*.safetensors")) - {path}
    os.replace(other, path)
    execute(workspace, unit())
    assert built == [1.0, 2.0, 1.0] and "built anew" in capsys.readouterr().err


def test_one_that_fails_is_tried_once_and_leaves_no_file(workspace, tmp_path):
    for late in (0.0, 1.0):
        with pytest.raises(RuntimeError, match="no luck"):
            execute(workspace, unit(breaks=True, late=late))
    assert len(built) == 1 and not list((tmp_path / "cache" / "states").glob("*.safetensors"))


def test_the_oracle_does_not_look_into_a_shared_stage(workspace, tmp_path):
    run = drawn_images.run(tmp_path)
    run.after_epoch = watch = lambda stage, epoch: None
    with contextlib.suppress(RuntimeError):
        run.shared({}, lambda: Staged(breaks=True).first(run))
    assert run.after_epoch is watch and len(built) == 1
