"""Scores beside the records: written whole and first, read back bit for bit, metrics redone."""

from __future__ import annotations

import dataclasses
import json
import types

import numpy as np
import pytest
import torch

from benchmark.method.base import Method
from benchmark.records import examples, recompute, store
from benchmark.records.record import metric_fields
from benchmark.records.scores import (
    Maps,
    digest,
    path_of,
    read_maps,
    read_metadata,
    read_scores,
    read_truth,
    write_scores,
)
from benchmark.runner.executor import execute
from tests.helpers import drawn_images, workspaces
from tests.helpers.workspaces import UNIT

LABELS = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 0]], np.float32)
SCORES = np.random.default_rng(3).standard_normal((4, 3)).astype(np.float32) * 1e-7


class Mine(Method):
    """Scores by mean colour; its local view leaves traces wherever it can."""

    name = "mine"
    view = None

    def fit(self, train, run):
        self.scores = torch.rand(8, 5)

    def predict(self, images, run):
        return self.scores

    def local_scores(self, images, run):
        if self.view == "breaks":
            raise RuntimeError("no patches\nat all")
        self.scores += 1
        torch.rand(3)
        shape = {"shape": (len(images), 5), "nan": (len(images), 9, 5)}.get(self.view)
        return torch.full(shape or (len(images), 9, 5), float("nan") if self.view == "nan" else 0.5)


def made(**changes) -> tuple[dict, types.SimpleNamespace]:
    """A record and its task, of four images and three classes."""
    record = {"key": "ab" * 32, "task": "voc-lt", "label": "coop", "seed": 0, "episode": None}
    test = types.SimpleNamespace(
        labels=LABELS, images=types.SimpleNamespace(paths=("a.jpg", "b.jpg", "ü.jpg", "d.jpg"))
    )
    task = types.SimpleNamespace(
        name="voc-lt", setting="long-tailed", dataset="voc", split_sha256="cd" * 32, episode=None,
        class_names=("ant", "bee", "<cat>"), groups={"head": (0,), "tail": (1, 2)}, test=test,
    )  # fmt: skip
    return record | {"split_sha256": task.split_sha256} | changes, task


def kept(folder, maps=None, **changes) -> dict:
    record, task = made(**changes)
    return record | write_scores(folder, record, task, "logits", SCORES, maps)


def test_scores_and_truth_come_back_bit_for_bit(tmp_path):
    record = kept(tmp_path)
    found = read_scores(tmp_path, record)
    assert found.dtype == np.float32 and found.tobytes() == SCORES.tobytes()
    assert record["scores_sha256"] == digest(np.asfortranarray(found))
    truth = read_truth(tmp_path, record)
    assert truth.labels.dtype == np.uint8 and (truth.labels == LABELS).all()
    assert truth.paths[2] == "ü.jpg" and truth.class_names[2] == "<cat>"
    assert truth.groups == {"head": (0,), "tail": (1, 2)} and not truth.redraw
    assert read_metadata(tmp_path, record)["kind"] == "logits"
    assert read_maps(tmp_path, record) is None
    names = sorted(path.name for path in (tmp_path / "scores").iterdir())
    assert names == [
        "truth_voc-lt_cdcdcdcdcd.safetensors", "voc-lt_coop_s0_ababababab.safetensors",
    ]  # fmt: skip


def test_the_truth_is_written_once_for_all_units(tmp_path):
    kept(tmp_path)
    path = next((tmp_path / "scores").glob("truth_*"))
    before = path.stat().st_mtime_ns
    other = kept(tmp_path, key="ef" * 32, seed=1)
    assert path.stat().st_mtime_ns == before and len(list(path.parent.iterdir())) == 3
    assert read_truth(tmp_path, other) is read_truth(tmp_path, other)


def test_a_few_shot_hold_out_has_a_truth_an_episode(tmp_path):
    record, task = made(episode=3)
    for name in ("voc-fs-1", "voc-fs-1-holdout"):
        few = types.SimpleNamespace(**{**vars(task), "name": name, "episode": 3})
        write_scores(tmp_path, {**record, "task": name}, few, "raw", SCORES)
    truths = {path.name for path in (tmp_path / "scores").glob("truth_*")}
    assert truths == {
        "truth_voc-fs-1_cdcdcdcdcd.safetensors",
        "truth_voc-fs-1-holdout_cdcdcdcdcd_e03.safetensors",
    }


def test_maps_are_kept_as_half_floats(tmp_path):
    values = np.linspace(-1, 1, 2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3)
    record = kept(tmp_path, Maps(np.array([2, 0]), values))
    found = read_maps(tmp_path, record)
    assert found.images.tolist() == [2, 0] and found.values.dtype == np.float32
    np.testing.assert_allclose(found.values, values, atol=5e-4)
    failed = kept(tmp_path, "no patches", key="ef" * 32)
    assert read_maps(tmp_path, failed) is None
    assert read_metadata(tmp_path, failed)["maps_reason"] == "no patches"


def test_records_without_scores_are_still_records(tmp_path):
    record = kept(tmp_path)
    for old in ({**record, "scores_sha256": None}, {k: record[k] for k in ("key", "task")}):
        assert read_scores(tmp_path, old) is None and read_truth(tmp_path, old) is None
    path_of(tmp_path, record).unlink()
    assert read_scores(tmp_path, record) is None  # such as a copy of the records alone


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", None])
def test_damaged_scores_are_told_and_missing(tmp_path, content, capsys):
    record = kept(tmp_path)
    if content is None:  # the file of another unit
        other = path_of(tmp_path, kept(tmp_path, key="ef" * 32))
        content = other.read_bytes()
    path_of(tmp_path, record).write_bytes(content)
    assert read_scores(tmp_path, record) is None and read_maps(tmp_path, record) is None
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "treated as missing" in lines[0] and "safetensors" in lines[0]


def test_other_scores_than_the_records_are_told_and_missing(tmp_path, capsys):
    record = kept(tmp_path) | {"scores_sha256": "0" * 64}
    assert read_scores(tmp_path, record) is None
    assert "not those of the scores_sha256" in capsys.readouterr().err


def test_a_damaged_truth_is_told_and_missing(tmp_path, capsys):
    record = kept(tmp_path)
    next((tmp_path / "scores").glob("truth_*")).write_bytes(b"x")
    assert read_truth(tmp_path, record) is None
    assert "truth_voc-lt" in capsys.readouterr().err


def test_scores_lie_there_before_the_record(world, monkeypatch):
    seen = []
    write = store.write

    def late(folder, unit, record):
        seen.append(read_scores(folder.path, record))
        return write(folder, unit, record)

    monkeypatch.setattr(store, "write", late)
    one = ("--tasks", "voc-lt", "--methods", "prior")
    world.run(*one, "--seeds", "0")
    assert [scores.shape for scores in seen] == [(36, 6)]
    record = store.load(world.records)[0]
    assert record["scores_sha256"] == digest(seen[0])
    monkeypatch.setattr("benchmark.runner.executor.write_scores", lambda *_: 1 / 0)
    assert world.run(*one, "--seeds", "1")[0] == 1
    assert [r["status"] for r in store.load(world.records)] == ["done", "failed"]


def test_a_refused_unit_has_no_scores(world):
    assert world.run("--tasks", "voc-fs-1", "--methods", "refuses")[0] == 0
    assert store.load(world.records)[0]["scores_sha256"] is None
    assert not (world.records.parent / "scores").exists()


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace that keeps scores, on a task whose examples are its images 2 and 5."""
    made = workspaces.make(tmp_path, monkeypatch, {"mine": Mine})
    made.results = tmp_path / "results"
    named = dataclasses.replace(made.task(UNIT), name="voc-lt", split_sha256=UNIT.split_sha256)
    monkeypatch.setattr(made, "task", lambda unit: named)
    monkeypatch.setattr(examples, "of", lambda task: [2, 5])
    return made


def test_local_scores_change_no_bit(workspace, monkeypatch):
    record = execute(workspace, UNIT)
    found = read_scores(workspace.results, record)
    maps = read_maps(workspace.results, record)
    assert maps.images.tolist() == [2, 5] and maps.values.shape == (2, 9, 5)
    monkeypatch.setattr(Mine, "local_scores", Method.local_scores)
    other = execute(workspace, dataclasses.replace(UNIT, label="plain"))
    assert other["scores_sha256"] == record["scores_sha256"] and found.max() < 1
    assert other["metrics"] == record["metrics"]
    assert read_maps(workspace.results, other) is None
    truth = read_truth(workspace.results, record)
    assert metric_fields(found, truth, "raw")["metrics"] == record["metrics"]


@pytest.mark.parametrize(
    "view, words",
    [
        ("breaks", "RuntimeError: no patches at all"),
        ("shape", "expected (K, L, C)"),
        ("nan", "NaN"),
    ],
)
def test_a_local_view_that_fails_costs_only_its_maps(workspace, monkeypatch, view, words):
    monkeypatch.setattr(Mine, "view", view)
    record = execute(workspace, UNIT)
    assert record["status"] == "done" and read_maps(workspace.results, record) is None
    assert words in read_metadata(workspace.results, record)["maps_reason"]


def test_only_the_first_seed_has_maps(workspace):
    record = execute(workspace, dataclasses.replace(UNIT, seed=1))
    assert read_scores(workspace.results, record) is not None
    assert read_maps(workspace.results, record) is None


def test_the_examples_are_of_tail_images_spread_over_classes():
    labels = np.zeros((9, 6), np.uint8)
    for row, classes in enumerate(
        ["", "015", "01", "0125", "0124", "0134", "0145", "2345", "0123"]
    ):
        labels[row, [int(k) for k in classes]] = 1
    chosen = examples.rows(labels, tail=(4, 5))
    assert set(chosen) <= {1, 3, 4, 5, 6, 7} and len(chosen) == 6
    assert chosen[:2] == [3, 5]  # 4 and 5 are as rare; most classes first; then the other one
    assert examples.rows(labels, tail=(4, 5), count=2) == chosen[:2]
    assert examples.rows(labels, tail=()) == [] and examples.rows(labels * 0, tail=(4,)) == []


def test_the_examples_are_of_long_tailed_tasks_alone():
    labels = np.ones((2, 3), np.float32)
    test = types.SimpleNamespace(labels=labels)
    task = types.SimpleNamespace(setting="long-tailed", groups={"tail": (2,)}, test=test)
    assert examples.of(task) == [0, 1]
    for other in ({"setting": "few-shot"}, {"groups": {"tail": ()}}, {"groups": {"novel": (1,)}}):
        assert examples.of(types.SimpleNamespace(**{**vars(task), **other})) == []


def test_recompute_agrees_fills_in_and_tells(world):
    both = ("--methods", "prior", "based")
    assert world.run(*both)[0] == 0
    fits = world.computed()
    code, out, err = world.run(*both, "--report", "--recompute")
    assert code == 0 and "8 records agree with their scores\n" in out and not err
    paths = sorted(world.records.glob("*.json"))

    def change(path, **fields):
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, **fields}))
        return record

    first, second, third, fourth, *_ = paths
    metrics = json.loads(first.read_text())["metrics"]
    older = {name: value for name, value in metrics.items() if name != "var"}
    before = change(first, metrics=older | {"map": metrics["map"] + 1e-9})
    change(second, metrics=json.loads(second.read_text())["metrics"] | {"map": 3.0})
    change(third, scores_sha256=None)
    change(fourth, scores_sha256="0" * 64)
    code, out, err = world.run(*both, "--report", "--recompute")
    assert code == 1 and "4 records agree" in out and "1 were replaced" in out
    assert "1 have no stored scores" in out and "2 numbers DO NOT AGREE" in out
    lines = [x for x in err.splitlines() if x.startswith("error: ")]
    assert any(second.stem in x and "metrics map: recorded 3.0" in x for x in lines)
    assert any(fourth.stem in x and "not those of the record" in x for x in lines)
    assert json.loads(first.read_text()) == before | {"metrics": metrics}
    assert json.loads(second.read_text())["metrics"]["map"] == 3.0
    assert world.computed() == fits


def test_recompute_reads_no_nan_as_equal():
    assert not recompute._equal(None, 1.0) and not recompute._equal(1.0, None)
    assert recompute._equal(None, None) and not recompute._equal(1.0, 1.00001)


def test_recompute_goes_with_report(world):
    code, _, err = world.run("--recompute")
    assert code == 2 and "--report" in err and world.computed() == []


def test_methods_of_the_repository_have_local_views(tmp_path):
    from baselines.zeroshot import ZeroShot
    from hpdval.hpdval import HPDVAL

    train = drawn_images.images(tmp_path, 6)
    run = drawn_images.run(tmp_path)
    for method in (ZeroShot(), HPDVAL(stage1_epochs=0, stage2_epochs=1, batch_size=6)):
        method.fit(train, run)
        found = method.local_scores(train.images, run)
        assert found.shape[::2] == (6, 5) and not found.requires_grad
        assert found.abs().max() <= 1 + 1e-5 and found.std(1).min() > 0
