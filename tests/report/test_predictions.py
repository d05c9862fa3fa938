"""The figures of test images: labels and predictions, score maps over an image."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmark.records import scores
from benchmark.records.scores import Maps, read_maps, write_scores
from benchmark.report.figures import predictions, score_maps, style
from benchmark.report.grid import first_records, gather
from tests.helpers import suite_records as fakes

CLASSES = ("person", "kite", "bear", "bus")
LABELS = np.array([[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 1]])
# Image 0: a person over most of it, a small kite; x, y, width, height of 64 x 48 pixels.
BOXES = {
    0: [("person", (8, 0, 40, 48)), ("kite", (50, 2, 8, 8)), ("bear", (0, 0, 30, 30))],
    1: [("person", (10, 10, 20, 20)), ("kite", (30, 0, 10, 20)), ("bus", (0, 0, 20, 20))],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """(grid, results, images): two methods on coco-lt with scores and one with maps, 4 images."""
    images = tmp_path_factory.mktemp("images")
    results = tmp_path_factory.mktemp("pictures")
    paths = tuple(f"val2017/{n:012d}.jpg" for n in range(4))
    (images / "val2017").mkdir()
    for n, path in enumerate(paths):
        Image.new("RGB", (64, 48), (60 * n, 120, 90)).save(images / path)
    _annotate(images)
    units = fakes.units(("coop", "hpdval"), ("coco-lt",), seeds=2)
    records = []
    for unit in units:
        record = fakes.record(unit)
        records.append(record | _scores(results, record, paths))
    return gather(units, fakes.store(results, records)), results, images


def _annotate(images):
    """COCO's annotation file of the images."""
    notes = [
        {"id": k, "image_id": n, "category_id": CLASSES.index(name) + 1, "bbox": box}
        for k, (n, name, box) in enumerate((n, *o) for n, each in BOXES.items() for o in each)
    ]
    content = {
        "categories": [{"id": k, "name": name} for k, name in enumerate(CLASSES, 1)],
        "images": [{"id": n, "file_name": f"{n:012d}.jpg"} for n in range(4)],
        "annotations": notes,
    }
    (images / "annotations").mkdir()
    (images / "annotations" / "instances_val2017.json").write_text(json.dumps(content))


def _scores(results, record, paths):
    """Store scores that rank a record's classes; the first seed's say kite, bus, person, bear."""
    task = SimpleNamespace(
        name="coco-lt",
        split_sha256=record["split_sha256"],
        episode=None,
        dataset="coco",
        setting="long-tailed",
        class_names=CLASSES,
        groups={"head": (0,), "medium": (3,), "tail": (1, 2)},
        test=SimpleNamespace(labels=LABELS, images=SimpleNamespace(paths=paths)),
    )
    scores = np.tile(np.array([0.5, 0.9, 0.1, 0.7], np.float32), (4, 1))
    if record["seed"]:
        scores = -scores
    maps = None
    if record["label"] == "hpdval" and not record["seed"]:
        values = np.zeros((2, 9, 4), np.float32)
        values[:, 2, 1] = 1.0  # the kite's place: the upper right of 3 x 3
        values[:, :, 0] = 0.3
        maps = Maps(np.array([0, 1]), values)
    return write_scores(results, record, task, "logits", scores, maps)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_predictions_of_the_first_seed_beside_the_truth(world):
    grid, results, images = world
    found = {f.name: f for f in predictions.figures(grid, "coco-lt", results, images)}
    assert list(found) == ["predictions_coco-lt", "maps_coco-lt"]
    shown = texts(found["predictions_coco-lt"].figure)
    assert shown[:3] == ["true labels", "coop", "hpdval"]
    # Rows 0 and 1 have three labels, one of the tail; the tail stands first.
    of = [shown[n : n + 3] for n in range(3, len(shown), 3)]
    assert of[0::3] == [["kite°", "bear°", "person"], ["kite°", "person", "bus"]]
    assert of[1] == of[2] == ["+ kite°", "- bus", "+ person"]
    assert of[4] == ["+ kite°", "+ bus", "+ person"]
    wrong = [
        text.get_color()
        for axes in found["predictions_coco-lt"].figure.axes
        for text in axes.texts
        if text.get_text().startswith("- ")
    ]
    assert wrong == [style.WRONG] * 2


def test_long_lists_end_in_their_number():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    names = [str(n) for n in range(9)]
    predictions._words(axes, names, [style.INK] * 9, ", 2 right")
    found = [text.get_text() for text in axes.texts]
    assert found == [*names[: predictions.TOP - 1], "and 4 more, 2 right"]


def test_without_images_or_scores_there_is_a_note_and_no_figure(world, tmp_path):
    grid, results, images = world
    assert predictions.absent(grid, results, images) == ""
    assert "image folder is not there" in predictions.absent(grid, results, None)
    assert "no stored scores" in predictions.absent(grid, tmp_path, images)
    assert "no stored scores" in predictions.absent(grid, tmp_path, None)  # as in a reference
    assert not list(predictions.figures(grid, "coco-lt", tmp_path, images))
    assert not list(
        predictions.figures(grid, "coco-lt", results, tmp_path)
    )  # no image, no annotation


def test_the_scene_is_the_most_dominated_object(world):
    grid, results, images = world
    truth = predictions.truth_of(grid, "coco-lt", results)
    scene = score_maps.choose(truth, [0, 1], images, "square")
    assert (scene.row, scene.small, scene.large) == (0, "kite", "person")
    ((x, y, w, h),) = scene.boxes["kite"]  # stretched from 64 x 48 to the square
    scale = score_maps.SIDE / 64, score_maps.SIDE / 48
    assert (x, y, w, h) == pytest.approx((50 * scale[0], 2 * scale[1], 8 * scale[0], 8 * scale[1]))
    # CLIP's crop cuts 8 pixels off either side: the kite loses 2 of its 8 columns.
    scene = score_maps.choose(truth, [0], images, "clip")
    ((x, y, w, h),) = scene.boxes["kite"]
    side = score_maps.SIDE / 48
    assert (x, w) == pytest.approx((42 * side, 6 * side))
    assert score_maps.choose(truth, [2, 3], images, "clip") is None  # not annotated


def test_maps_show_the_places_of_either_class(world):
    grid, results, images = world
    (drawn,) = score_maps.figures(grid, "coco-lt", results, images)
    assert list(score_maps.maps_of(grid, "coco-lt", results)) == ["hpdval"]
    picture, large, small = drawn.figure.axes
    assert picture.get_title("left") == "hpdval"
    assert large.get_title("left").startswith("person\nrank of 4: 1 by all")
    assert small.get_title("left") == "kite\nrank of 4: 2 by all places, 1 by the best"
    shade = small.images[-1].get_array()[..., 3]
    dark = np.full(9, score_maps.DARK)
    dark[2] = 0  # the kite's place
    np.testing.assert_allclose(shade.ravel(), dark, rtol=1e-6)


def test_rank_by_all_and_by_the_best_places():
    values = np.zeros((10, 3))
    values[:, 0] = 0.2
    values[4, 2] = 1.0
    assert [score_maps.rank(values, k) for k in range(3)] == [1, 3, 2]
    assert [score_maps.rank(values, k, 0.1) for k in range(3)] == [2, 3, 1]


def test_maps_that_are_no_square_are_left_out(world, tmp_path):
    grid, results, _ = world
    record = first_records(grid, "coco-lt")["hpdval"]
    odd = Maps(np.array([0]), np.zeros((1, 8, 4), np.float32))
    again = replace(grid)
    original = read_maps
    try:
        scores.read_maps = lambda folder, of: odd if of is record else original(folder, of)
        assert score_maps.maps_of(again, "coco-lt", results) == {}
    finally:
        scores.read_maps = original
