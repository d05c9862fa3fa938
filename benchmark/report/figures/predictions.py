"""The figures that show test images: true and predicted labels of each method beside each other.

They need the stored scores of the first seed and the image folder; a task that lacks either has
no such figure. `thumbnails` gives single small images, for pages that show them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmark.common.errors import InputError
from benchmark.data import preprocessing
from benchmark.records import examples
from benchmark.records.scores import Truth, read_scores, read_truth
from benchmark.report.figures import score_maps, style
from benchmark.report.figures.style import Drawn
from benchmark.report.grid import Grid, drawn_labels
from benchmark.report.wording import about, in_short

SIDE = 224  # pixels of an image in a figure, at most
LINE = 0.165  # inches of one line of labels
HEAD = 0.58  # inches of the heading
TOP = 6  # labels listed of an image with more


def figures(grid: Grid, task: str, results: Path, images: Path) -> Iterator[Drawn]:
    """A long-tailed task's strip of predictions and its score maps, if it has what they need."""
    scored, truth = scores_of(grid, task, results), truth_of(grid, task, results)
    if scored and truth:
        yield from _strip(grid, task, truth, scored, images)
    yield from score_maps.figures(grid, task, results, images)


def absent(grid: Grid, results: Path, images: Path | None) -> str:
    """Why a report of long-tailed tasks shows no test images; "" where it does."""
    if not any(drawn_labels(grid, [task]) for task in grid.long_tailed):
        return ""
    if not any(scores_of(grid, task, results) for task in grid.long_tailed):
        return "Test images are not shown, because the records have no stored scores."
    if images is None:
        return "Test images are not shown, because the image folder is not there."
    return ""


def scores_of(grid: Grid, task: str, results: Path) -> dict[str, np.ndarray]:
    """{label: scores (N, C)} of each label's first seed or episode, where they were kept."""
    found = {x: read_scores(results, first(grid, task, x)) for x in drawn_labels(grid, [task])}
    return {label: scores for label, scores in found.items() if scores is not None}


def truth_of(grid: Grid, task: str, results: Path) -> Truth | None:
    """What the task's test images show; None where no label's scores were kept."""
    found = (read_truth(results, first(grid, task, x)) for x in drawn_labels(grid, [task]))
    return next(filter(None, found), None)


def first(grid: Grid, task: str, label: str) -> dict:
    """The record of the label's first seed or episode."""
    done = grid.cell(task, label).done
    return min(done, key=lambda r: (r.get("seed") or 0, r.get("episode") or 0))


def top(scores: np.ndarray, k: int) -> list[int]:
    """The k classes of highest score (C,), best first; ties by class index."""
    return np.argsort(-scores, kind="stable")[:k].tolist()


@dataclass(frozen=True)
class Thumbnails:
    """Small JPEG images: `files` {path: bytes}, each once; `of` {class: paths that show it}."""

    files: dict[str, bytes]
    of: dict[str, list[str]]


def thumbnails(truth: Truth, images: Path, each: int = 3, side: int = 96) -> Thumbnails:
    """`each` test images of every class, the first ones with the fewest other labels.

    images   the data root; an image that is not there, or that is none, is left out
    side     pixels of the longer side
    """
    crowd, files = truth.labels.sum(1), {}
    of: dict[str, list[str]] = {}
    for column, name in enumerate(truth.class_names):
        rows = np.flatnonzero(truth.labels[:, column])
        for row in rows[np.argsort(crowd[rows], kind="stable")][:each]:
            path = truth.paths[row]
            if path not in files and (picture := _read(images / path, side)):
                files[path] = jpeg(picture)
            if path in files:
                of.setdefault(name, []).append(path)
    return Thumbnails(files, of)


def jpeg(picture: Image.Image, quality: int = 78) -> bytes:
    """The picture as a JPEG file's bytes."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def _read(path: Path, side: int) -> Image.Image | None:
    """The image, its longer side at most `side` pixels; None where it cannot be read."""
    try:
        picture = preprocessing.read_image(path)
    except InputError:
        return None
    picture.thumbnail((side, side), Image.Resampling.BICUBIC)
    return picture


# -- true and predicted labels ------------------------------------------------------------------


def _strip(
    grid: Grid, task: str, truth: Truth, scored: dict[str, np.ndarray], images: Path
) -> Iterator[Drawn]:
    chosen = examples.rows(truth.labels, truth.groups.get("tail", ()))
    shown = {row: _read(images / truth.paths[row], SIDE) for row in chosen}
    shown = {row: picture for row, picture in shown.items() if picture}
    if not shown:
        return
    yield Drawn(
        f"predictions_{task}",
        _predictions(grid, task, truth, scored, shown),
        f"{task} (predictions), {about(grid, [task], named=False)}: test images with their true "
        "labels and, of each method (first seed), as many labels as are true, best first; + right, "
        "- wrong. Tail classes are marked with °. The images were chosen from their labels alone.",
    )


def _predictions(
    grid: Grid,
    task: str,
    truth: Truth,
    scored: dict[str, np.ndarray],
    shown: dict[int, Image.Image],
) -> Figure:
    """A column for each image: the picture, its labels, and a block of lines for each method."""
    lines = max(min(TOP, int(truth.labels[row].sum())) for row in shown)
    block = (lines + 0.8) * LINE
    heights = [1.5, *[block] * (1 + len(scored))]
    figure = Figure(figsize=(1.62 * len(shown) + 1.3, sum(heights) + HEAD), layout="none")
    room = HEAD / figure.get_figheight()
    plan = figure.add_gridspec(
        len(heights), len(shown) + 1, height_ratios=heights, hspace=0, wspace=0.06,
        width_ratios=[0.75, *[1] * len(shown)], left=0.01, right=0.995, bottom=0.01, top=1 - room,
    )  # fmt: skip
    names = ["", "true labels", *scored]
    for i, name in enumerate(names):
        axes = figure.add_subplot(plan[i, 0])
        _words(axes, [name], [style.INK], bold=True)
    for j, (row, picture) in enumerate(shown.items(), start=1):
        axes = figure.add_subplot(plan[0, j])
        axes.imshow(picture, interpolation="lanczos")
        axes.set_axis_off()
        true = _true(truth, row)
        _words(figure.add_subplot(plan[1, j]), _named(truth, true), [style.INK] * len(true))
        for i, scores in enumerate(scored.values(), start=2):
            best = top(scores[row], len(true))
            right = [k in true for k in best]
            texts = _named(truth, best, right)
            colours = [style.INK if yes else style.WRONG for yes in right]
            rest = f", {sum(right[TOP - 1 :])} right"
            _words(figure.add_subplot(plan[i, j]), texts, colours, rest)
    style.heading(figure, f"{task}: true and predicted labels", in_short(grid, [task]))
    return figure


def _true(truth: Truth, row: int) -> list[int]:
    """The row's classes, those of the tail first, since they are what the figure is about."""
    tail = truth.groups.get("tail", ())
    return sorted(np.flatnonzero(truth.labels[row]).tolist(), key=lambda k: k not in tail)


def _named(truth: Truth, classes: Sequence[int], right: Sequence[bool] = ()) -> list[str]:
    """The classes' names, tail ones marked; with `right`, whether each is true in front."""
    tail = truth.groups.get("tail", ())
    names = [truth.class_names[k] + ("°" if k in tail else "") for k in classes]
    if not right:
        return names
    return [f"{'+' if yes else '-'} {name}" for yes, name in zip(right, names, strict=True)]


def _words(
    axes: Axes, texts: Sequence[str], colours: Sequence[str], rest: str = "", bold: bool = False
) -> None:
    """Lines of text from the top of a block, the last one standing for those that do not fit."""
    axes.set_axis_off()
    if len(texts) > TOP:
        texts = [*texts[: TOP - 1], f"and {len(texts) - TOP + 1} more{rest}"]
        colours = [*colours[: TOP - 1], style.FAINT]
    for n, (text, colour) in enumerate(zip(texts, colours, strict=True)):
        axes.annotate(
            text, (0, 1), (0, -4 - 72 * LINE * n), xycoords="axes fraction", va="top",
            textcoords="offset points", fontsize=8.6, color=colour,
            fontweight="bold" if bold else "normal",
        )  # fmt: skip
