"""The class explorer's data: counts, groups, APs, and a bounded number of small images."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmark.report.page import explorer, inline_svg
from tests.helpers import report_page as fake
from tests.helpers.report_page import METHODS


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """(grid, task, data root)"""
    root = tmp_path_factory.mktemp("world")
    return *fake.world(root), root


def test_classes_have_counts_groups_and_images(world, monkeypatch):
    grid, task, root = world
    scores = np.random.default_rng(0).random(task.test.labels.shape, np.float32)
    at = dict.fromkeys(METHODS, scores) | {"coop": None}
    monkeypatch.setattr(
        "benchmark.records.scores.read_scores", lambda folder, record: at[record["label"]]
    )
    found = explorer.data(grid, root / "cimlic" / "miniature", root)
    [entry] = found["tasks"]
    classes = {c["name"]: c for c in entry["classes"]}
    counts = [c["train"] for c in entry["classes"]]
    assert counts == sorted(counts, reverse=True) and len(classes) == 20
    for column, name in enumerate(task.class_names):
        group = next(g for g, columns in task.groups.items() if column in columns)
        assert classes[name]["group"] == group
        assert classes[name]["test"] == int(task.test.labels[:, column].sum())
        assert classes[name]["ap"] == [[50.0, None, 1], [50.0, 0.0, 3], [50.0, 0.0, 3]]
    shown = [(name, image) for name, c in classes.items() for image in c["images"]]
    assert shown and len(found["pictures"]) == len({image["picture"] for _, image in shown})
    for name, image in shown:
        assert name in image["labels"] and image["ranks"][1] is None
        assert 1 <= image["ranks"][0] <= 20 and image["ranks"][0] == image["ranks"][2]
    assert all(p.startswith("data:image/jpeg;base64,") for p in found["pictures"])


def test_ranks_count_the_classes_above(world, monkeypatch):
    grid, task, root = world
    monkeypatch.setattr(
        "benchmark.records.scores.read_scores", lambda folder, record: task.test.labels
    )
    found = explorer.data(grid, root, root)
    images = [image for c in found["tasks"][0]["classes"] for image in c["images"]]
    assert images and all(image["ranks"] == [1, 1, 1] for image in images)
    monkeypatch.setattr(
        "benchmark.records.scores.read_scores", lambda folder, record: -task.test.labels
    )
    for c in explorer.data(grid, root, root)["tasks"][0]["classes"]:
        for image in c["images"]:
            assert image["ranks"][0] == 1 + 20 - len(image["labels"])


def test_pictures_stop_at_the_budget(world):
    root = world[2]
    album = explorer.Album(root, left=5_000)
    paths = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*.jpg"))]
    places = [album.add(path) for path in paths]
    assert sum(map(len, album.addresses)) <= 5_000 and None in places and 0 in places
    assert album.add(paths[0]) == 0 and album.add("gone.jpg") is None


def test_without_images_and_with_other_splits_there_are_none(world, tmp_path):
    found = explorer.data(world[0], None, None)
    assert found["pictures"] == [] and found["tasks"][0]["classes"][0]["test"] > 0
    grid = fake.grid(tmp_path / "cimlic" / "miniature")
    other = explorer.data(grid, None, world[2])  # its records' split is not the one in splits/
    assert other["pictures"] == [] and other["tasks"][0]["classes"][0]["test"] is None
    assert {c["group"] for c in other["tasks"][0]["classes"]} == {"head", "medium", "tail"}


def test_an_image_is_made_small_or_taken_as_it_is(tmp_path):
    Image.new("RGB", (640, 480), "red").save(tmp_path / "large.png")
    Image.new("RGB", (90, 90), "red").save(tmp_path / "small.jpg")
    assert len(explorer.thumbnail(tmp_path / "large.png")) < 4_000
    content = (tmp_path / "small.jpg").read_bytes()
    assert explorer.thumbnail(tmp_path / "small.jpg") == inline_svg.data(content, "image/jpeg")
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    assert explorer.thumbnail(tmp_path / "bad.jpg") is None
