"""The figures that show test images: true and predicted labels of each method beside each other.

They need the stored scores of the first seed and the image folder; a task that lacks either has
no such figure.
"""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmark.common.errors import InputError
from benchmark.data import preprocessing
from benchmark.records import examples, scores
from benchmark.records.scores import Truth
from benchmark.report.figures import score_maps, style
from benchmark.report.grid import Grid, drawn_labels, first_records, task_title
from benchmark.report.wording import in_short, of_task

SIDE = 224  # pixels of an image in a figure, at most
LINE = 0.165  # inches of one line of labels
HEAD = 0.58  # inches of the heading
TOP = 6  # labels listed of an image with more
NAME = 15  # characters of a method's name in a line


def figures(grid: Grid, task: str, results: Path, images: Path) -> Iterator[style.Drawn]:
    """A long-tailed task's strip of predictions and its score maps, if it has what they need."""
    scored, truth = scores_of(grid, task, results), truth_of(grid, task, results)
    scored = {x: of for x, of in scored.items() if truth and of.shape == truth.labels.shape}
    if scored and truth and (shown := _pictures(truth, images)):
        yield style.Drawn(
            f"predictions_{task}",
            _predictions(grid, task, truth, scored, shown),
            f"{of_task(grid, task, 'predictions')}: test images with their "
            "true labels and, of each method (first seed), as many labels as are true, best "
            "first; + right, - wrong. Tail classes are marked with °. The images were chosen from "
            "their labels alone.",
        )
    yield from score_maps.figures(grid, task, results, images)


def absent(grid: Grid, results: Path, images: Path | None) -> str:
    """Why a report of long-tailed tasks shows no test images; "" where it does."""
    if not any(drawn_labels(grid, [task]) for task in grid.long_tailed):
        return ""
    first = (r for task in grid.long_tailed for r in first_records(grid, task).values())
    if all(scores.read_scores(results, record) is None for record in first):
        return "Test images are not shown, because the records have no stored scores."
    if images is None:
        return "Test images are not shown, because the image folder is not there."
    return ""


def scores_of(grid: Grid, task: str, results: Path) -> dict[str, np.ndarray]:
    """{label: scores (N, C)} of each label's first seed or episode, where they were kept."""
    read = {x: scores.read_scores(results, r) for x, r in first_records(grid, task).items()}
    return {label: values for label, values in read.items() if values is not None}


def truth_of(grid: Grid, task: str, results: Path) -> Truth | None:
    """What the task's test images show; None where no label's scores were kept."""
    found = (scores.read_truth(results, r) for r in first_records(grid, task).values())
    return next(filter(None, found), None)


def _pictures(truth: Truth, images: Path) -> dict[int, Image.Image]:
    """{row: picture} of the example images that can be read, the longer side at most SIDE."""
    shown = {}
    for row in examples.rows(truth.labels, truth.groups.get("tail", ())):
        with contextlib.suppress(InputError):
            shown[row] = preprocessing.read_image(images / truth.paths[row])
            shown[row].thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return shown


def _predictions(
    grid: Grid, task: str, truth: Truth, scored: dict[str, np.ndarray], shown: dict
) -> Figure:
    """A column for each of `shown` {row: picture}: the picture, its labels, and a block of lines
    for each method of `scored` {label: scores (N, C)}."""
    tail = truth.groups.get("tail", ())  # named first: they are what the figure is about
    names = [name + "°" * (k in tail) for k, name in enumerate(truth.class_names)]
    lines = max(min(TOP, int(truth.labels[row].sum())) for row in shown)
    block = (lines + 0.8) * LINE
    heights = [1.5, *[block] * (1 + len(scored))]
    figure = Figure(figsize=(1.62 * len(shown) + 1.3, sum(heights) + HEAD), layout="none")
    room = HEAD / figure.get_figheight()
    plan = figure.add_gridspec(
        len(heights), len(shown) + 1, height_ratios=heights, hspace=0, wspace=0.06,
        width_ratios=[0.75, *[1] * len(shown)], left=0.01, right=0.995, bottom=0.01, top=1 - room,
    )  # fmt: skip
    for i, name in enumerate(["true labels", *map(grid.title, scored)], start=1):
        words = textwrap.wrap(name, NAME)
        _words(figure.add_subplot(plan[i, 0]), words, [style.INK] * len(words), bold=True)
    for j, (row, picture) in enumerate(shown.items(), start=1):
        axes = figure.add_subplot(plan[0, j])
        axes.imshow(picture, interpolation="lanczos")
        axes.set_axis_off()
        true = sorted(np.flatnonzero(truth.labels[row]).tolist(), key=lambda k: k not in tail)
        _words(figure.add_subplot(plan[1, j]), [names[k] for k in true], [style.INK] * len(true))
        for i, values in enumerate(scored.values(), start=2):
            best = np.argsort(-values[row], kind="stable")[: len(true)].tolist()
            right = [k in true for k in best]
            texts = [f"{'+' if k in true else '-'} {names[k]}" for k in best]
            colours = [style.INK if yes else style.WRONG for yes in right]
            rest = f", {sum(right[TOP - 1 :])} right"
            _words(figure.add_subplot(plan[i, j]), texts, colours, rest)
    style.heading(figure, f"{task_title(task)}: true and predicted labels", in_short(grid, [task]))
    return figure


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
