"""The figures of local scores: where a method finds a small class that another one dominates.

Only methods that give local scores have such maps (see `benchmark.records.scores`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from benchmark.common.errors import InputError
from benchmark.data import preprocessing
from benchmark.data.annotations import VOC_CLASSES, Box, Instances, voc_boxes
from benchmark.records import scores
from benchmark.records.scores import Maps, Truth
from benchmark.report.figures import style
from benchmark.report.grid import Grid, first_records, preprocess, task_title
from benchmark.report.wording import in_short, of_task

SIDE = 224  # pixels of the picture under a map
BEST = 32 / 196  # share of places that the local view averages: the paper's k of its patches
DARK = 0.92  # opacity of the shade over the place of the lowest score
SMALL = 0.01  # share of the picture that an object must cover at least to be chosen

Boxes = dict[str, list[Box]]  # class name -> boxes in the picture, pixels of SIDE


@dataclass(frozen=True)
class Scene:
    """A test image with a small class and the one that covers most of it."""

    row: int
    picture: Image.Image
    small: str
    large: str
    boxes: Boxes


def figures(grid: Grid, task: str, results: Path, images: Path) -> Iterator[style.Drawn]:
    """The figure of one task; none without maps, images, or a scene to show."""
    found = maps_of(grid, task, results)
    if not found:
        return
    record = grid.cell(task, next(iter(found))).done[0]
    truth = scores.read_truth(results, record)
    if truth is None:
        return
    classes = len(truth.class_names)
    found = {label: maps for label, maps in found.items() if maps.values.shape[2] == classes}
    shown = sorted(set.intersection(*(set(maps.images.tolist()) for maps in found.values())))
    scene = choose(truth, shown, images, preprocess(record)) if shown else None
    if scene:
        yield style.Drawn(
            f"maps_{task}",
            _figure(grid, task, scene, found, truth),
            f"{of_task(grid, task, 'local scores')}: a test image with "
            f"{scene.small}, a small object beside {scene.large}, and how well each place of it "
            "matches either class, by method (first seed; dark: low, bright: high, each map on its "
            "own scale). Ranks are among all classes: by the mean over all places, and by the mean "
            "of the best places, as the local view takes it.",
        )


def maps_of(grid: Grid, task: str, results: Path) -> dict[str, Maps]:
    """{label: maps} of the labels whose first seed left some, the pictures seen alike."""
    found: dict[str, Maps] = {}
    seen = set()
    for label, record in first_records(grid, task).items():
        maps = scores.read_maps(results, record)
        if maps is not None and math.isqrt(maps.values.shape[1]) ** 2 == maps.values.shape[1]:
            seen.add(preprocess(record))
            if len(seen) == 1:
                found[label] = maps
    return found


def rank(values: np.ndarray, column: int, share: float = 1.0) -> int:
    """The rank of a class among all, 1 the highest, by its mean over the best `share` of places.

    values   (L, C): the cosine of each place with each class
    column   the class
    """
    k = max(1, round(share * len(values)))
    means = np.sort(values, 0)[-k:].mean(0)
    return 1 + int((means > means[column]).sum())


# -- the scene ----------------------------------------------------------------------------------


def choose(truth: Truth, rows: list[int], images: Path, how: str) -> Scene | None:
    """The image among `rows` with the largest ratio of the areas that two of its classes cover.

    images   the data root, with the dataset's annotations
    how      the preprocessing, such as "clip" or "square"
    None where there are no annotations or images, or no image with two classes.
    """
    most, chosen = 0.0, None
    for row, annotated in boxes_of(images, truth, rows).items():
        try:
            whole = preprocessing.read_image(images / truth.paths[row])
        except InputError:
            continue
        boxes = _seen(annotated, whole.size, how)
        covered = {name: _covered(each) for name, each in boxes.items()}
        covered = {name: area for name, area in covered.items() if area >= SMALL}
        if len(covered) < 2:
            continue
        small, large = min(covered, key=covered.get), max(covered, key=covered.get)
        ratio = covered[large] / covered[small]
        if ratio > most:
            picture = preprocessing.parse(how).picture(whole, SIDE)
            most, chosen = ratio, Scene(row, picture, small, large, boxes)
    return chosen


def boxes_of(images: Path, truth: Truth, rows: list[int]) -> dict[int, Boxes]:
    """{row: {class of the task: boxes (x, y, width, height) in pixels of the file}}; empty without
    the annotations."""
    paths = {row: images / truth.paths[row] for row in rows}
    folder = paths[rows[0]].parent
    try:
        if "VOCdevkit" in Path(truth.paths[rows[0]]).parts[:-2]:
            names = {row: path.stem for row, path in paths.items()}
            every, classes = voc_boxes(folder.parent, names.values()), VOC_CLASSES
        else:
            names = {row: path.name for row, path in paths.items()}
            file = Instances(images / "annotations" / f"instances_{folder.name}.json")
            every, classes = file.boxes(), file.classes
    except InputError:
        return {}
    found: dict[int, Boxes] = {}
    for row, name in names.items():
        for index, box in every.get(name, ()):
            if classes[index] in truth.class_names:
                found.setdefault(row, {}).setdefault(classes[index], []).append(box)
    return found


def _seen(boxes: Boxes, size: tuple[int, int], how: str) -> Boxes:
    """The boxes in the picture that the model sees, cut at its edges."""
    whole = np.array(size)
    square = preprocessing.parse(how).fit == "square"
    scale = SIDE / (whole if square else whole.min())
    margin = 0.0 if square else (whole * scale - SIDE) / 2  # cut off left and right, or above
    out: Boxes = {}
    for name, each in boxes.items():
        for box in np.array(each).reshape(-1, 2, 2):  # (x, y), (width, height)
            start = np.maximum(0.0, box[0] * scale - margin)
            extent = np.minimum(SIDE, box.sum(0) * scale - margin) - start
            if (extent > 0).all():
                out.setdefault(name, []).append((*start.tolist(), *extent.tolist()))
    return out


def _covered(boxes: list[Box]) -> float:
    """Share of the picture under the boxes, overlaps counted once."""
    mask = np.zeros((SIDE, SIDE), bool)
    for x, y, w, h in boxes:
        mask[math.floor(y) : math.ceil(y + h), math.floor(x) : math.ceil(x + w)] = True
    return float(mask.mean())


# -- the figure ---------------------------------------------------------------------------------


def _figure(grid: Grid, task: str, scene: Scene, found: dict[str, Maps], truth: Truth) -> Figure:
    """A row for each method: the picture with its boxes, then the maps of the two classes."""
    figure, every = style.panels(3 * len(found), 3, (9.0, 2.75 * len(found) + 0.9))
    count = len(truth.class_names)
    for axes, (label, maps) in zip(every.reshape(-1, 3), found.items(), strict=True):
        values = maps.values[maps.images.tolist().index(scene.row)]
        _picture(axes[0], scene)
        axes[0].set_title(grid.title(label), fontsize=11, loc="left", fontweight="bold")
        for place, name in zip(axes[1:], (scene.large, scene.small), strict=True):
            column = truth.class_names.index(name)
            _map(place, scene, values[:, column], name)
            words = f"rank of {count}: {rank(values, column)} by all places, "
            words += f"{rank(values, column, BEST)} by the best"
            place.set_title(f"{name}\n{words}", fontsize=8.8, loc="left")
    style.heading(
        figure, f"{task_title(task)}: local scores of a small class", in_short(grid, [task])
    )
    return figure


def _picture(axes: Axes, scene: Scene) -> None:
    axes.imshow(scene.picture, interpolation="lanczos")
    for name, dash in ((scene.large, "--"), (scene.small, "-")):
        _outlines(axes, scene.boxes[name], dash)
        x, y, *_ = scene.boxes[name][0]
        axes.annotate(
            name, (x, y), (2, -2), textcoords="offset points", va="top", fontsize=8, color="white",
            bbox={"facecolor": "black", "alpha": 0.65, "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    axes.set_axis_off()


def _map(axes: Axes, scene: Scene, values: np.ndarray, name: str) -> None:
    """The picture, the darker at a place the lower the place's value; values (L,), row by row."""
    side = math.isqrt(len(values))
    low, high = values.min(), values.max()
    shade = np.zeros((side, side, 4))
    shade[..., 3] = DARK * (1 - (values.reshape(side, side) - low) / max(high - low, 1e-9))
    axes.imshow(scene.picture, interpolation="lanczos")
    axes.imshow(shade, extent=(0, SIDE, SIDE, 0), interpolation="nearest")
    _outlines(axes, scene.boxes[name], "-")
    axes.set_axis_off()


def _outlines(axes: Axes, boxes: list[Box], dash: str) -> None:
    for x, y, w, h in boxes:
        for colour, width in (("black", 2.6), ("white", 1.3)):
            axes.add_patch(Rectangle((x, y), w, h, fill=False, ec=colour, lw=width, ls=dash))
