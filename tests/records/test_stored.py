"""Stored scores from anywhere: what does not fit its record is one line and counts as missing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from benchmark.records import recompute, scores, store
from benchmark.records.scores import Maps
from tests.helpers import suite_records as fakes
from tests.records import test_scores as scored

_, TASK = scored.made()
UNIT = fakes.unit("voc-lt", "coop", split_sha256=TASK.split_sha256)
MAPS = Maps(np.array([0, 2]), np.ones((2, 9, 3), np.float32))


@pytest.fixture
def folder(tmp_path):
    return store.paths(tmp_path, "cimlic", "miniature")


@pytest.fixture
def record(folder):
    """A record that agrees with its stored scores, and has maps."""
    made = fakes.record(UNIT, n_classes={"all": 3, "head": 1, "tail": 2, "absent": 0})
    made |= scores.write_scores(folder.path, made, TASK, "logits", scored.SCORES, MAPS)
    found = scored.metric_fields(scored.SCORES, scores.read_truth(folder.path, made), "logits")
    made["n_classes"]["absent"] = found.pop("absent")
    made |= found
    store.write(folder, UNIT, made)
    return made


def rewrite(path, change):
    """Change the tensors and the metadata of a file."""
    with safe_open(str(path), framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = dict(file.metadata())
    change(tensors, about)
    save_file(tensors, str(path), metadata=about)


def drop(name):
    return lambda tensors, about: (about.pop(name, None), tensors.pop(name, None))


def tensor(name, make):
    return lambda tensors, about: tensors.update({name: make(tensors[name])})


def says(name, text):
    return lambda tensors, about: about.update({name: text})


def swapped(values):
    values = values.copy()
    values[0, 0] = np.nan
    return values


DEEP = "[" * 100_000
UNIT_FILE = {
    "one row less": tensor("scores", lambda x: x[1:].copy()),
    "one class less": tensor("scores", lambda x: x[:, 1:].copy()),
    "flat": tensor("scores", lambda x: x.reshape(-1)),
    "empty": tensor("scores", lambda x: x[:0]),
    "double": tensor("scores", lambda x: x.astype(np.float64)),
    "NaN": tensor("scores", swapped),
    "no scores": drop("scores"),
    "no truth": drop("truth"),
    "no split": drop("split_sha256"),
    "no kind": drop("kind"),
    "truth elsewhere": says("truth", "../../../etc/passwd"),
    "truth up": says("truth", ".."),
    "truth nowhere": says("truth", "\0"),
}
TRUTH = {
    "fewer paths": says("paths", '["a.jpg"]'),
    "fewer classes": says("class_names", '["ant"]'),
    "fewer groups": says("groups", '{"head": [0]}'),
    "a group beyond": says("groups", '{"head": [0], "tail": [1, 9]}'),
    "a group of texts": says("groups", '{"head": ["0"], "tail": [1, 2]}'),
    "groups in a list": says("groups", "[]"),
    "no groups": drop("groups"),
    "deep": says("paths", DEEP),
    "paths of numbers": says("paths", "[1, 2, 3, 4]"),
    "an absolute path": says("paths", '["/a.jpg", "b.jpg", "c.jpg", "d.jpg"]'),
    "a path up": says("paths", '["a/../../x.jpg", "b.jpg", "c.jpg", "d.jpg"]'),
    "a path up, elsewhere": says("paths", json.dumps(["..\\x.jpg", *"bcd"])),
    "a drive": says("paths", json.dumps(["C:\\x.jpg", *"bcd"])),
    "half a character": says("paths", json.dumps(["\udcff.jpg", *"bcd"])),
    "labels of one row": tensor("labels", lambda x: x[:1].copy()),
    "labels of 2": tensor("labels", lambda x: x * 2),
    "labels of float": tensor("labels", lambda x: x.astype(np.float32)),
    "no labels": drop("labels"),
}


def told(capsys) -> list[str]:
    return [x for x in capsys.readouterr().err.splitlines() if "treated as missing" in x]


@pytest.mark.parametrize("rehashed", [False, True])
@pytest.mark.parametrize("name", UNIT_FILE)
def test_damaged_scores(folder, record, name, rehashed, capsys):
    path = scores.path_of(folder.path, record)
    rewrite(path, UNIT_FILE[name])
    with safe_open(str(path), framework="numpy") as file:
        if rehashed and "scores" in file.keys():  # noqa: SIM118
            record |= {scores.FIELD: scores.digest(file.get_tensor("scores"))}
    store.write(folder, UNIT, record)
    outcome = recompute.recompute(folder, [UNIT])
    assert outcome.same == outcome.replaced == 0 and len(outcome.wrong) == 1
    lines = told(capsys)
    assert 1 <= len(lines) <= 2 and all(line.isprintable() for line in lines)


@pytest.mark.parametrize("name", TRUTH)
def test_a_damaged_truth(folder, record, name, capsys):
    (path,) = (folder.path / "scores").glob("truth_*")
    rewrite(path, TRUTH[name])
    assert scores.read_truth(folder.path, record) is None
    assert scores.read_scores(folder.path, record) is not None
    outcome = recompute.recompute(folder, [UNIT])
    assert outcome.same == 0 and len(outcome.wrong) == 1
    (line,) = told(capsys)
    assert line.startswith(f"warning: {path}: ") and line.isprintable() and len(line) < 400


MAP_FILE = {
    "an image beyond": says("images", "[0, 4]"),
    "an image before": says("images", "[-1, 2]"),
    "one image": says("images", "[0]"),
    "no image": says("images", "[]"),
    "texts": says("images", '["0", "2"]'),
    "a number": says("images", "3"),
    "deep": says("images", DEEP),
    "flat": tensor("maps", lambda x: x.reshape(2, -1)),
    "other classes": tensor("maps", lambda x: x[..., 1:].copy()),
    "NaN": tensor("maps", lambda x: x * np.nan),
    "no maps": drop("maps"),
}


@pytest.mark.parametrize("name", MAP_FILE)
def test_damaged_maps(folder, record, name, capsys):
    assert scores.read_maps(folder.path, record).values.shape == (2, 9, 3)
    rewrite(scores.path_of(folder.path, record), MAP_FILE[name])
    assert scores.read_maps(folder.path, record) is None
    assert scores.read_scores(folder.path, record) is not None
    assert len(told(capsys)) == 1


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e300", "-5.0", "true", '"12"'])
def test_a_wrong_number_in_a_record_is_found(folder, record, value, capsys):
    assert (
        recompute.recompute(folder, [UNIT]).text == "recomputed: 1 records agree with their scores"
    )
    path = folder.record(UNIT)
    path.write_text(json.dumps(record | {"schema": 1, "metrics": {"map": "here"}}))
    path.write_text(path.read_text().replace('"here"', value))
    outcome = recompute.recompute(folder, [UNIT])
    assert len(outcome.wrong) + outcome.damaged == 1 and outcome.same == 0
    assert outcome.damaged == len(told(capsys))


def test_recomputing_writes_below_the_folder_whatever_the_label(folder, record, tmp_path):
    older = {name: value for name, value in record["metrics"].items() if name != "var"}
    hostile = record | {"label": "x/../../../../../up", "metrics": older}
    path = folder.record(UNIT)
    path.write_text(json.dumps({"schema": 1} | hostile))
    scores.path_of(folder.path, record).rename(scores.path_of(folder.path, hostile))
    before = {p for p in tmp_path.rglob("*") if p.is_dir()}
    assert recompute.recompute(folder, [UNIT]).replaced == 1
    assert {p for p in tmp_path.rglob("*") if p.is_dir()} - before <= {folder.locks}
    assert len(list(folder.records.iterdir())) == 2 and len(store.load(folder.path)) == 1
