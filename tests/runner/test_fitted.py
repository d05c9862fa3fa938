"""Shipped methods that were fitted, and pictures that are in no split."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import types
from pathlib import Path

import numpy as np
import pytest

from benchmark.common.errors import InputError
from benchmark.method import discovery
from benchmark.records import scores
from benchmark.runner import executor, fitted, unit_process
from benchmark.runner.checkpoints import Busy
from tests.helpers import workspaces
from tests.helpers.workspaces import UNIT

SHORT = {
    "zeroshot": {},
    "dualcoop": {"epochs": 1, "views": 1},
    "hpdval": {"stage1_epochs": 1, "stage2_epochs": 1},
}


def unit_of(name):
    known = discovery.hyperparameters(discovery.shipped()[name])
    settings = {key: value for key, value in SHORT[name].items() if key in known}
    given = tuple(sorted((known | settings).items()))
    return dataclasses.replace(UNIT, method=name, label=name, hyperparameters=given)


@pytest.fixture
def scorer(tmp_path, monkeypatch):
    """By a method's name: its record and what has been fitted as its unit is."""
    places = {name: tmp_path / name for name in ("results", "temporary")}
    for place in places.values():
        place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(places["temporary"]))
    workspace = workspaces.make(tmp_path, monkeypatch, discovery.shipped())
    workspace.results = places["results"]
    monkeypatch.setattr(unit_process, "workspace_of", lambda *_: workspace)
    job = types.SimpleNamespace(devices=("cpu",), foreign=(), suite="tiny")

    def made(name):
        unit = unit_of(name)
        task = workspace.task(unit)
        named = dataclasses.replace(task, name="voc-lt", split_sha256="aa")
        monkeypatch.setattr(workspace, "task", lambda _: named)
        return executor.execute(workspace, unit), fitted.Scorer(job, unit)

    return made


def in_cache(folder):
    return sorted(path for path in (folder / "cache").rglob("*") if path.suffix != ".lock")


@pytest.mark.parametrize("name", SHORT)
def test_pictures_get_the_bits_that_the_unit_stores_wherever_they_lie(name, scorer, tmp_path):
    record, made = scorer(name)
    stored = scores.read_scores(tmp_path / "results", record)
    pictures = [str(file) for file in made.fitted.task.test.images.files()]
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    copies = [shutil.copy(path, elsewhere / f"{n} %20.png") for n, path in enumerate(pictures)]
    before = in_cache(tmp_path)
    for files in (pictures, [str(path) for path in copies]):
        assert np.array_equal(made.scores(files), stored)
    assert np.allclose(made.scores(pictures[2:3]), stored[2], atol=1e-4)
    assert in_cache(tmp_path) == before and not any((tmp_path / "temporary").glob("cimlic-*"))
    assert made.about()["kind"] == discovery.shipped()[name].scores


def test_a_picture_that_was_replaced_unnoticed_is_read_anew(scorer, tmp_path):
    _, made = scorer("zeroshot")
    pictures = [str(file) for file in made.fitted.task.test.images.files()]
    before, mine = made.scores(pictures), tmp_path / "mine.png"
    for number in (0, 1):
        mine.write_bytes(Path(pictures[number]).read_bytes().ljust(20_000, b"\0"))
        os.utime(mine, (1, 1))
        assert np.allclose(made.scores([str(mine)]), before[number], atol=1e-4)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"text"])
def test_a_picture_that_cannot_be_read_is_one_line(scorer, tmp_path, content):
    _, made = scorer("zeroshot")
    good = str(made.fitted.task.test.images.files()[0])
    bad = tmp_path / "bad.png"
    bad.write_bytes(content)
    with pytest.raises(InputError, match=f"^{bad}: cannot be read as an image"):
        made.scores([good, str(bad)])
    assert made.scores([good]).shape == (1, 5)
    assert not any((tmp_path / "temporary").glob("cimlic-*"))


def test_a_stage_that_another_process_builds_is_waited_for(monkeypatch):
    answers = [Busy, Busy, None]

    def step():
        answer = answers.pop(0)
        if answer:
            raise answer
        return "built"

    monkeypatch.setattr(fitted.time, "sleep", lambda seconds: None)
    assert fitted._patiently(step) == "built" and not answers
