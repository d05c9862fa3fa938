"""`api.fit` in the tiny world: the bits of the unit, errors in one line, processes that end."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from benchmark import api
from benchmark.data import tasks
from benchmark.records import scores, store
from tests.helpers import tiny_suite


@pytest.fixture
def given(world, monkeypatch):
    """What every call in the tiny world is given; its processes know the world, too."""
    monkeypatch.setenv("TINY", str(world.folder))
    for number in range(60):
        (world.folder / f"{number:03d}.jpg").touch()
    return {
        "suite": world.folder / "tiny.yaml",
        "plugins": [world.folder / "fast.py"],
        "device": "cpu",
    }


def running() -> list:
    """Processes of ours."""
    gc.collect()
    return multiprocessing.active_children()


UNITS = [
    ("voc-lt", "prior", {"seed": 1}),
    ("voc-lt", "learner", {}),
    ("voc-fs-1", "based", {"episode": 2}),
    ("voc-fs-1", "steady", {"episode": 2}),
]


@pytest.mark.parametrize("task, label, which", UNITS, ids=lambda part: str(part))
def test_scores_of_the_test_images_are_those_that_the_unit_stores(world, given, task, label, which):
    beside = {"results_dir": world.results, "workers": 1, "report": False, "progress": False}
    found = api.run(tasks=task, methods=label, seeds=which.get("seed", 0), **given, **beside)
    row = found.iloc[-1]
    record = next(r for r in store.load(world.records) if r["key"] == row["key"])
    stored = scores.read_scores(world.records.parent, record)
    test = tasks.load(task, "miniature", world.folder, record["episode"]).test
    with api.fit(task, label, **which, **given) as fitted:
        for _ in range(2):  # each call as if it were the first
            again = fitted.scores(test.images.files())
            assert np.array_equal(again.to_numpy(), stored) and again.dtypes.eq("float32").all()
        same = ("key", "seed", "episode", "hyperparameters", "curve", "split_sha256", "suite")
        assert all(fitted.record[name] == record[name] for name in same)
        assert fitted.record["status"] == "fitted" and fitted.record["metrics"]["map"] is None
        assert set(fitted.record) == set(record) - {"schema"}
    assert world.computed().count("base") == (label == "based")  # trained by the run, then read


def test_the_index_is_as_given_and_the_columns_are_classes(world, given, monkeypatch):
    monkeypatch.chdir(world.folder)
    (world.folder / "a b").mkdir()
    (world.folder / "a b" / "one %20.png").touch()
    files = ["001.jpg", Path("a b") / "one %20.png", str(world.folder / "002.jpg"), "001.jpg"]
    with api.fit("voc-lt", "prior", **given) as fitted:
        found = fitted.scores(files)
        assert list(found.index) == files and found.index.name == "file"
        assert tuple(found.columns) == tiny_suite.CLASSES == fitted.class_names
        assert fitted.kind == "raw" and "voc-lt prior seed 0: 6 classes, raw" in repr(fitted)
        assert fitted.scores([]).shape == (0, 6) and fitted.scores("003.jpg").shape == (1, 6)


def test_bad_files_are_one_line_and_the_method_stays(world, given):
    with api.fit("voc-lt", "prior", **given) as fitted:
        gone = world.folder / "gone.jpg"
        for files, line in (
            ([world.folder / "001.jpg", gone], f"{gone}: no such file.* [(]1 of 2 missing"),
            ([world.folder], "no such file"),
            ([3], "files: 3 is no path"),
            (3, "files: 3 is no list"),
            ([""], "files: is empty"),
        ):
            with pytest.raises(api.InputError, match=line):
                fitted.scores(files)
        assert len(fitted.scores([world.folder / "001.jpg"])) == 1


BAD = [
    ({"task": "voc-ld"}, "unknown task 'voc-ld'"),
    ({"method": "priro"}, "unknown method 'priro'"),
    ({"method": None}, "--methods: None is not a name"),
    ({"seed": -1}, "seed -1: must be"),
    ({"episode": 1}, "task voc-lt: has no episodes; leave the episode out"),
    ({"task": "voc-fs-1", "seed": 1}, "task voc-fs-1: varies by its episode"),
    ({"task": "voc-fs-1", "episode": 11}, "episodes: 11 asked for"),
    ({"task": "voc-fs-1", "method": "refuses"}, "does not take this task: needs many images"),
    ({"device": "cuda:99"}, "--device cuda:99: not there"),
]


@pytest.mark.parametrize("wrong, line", BAD, ids=lambda part: str(part)[:40])
def test_bad_input_is_raised_in_one_line(world, given, wrong, line):
    with pytest.raises(api.InputError) as caught:
        api.fit(**{"task": "voc-lt", "method": "prior", **given, **wrong})
    assert line in str(caught.value) and "\n" not in str(caught.value)
    assert not world.results.exists() and running() == []


def test_what_a_method_raises_comes_with_its_traceback(given, monkeypatch):
    monkeypatch.setenv("TINY_HOW", "nan")
    with api.fit("voc-lt", "breaks", **given) as fitted:
        with pytest.raises(RuntimeError, match="breaks seed 0: ValueError: predict") as found:
            fitted.scores([given["suite"]])
        assert "check_scores" in found.value.__notes__[0]


def test_processes_end_with_their_method(given):
    fitted = api.fit("voc-lt", "prior", **given)
    assert len(running()) == 1
    fitted.close()
    fitted.close()
    assert running() == []
    with pytest.raises(api.InputError, match="was closed; fit it again"):
        fitted.scores([given["suite"]])
    fitted = api.fit("voc-lt", "prior", **given)
    del fitted
    assert running() == []


def test_a_process_that_is_killed_is_told_of(given):
    with api.fit("voc-lt", "prior", **given) as fitted:
        os.kill(running()[0].pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="seed 0: its process was ended by SIGKILL"):
            fitted.scores([given["suite"]])


def test_an_interrupted_call_is_not_heard_by_the_next(world, given, monkeypatch):
    class Impatient:
        """The pipe, whose first answer is not waited for."""

        def __init__(self, pipe):
            self.pipe, self.send, self.interrupted = pipe, pipe.send, False

        def recv(self):
            if self.interrupted:
                return self.pipe.recv()
            self.interrupted = True
            raise KeyboardInterrupt

    with api.fit("voc-lt", "prior", **given) as fitted:
        process = fitted._process
        monkeypatch.setattr(process, "pipe", Impatient(process.pipe))
        with pytest.raises(KeyboardInterrupt):
            fitted.scores([world.folder / "001.jpg"] * 2)
        assert len(fitted.scores([world.folder / "001.jpg"])) == 1
