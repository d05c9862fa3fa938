"""The figure of gains: AP of each class over zero-shot CLIP's, classes by training count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from benchmark.report.figures import style
from benchmark.report.grid import Grid, class_mean, drawn_labels, grouping, task_title
from benchmark.report.wording import in_short, named, of_task

BASE = "zeroshot"  # the method that the gains are over, under whatever label
CLASSES = 120  # that a figure has room for


def figures(grid: Grid, task: str) -> Iterator[style.Drawn]:
    """The figure of one long-tailed task; none without zero-shot results and another method's."""
    base = base_label(grid, task)
    others = [x for x in drawn_labels(grid, [task]) if x != base]
    if base is None or not others:
        return
    classes = classes_of(grid, task, base)
    found = {x: gains(grid, task, x, base, [name for name, _ in classes]) for x in others}
    if any(np.isfinite(values).any() for values in found.values()):
        some = f" of {CLASSES} of {len(classes):,} classes, evenly spread"
        which = some if len(classes) > CLASSES else " of each class"
        yield style.Drawn(
            f"gains_{task}",
            _figure(grid, task, classes, found),
            f"{of_task(grid, task)}: AP{which} less that "
            f"of {grid.title(base)} (percentage points, means over seeds); classes from most to "
            "fewest training images, whose number stands behind the name; dashed: the group "
            "boundaries.",
        )


def base_label(grid: Grid, task: str) -> str | None:
    """The label whose results on the task are zero-shot CLIP's."""
    methods = {x: {r.get("method") for r in grid.cell(task, x).done} for x in grid.labels}
    return next((label for label, found in methods.items() if BASE in found), None)


def classes_of(grid: Grid, task: str, label: str) -> list[tuple[str, int]]:
    """(class, training images), most first; equal counts by name."""
    counts = grid.cell(task, label).done[0].get("train_counts") or {}
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def gains(grid: Grid, task: str, label: str, base: str, classes: Sequence[str]) -> np.ndarray:
    """Mean AP of the label less that of the base, per class (C,); NaN where either has none."""

    def means(label: str) -> np.ndarray:
        found = (class_mean(grid.cell(task, label).done, name) for name in classes)
        return np.array([np.nan if mean is None else mean for mean in found])

    return means(label) - means(base)


def _figure(
    grid: Grid, task: str, classes: list[tuple[str, int]], found: dict[str, np.ndarray]
) -> Figure:
    """A row of bars for each method, all on the same axes, so that rows compare by eye."""
    places = np.linspace(0, len(classes) - 1, min(CLASSES, len(classes))).round().astype(int)
    classes = [classes[k] for k in places]
    size = (max(8.6, 1.0 + 0.145 * len(classes)), 1.6 * len(found) + 2.2)
    figure, rows = style.panels(len(found), 1, size, sharex=True, sharey=True)
    counts = [images for _, images in classes]
    ends = [0, *(sum(n >= edge for n in counts) for edge in grouping(grid, task)), len(counts)]
    for axes, (label, values) in zip(rows, found.items(), strict=True):
        _row(axes, grid, task, label, values, places)
        for end in ends[1:-1]:
            if 0 < end < len(counts):
                style.boundary(axes, end - 0.5)
    every = np.concatenate(list(found.values()))
    low, high = min(0, np.nanmin(every)), max(0, np.nanmax(every))
    rows[0].set_ylim(low - 0.04 * (high - low), high + 0.2 * (high - low))
    names = [f"{name}  {images:,}" for name, images in classes]
    fontsize = 9.5 if len(classes) <= 30 else 7.4
    rows[-1].set_xticks(range(len(classes)), names, rotation=90, fontsize=fontsize)
    rows[-1].set_xlim(-0.7, len(classes) - 0.3)
    for axes in rows[:-1]:
        axes.xaxis.set_visible(False)  # has no names, and a tick for each takes long to lay out
    figure.supylabel("AP gain (percentage points)", fontsize=11)
    _group_names(rows[0], ends)
    subtitle = f"{in_short(grid, [task])}; means over seeds; classes by number of training images"
    base = grid.title(base_label(grid, task))
    style.heading(figure, f"{task_title(task)}: gain of each class over {base}", subtitle)
    return figure


def _row(
    axes: Axes, grid: Grid, task: str, label: str, values: np.ndarray, places: np.ndarray
) -> None:
    """Bars of the values in these places; the words above are about all of them."""
    axes.tick_params(axis="x", length=0)
    look = style.look(grid.labels.index(label))
    bars = values[places]
    corners = np.array([[-0.36, 0], [-0.36, 1], [0.36, 1], [0.36, 0]])  # of a bar of height 1
    shapes = corners * np.stack([np.ones_like(bars), bars], 1)[:, None]
    shapes[..., 0] += np.arange(len(bars))[:, None]
    # One collection: as many rectangles of their own take several times as long to draw.
    axes.add_collection(PolyCollection(shapes, facecolor=look.colour, edgecolor=style.INK, lw=0.5))
    axes.axhline(0, color=style.INK, lw=0.9)
    known = values[np.isfinite(values)]
    words = f"{named(grid, task, label)}: {known.mean():+.1f} on average, "
    words += f"better in {int((known > 0).sum())} of {len(known)} classes"
    axes.set_title(words, fontsize=9.5, loc="left")


def _group_names(axes: Axes, ends: Sequence[int]) -> None:
    """head, medium and tail above their classes, each from one of the `ends` to the next."""
    for name, start, stop in zip(("head", "medium", "tail"), ends, ends[1:], strict=False):
        if stop > start:
            axes.annotate(
                name, ((start + stop - 1) / 2, 0.97), xycoords=axes.get_xaxis_transform(),
                ha="center", va="top", fontsize=9.5, color=style.FAINT,
            )  # fmt: skip
