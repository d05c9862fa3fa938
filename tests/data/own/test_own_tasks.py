"""Tasks of own images are tasks like any other: named, read, held out, checked, planned."""

from __future__ import annotations

import json
import re

import pytest

from benchmark.cli import data_root
from benchmark.clip import resolve
from benchmark.common.errors import InputError
from benchmark.data import splits, tasks
from benchmark.records import record
from benchmark.suites import plan
from tests.helpers import own_splits

NAMES = ["birds-fs-1", "birds-fs-1-holdout", "birds-lt", "birds-lt-holdout"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    made = tmp_path_factory.mktemp("root")
    own_splits.write(made)
    return made


def planned(root, **flags) -> plan.Plan:
    backbone = resolve.DEFAULT["miniature"]
    return plan.make(plan.Choice("cimlic", data_root=root, backbone=backbone, **flags))


def test_their_names(root):
    assert tasks.own(root) == NAMES
    assert tasks.known("paper", root) == (*tasks.ALL, *NAMES)
    assert tasks.known("miniature") == tasks.ALL
    assert [tasks.title(name) for name in NAMES[1:3]] == ["birds 1-shot hold-out", "birds-LT"]
    assert tasks.split_of("a-fs-b-fs-12-holdout") == ("a-fs-b-fs", 12, "holdout")


@pytest.mark.parametrize("name", ["coco-fs-3", "birds", "birds-lt-5", "birds-fs-0", "birds-lt-dev"])
def test_names_of_none(name):
    with pytest.raises(InputError, match=f"unknown task '{name}'"):
        tasks.split_of(name)


def test_what_they_hold(root):
    task = tasks.load("birds-lt", "paper", root)
    assert task.train.images.paths == tuple(path for path, _ in own_splits.TRAIN)
    assert task.test.labels.tolist() == [[1, 0, 0, 1, 0], [0, 1, 0, 0, 1], [0] * 5]
    assert task.groups == {"head": (0,), "medium": (1, 3), "tail": (2, 4)}
    assert task.own == {k: own_splits.OWN[k] for k in ("like", "template", "grouping")}
    assert "own images have none" in task.captions_missing()
    few = tasks.load("birds-fs-1", "paper", root, 2)
    assert few.class_names == ("duck", "eagle") and few.base.class_names == own_splits.CLASSES[:3]
    with pytest.raises(InputError, match="episode 3 must be 1 to 2"):
        tasks.load("birds-fs-1", "paper", root, 3)


def test_holdouts(root):
    task = tasks.load("birds-lt-holdout", "paper", root)
    both = {*task.train.images.paths, *task.test.images.paths}
    assert both == {path for path, _ in own_splits.TRAIN}
    few = tasks.load("birds-fs-1-holdout", "paper", root, 1)
    assert few.class_names == ("bee eater",)
    assert few.split_sha256 != tasks.load("birds-fs-1", "paper", root, 1).split_sha256


def test_a_plan_takes_the_nearest_of_the_two_and_the_template(root):
    made = planned(root, tasks=("birds-lt", "birds-fs-1"), methods=("zeroshot", "hpdval"))
    assert len(made.units) == 3 + 2 + 1 + 1  # seeds and episodes; zero-shot is deterministic
    for unit in made.units:
        given = dict(unit.hyperparameters)
        assert given["template"] == "a drawing of a {}"
        assert given.get("db_constants", "voc") == "voc"
    official = {unit.method: dict(unit.hyperparameters) for unit in planned(None).units}
    assert official["zeroshot"]["template"] == "a photo of a {}."


@pytest.mark.parametrize(
    "flags, words",
    [
        ({"root": None}, "unknown task 'birds-lt'.* need --data-root DIR"),
        ({"tasks": ("fish-lt",)}, "unknown split 'fish-lt'.* splits make --help"),
        ({"tasks": ("birds-fs-5",)}, "no such episodes; it has birds-fs-1"),
        ({"tasks": ("coco-fs-3",)}, "unknown task 'coco-fs-3'.* known: "),
    ],
)
def test_tasks_that_are_not_there(root, flags, words):
    with pytest.raises(InputError, match=words):
        planned(**{"root": root, "tasks": ("birds-lt",)} | flags)


@pytest.mark.parametrize(
    "field, value, words",
    [
        ("own", None, "field own: must be an object"),
        ("own.like", {"dataset": "nus"}, "dataset is coco or voc"),
        ("own.template", "no place", "a text with one {} in it"),
        ("own.grouping", [20, 100], r"such as \[100, 20\]"),
        ("own.grouping", [True, True], r"such as \[100, 20\]"),
        ("groups", {"head": [], "medium": [], "tail": list(own_splits.CLASSES)}, "is head, not"),
        ("dataset", "voc", "field dataset: must be birds"),
    ],
)
def test_a_manifest_that_is_wrong(tmp_path, field, value, words):
    own_splits.write(tmp_path)
    path = splits.fetched("birds-lt", tmp_path) / "manifest.json"
    raw = json.loads(path.read_text())
    *above, last = field.split(".")
    (raw[above[0]] if above else raw)[last] = value
    path.write_text(json.dumps(raw))
    assert "birds-lt" in tasks.own(tmp_path)  # so that it can be asked for, and the answer is why
    with pytest.raises(InputError, match=f"{re.escape(str(path))}.*{words}.*splits make"):
        planned(tmp_path, tasks=("birds-lt",))
    assert planned(tmp_path, tasks=("birds-fs-1",), methods=("coop",)).units
    splits.fetched("birds-fs", tmp_path).joinpath("manifest.json").write_text("{")
    with pytest.raises(InputError, match="birds-fs/manifest.json: not readable as JSON"):
        planned(tmp_path, tasks=("birds-fs-1",))


def test_a_list_that_was_changed(root, tmp_path):
    own_splits.write(tmp_path)
    path = splits.fetched("birds-lt", tmp_path) / "train.txt"
    assert path.read_text().startswith("pictures/one%20auk.jpg 0\npictures/100%25.jpg 0 1\n")
    path.write_text(path.read_text() + "pictures/more.jpg 0\n")
    with pytest.raises(InputError, match=f"{path}: sha256 differs.*splits make"):
        tasks.load("birds-lt", "paper", tmp_path)


def test_the_record_says_by_which_rule(root):
    (unit,) = planned(root, tasks=("birds-lt",), methods=("zeroshot",)).units
    assert record.described(unit, tasks.load("birds-lt", "paper", root))["own"] == {
        "like": own_splits.OWN["like"],
        "template": "a drawing of a {}",
        "grouping": [4, 3],
    }


def test_the_data_root_check(tmp_path, capsys):
    own_splits.write(tmp_path)
    assert data_root.main(["check", "--data-root", str(tmp_path)]) == 2
    out = capsys.readouterr().out
    assert "11 of 11 listed images, first pictures/one auk.jpg" in out
    assert "birds-lt: not ready (1 problem)" in out and "coco" not in out
    for path in {path for path, _ in (*own_splits.TRAIN, *own_splits.TEST)}:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"no picture")
    assert data_root.main(["check", "--data-root", str(tmp_path)]) == 0
    assert "birds-fs-1: ready" in capsys.readouterr().out
    assert data_root.main(["check", "--decode", "--data-root", str(tmp_path)]) == 2
    assert "more images do not decode" in capsys.readouterr().out
