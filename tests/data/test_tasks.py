"""Tasks: what each one trains and tests on, and hold-outs that never see the test set."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.data import holdouts, splits, tasks

ROOT = Path("data")


def load(name: str, episode: int | None = 1, root: Path = ROOT) -> tasks.Task:
    return tasks.load(name, "miniature", root, None if "-lt" in name else episode)


@pytest.mark.parametrize("name", tasks.ALL)
def test_every_task_is_consistent(name, captioned):
    task = load(name, root=captioned)
    for part in filter(None, (task.train, task.test, task.base)):
        assert part.labels.shape == (len(part.images), len(part.class_names))
        assert part.labels.dtype == np.float32 and set(np.unique(part.labels)) <= {0, 1}
        assert len(set(part.images.paths)) == len(part.images) > 0
    assert task.train.class_names == task.test.class_names == task.class_names
    assert task.restriction is None
    assert (task.train.class_counts > 0).all() and (task.test.class_counts > 0).all()
    assert not set(task.train.images.paths) & set(task.test.images.paths)
    indices = [k for group in task.groups.values() for k in group]
    assert sorted(indices) == list(range(len(task.class_names)))
    assert task.train.images.files()[0] == captioned / task.train.images.paths[0]
    for part in filter(None, (task.train, task.base)):
        assert len(part.captions) == len(part.images) and all(part.captions)
    assert task.test.captions is None
    few = task.setting == "few-shot"
    assert (task.base is not None) == few == (task.shots is not None) == (task.episode == 1)


@pytest.mark.parametrize("name", ["coco-fs-1", "coco-fs-5", "voc-fs-1", "voc-fs-5"])
@pytest.mark.parametrize("suffix", ["", "-dev", "-holdout"])
def test_few_shot_columns_and_shots(name, suffix):
    first, second = (load(name + suffix, episode) for episode in (1, 2))
    for task in (first, second):
        assert not set(task.base.class_names) & set(task.class_names)
        assert task.train.class_counts.min() == task.shots
        assert name.startswith("coco") or task.train.class_counts.max() == task.shots
        assert (task.base.labels.sum(1) > 0).all() and (task.test.labels.sum(1) > 0).all()
    assert first.train.images.paths != second.train.images.paths
    assert first.base.images.paths == second.base.images.paths
    sizes = {"coco-fs": (64, 16), "voc-fs": (14, 6)}[name[:-2]]
    expected = (
        sizes if suffix != "-holdout" else (sizes[0] - sizes[0] // 4 - (sizes[0] % 4 > 1), None)
    )
    assert len(first.base.class_names) == expected[0]
    assert suffix == "-holdout" or len(first.class_names) == expected[1]


@pytest.mark.parametrize("name", tasks.HOLDOUTS)
def test_holdouts_use_training_images_alone(name):
    split_name, shots, _ = tasks.split_of(name)
    split = splits.read(split_name, "miniature")
    file = "train.txt" if shots is None else "base_train.txt"
    allowed = {path for path, _ in splits.entries(split, file)}
    task = load(name)
    held = set(task.test.images.paths)
    assert held <= allowed and set(task.train.images.paths) <= allowed
    if shots is None:
        assert held | set(task.train.images.paths) == allowed
        assert len(held) == len(allowed) // 4
    else:
        assert not set(task.base.images.paths) & (held | set(task.train.images.paths))
        assert not set(task.class_names) & {split.classes[k] for k in split.groups["novel"]}


@pytest.mark.parametrize("name", tasks.TASKS)
def test_a_development_task_has_images_and_episodes_of_its_own(name):
    real, development = load(name), load(f"{name}-dev")
    assert not set(real.test.images.paths) & set(development.test.images.paths)
    assert not {*real.train.images.paths} & {*development.test.images.paths}
    assert real.class_names == development.class_names and real.groups == development.groups
    assert real.split_sha256 == development.split_sha256
    if real.episode is None:
        assert real.train.images.paths == development.train.images.paths
        share = [task.test.labels.mean() for task in (real, development)]
        assert share[0] == pytest.approx(share[1], rel=0.05)  # as natural as the test set
    else:
        assert real.train.images.paths != development.train.images.paths
        assert real.base.images.paths == development.base.images.paths


def test_the_papers_scale_has_no_development_tasks(monkeypatch):
    split = splits.read("voc-lt", "miniature")
    files = {name: info for name, info in split.files.items() if name != "dev.txt"}
    monkeypatch.setattr(splits, "read", lambda *_: replace(split, scale="paper", files=files))
    for ask in (tasks.info, tasks.load):
        with pytest.raises(InputError, match="voc-lt: no development set at the paper") as caught:
            ask("voc-lt-dev", "paper", ROOT)
        assert "-holdout" in str(caught.value) and "\n" not in str(caught.value)
    assert len(tasks.info("voc-lt-holdout", "paper", ROOT).split_sha256) == 64


def test_holdouts_are_the_same_in_another_process():
    code = (
        "from benchmark.data import tasks\n"
        "t = tasks.load('coco-fs-5-holdout', 'miniature', 'data', 3)\n"
        "print(*t.train.images.paths, *t.test.images.paths)"
    )
    task = load("coco-fs-5-holdout", 3)
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=environment.ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert found == [*task.train.images.paths, *task.test.images.paths]


def test_identity_of_the_data():
    real, held = (
        tasks.info(name, "miniature").split_sha256 for name in ("voc-lt", "voc-lt-holdout")
    )
    assert real == splits.read("voc-lt", "miniature").sha256 == load("voc-lt").split_sha256
    assert held != real and len(held) == 64 and held == load("voc-lt-holdout").split_sha256


def test_errors_are_one_line(tmp_path):
    for name, scale, episode, wanted in (
        ("coco-tl", "miniature", None, "did you mean 'coco-lt'"),
        ("coco-lt", "mini", None, "unknown scale"),
        ("coco-lt", "miniature", 1, "has no episodes"),
        ("coco-fs-1", "miniature", None, "must be 1 to 10"),
        ("coco-fs-1", "miniature", 11, "must be 1 to 10"),
        ("coco-lt", "paper", None, "is not fetched; run"),
    ):
        with pytest.raises(InputError, match=wanted) as caught:
            tasks.load(name, scale, tmp_path, episode)
        assert "\n" not in str(caught.value)


def test_missing_images_are_named(tmp_path):
    task = tasks.load("voc-fs-1", "miniature", tmp_path, 1)
    for path in task.train.images.files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(InputError, match="453 of 453 missing for task voc-fs-1") as caught:
        tasks.check_files(task)
    assert task.test.images.paths[0] in str(caught.value)


def test_labels_are_those_of_the_list():
    task = load("voc-fs-5")
    split = splits.read("voc-fs", "miniature")
    rows = splits.entries(split, "novel_test.txt")
    for n in (0, len(rows) // 2, len(rows) - 1):
        path, indices = rows[n]
        assert task.test.images.paths[n] == path
        names = {task.class_names[k] for k in np.flatnonzero(task.test.labels[n])}
        assert names == {split.classes[k] for k in indices}
    assert task.test.class_counts.tolist() == [split.test_counts[k] for k in split.groups["novel"]]


def test_quarter_never_takes_the_last_training_image():
    rows = [("a", (0,)), ("b", (0, 1)), ("c", (1, 2)), ("d", (1,)), ("e", ()), ("f", (3,))]
    train, test = holdouts.quarter(rows, 4)
    for index in range(4):
        total = sum(index in labels for _, labels in rows)
        kept = sum(index in labels for _, labels in train)
        assert kept >= 1 and (total < 2 or kept < total)
    assert sorted(train + test) == sorted(rows)
