"""Own pictures from Python: splits made, a method run on them, pictures of no split scored."""

from __future__ import annotations

import csv
import os

import numpy as np
import pytest

from benchmark import api
from benchmark.clip import resolve
from benchmark.data import tasks
from benchmark.records import scores, store
from tests.helpers import drawn_images, own_files

CLASSES = ("ant", "bee", "cat")
ROWS = [(f"pictures/{n}.jpg", [n % 3]) for n in range(30)]
GIVEN = {"images": "pictures", "labels": "all.csv", "data_root": "."}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A data root with empty pictures, in which the caller is."""
    own_files.write(tmp_path, ROWS, CLASSES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CIMLIC_DATA_ROOT", raising=False)
    return tmp_path


def test_splits_are_made_and_told_of(here, capsys):
    choices = {"few_shot": True, "novel": ["cat"], "shots": 1, "episodes": 2, "groups": "thirds"}
    choices |= {"names": {"cat": "a tame cat"}, "test_share": 0.3, "template": "{}, drawn"}
    made = api.make_splits("pets", **GIVEN, **choices)
    assert made.tasks == ("pets-lt", "pets-fs-1") and set(made.written) == {"pets-lt", "pets-fs"}
    text = str(made)
    assert "30, of them 0 without a label" in text and f"made, {made.folders['pets-lt']}" in text
    task = tasks.load("pets-lt", "paper", here)
    assert task.class_names == ("ant", "bee", "a tame cat") and len(task.test.images) == 9
    assert task.own["template"] == "{}, drawn"
    again = api.make_splits("pets", **GIVEN, **choices | {"novel": "cat", "shots": [1]})
    assert not again.written and "is there as it would be made, and stays" in repr(again)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "wrong, line",
    [
        ({"data_root": None}, "--data-root: name the folder"),
        ({"data_root": "gone"}, "gone: no such folder"),
        ({"images": 3}, "--images: 3 is no path"),
        ({"labels": "gone.csv"}, "gone.csv"),
        ({"test_share": "half"}, "--test-share half: must be above 0"),
        ({"long_tailed": (1, 2)}, "--long-tailed 1,2: must be"),
        ({"few_shot": True}, "--few-shot: needs the novel classes"),
        ({"few_shot": True, "novel": ["dog"]}, "dog"),
        ({"shots": []}, "--shots: is empty"),
        ({"names": 3}, "--names: 3 is no path"),
        ({"names": {"dog": "cat"}}, "dog"),
        ({"template": "{} and {}"}, "--template"),
        ({"names": {"cat": "9" * 99}}, "999"),  # longer than CLIP's context
    ],
    ids=str,
)
def test_bad_input_is_one_line_and_nothing_is_written(here, wrong, line):
    with pytest.raises(api.InputError) as caught:
        api.make_splits("pets", **GIVEN | wrong)
    assert line in str(caught.value) and "\n" not in str(caught.value)
    assert not (here / "cimlic-splits").exists()


def test_a_bad_name_is_refused(here):
    with pytest.raises(api.InputError, match="name coco: is that of the official splits"):
        api.make_splits("coco", **GIVEN)


def test_from_pictures_to_scores(tmp_path, monkeypatch):
    """With real pictures and CLIP, in processes of their own."""
    monkeypatch.setenv("CIMLIC_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    drawn = drawn_images.images(folder, 30)
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        rows = zip(drawn.images.paths, drawn.labels.astype(int), strict=True)
        csv.writer(file).writerows([["path", *drawn.class_names], *([p, *ks] for p, ks in rows)])
    made = api.make_splits(
        "toys", images=folder, labels=tmp_path / "labels.csv", data_root=tmp_path
    )
    given = {"data_root": tmp_path, "backbone": f"local-dir:{resolve.MINIATURE}", "device": "cpu"}
    found = api.run(
        tasks=made.tasks, methods="zeroshot", report=False, progress=False,
        workers=1, **given | {"results_dir": tmp_path / "results"},
    )  # fmt: skip
    assert list(found["status"]) == ["done"] and found["map"][0] > 50
    record = store.load(tmp_path / "results")[0]
    stored = scores.read_scores(tmp_path / "results" / "cimlic" / "paper", record)
    files = tasks.load("toys-lt", "paper", tmp_path).test.images.files()
    damaged = tmp_path / "cut short.png"
    damaged.write_bytes(files[0].read_bytes()[:200])
    monkeypatch.chdir(folder)
    with api.fit("toys-lt", "zeroshot", **given) as fitted:
        mine = fitted.scores([os.path.relpath(file) for file in files])
        assert np.array_equal(mine.to_numpy(), stored)
        assert tuple(mine.columns) == tuple(sorted(drawn.class_names)) and fitted.kind == "logits"
        with pytest.raises(api.InputError, match=f"^{damaged}: cannot be read as an image"):
            fitted.scores([files[0], damaged])
