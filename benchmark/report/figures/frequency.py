"""The figure of AP against training count: a point for each class, a line for each method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmark.report.figures import style
from benchmark.report.grid import Grid, class_mean, drawn_labels, grouping, task_title
from benchmark.report.wording import in_short, named, of_task

SMOOTH = 0.28  # width of the smoothing kernel, in factors of ten of the training count


def group_of(images: float, grouping: tuple[int, int]) -> str:
    """head, medium or tail: the group of a class with so many training images."""
    head, tail = grouping
    return "tail" if images < tail else "medium" if images < head else "head"


def figures(grid: Grid, task: str) -> Iterator[style.Drawn]:
    """AP of every class in percent against its training count (log), a smoothed line for each
    method; no figure while no class of the task has an AP."""
    every = {x: per_class(grid.cell(task, x).done) for x in drawn_labels(grid, [task])}
    found = {label: (counts, aps) for label, (counts, aps) in every.items() if len(counts)}
    if not found:
        return
    figure, axes = style.canvas()
    handles = []
    for label, (counts, aps) in found.items():
        look = style.look(grid.labels.index(label))
        axes.scatter(
            counts, aps, s=19, color=look.colour, marker=look.marker, alpha=0.5, linewidth=0,
            zorder=2,
        )  # fmt: skip
        handles.append(_trend(axes, counts, aps, look, shift=3 * len(handles)))
    images = np.concatenate([counts for counts, _ in found.values()])
    _frequency_axis(axes, images.min() / 1.15, images.max() * 1.15, grouping(grid, task))
    top = max(1.0, *(aps.max() for _, aps in found.values()))
    axes.set_ylim(-0.02 * top, min(104, top * 1.12))
    axes.set_yticks([t for t in axes.get_yticks() if 0 <= t <= min(100, axes.get_ylim()[1])])
    axes.set_xlabel("training images of the class (log scale)")
    axes.set_ylabel("AP of the class (%)")
    subtitle = f"{in_short(grid, [task])}; points: classes, mean over seeds; lines: smoothed"
    style.headings(
        axes, f"{task_title(task)}: AP of each class against its training images", subtitle
    )
    style.legend_below(figure, handles, [named(grid, task, label) for label in found])
    caption = (
        f"{of_task(grid, task)}: AP of each class (mean over seeds) "
        "against its number of training images; lines are smoothed."
    )
    yield style.Drawn(f"frequency_{task}", figure, caption)


def per_class(records: Sequence[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Training counts and mean APs (both (C,)) of the classes that have an AP, by count."""
    counts = (records[0].get("train_counts") or {}) if records else {}
    found = [(images, name, class_mean(records, name)) for name, images in counts.items()]
    known = sorted((n, name, ap) for n, name, ap in found if ap is not None and n > 0)
    return np.array([x for x, _, _ in known], float), np.array([ap for _, _, ap in known], float)


def _trend(axes: Axes, counts: np.ndarray, aps: np.ndarray, look: style.Look, shift: int) -> Line2D:
    """A Gaussian-kernel mean of AP along the logarithm of the count; `shift` moves the markers,
    so that those of several methods do not hide each other."""
    where = np.log10(counts)
    at = np.linspace(where.min(), where.max(), 80)
    weight = np.exp(-0.5 * ((at[:, None] - where) / SMOOTH) ** 2)
    line = (weight * aps).sum(1) / weight.sum(1)
    axes.plot(10**at, line, color="white", lw=4, alpha=0.8, zorder=3)
    return axes.plot(
        10**at, line, color=look.colour, lw=2.4, ls=look.dash, marker=look.marker,
        markevery=(shift % 13, 13), ms=6.5, mec=style.INK, mew=0.6, zorder=4,
    )[0]  # fmt: skip


def _frequency_axis(axes: Axes, low: float, high: float, groups: tuple[int, int]) -> None:
    """Readable counts along the axis, and the group boundaries with their names on top."""
    ticks = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
    style.log_axis(axes, low, high, {t: f"{t:,}" for t in ticks})
    edges = [low, *(e for e in sorted(groups) if low < e < high), high]
    for start, stop in zip(edges, edges[1:], strict=False):
        middle = (start * stop) ** 0.5
        name = group_of(middle, groups)
        if name == "medium":
            axes.axvspan(start, stop, color=style.BAND, lw=0, zorder=0)
        axes.text(
            middle, 0.985, name, transform=axes.get_xaxis_transform(), ha="center", va="top",
            fontsize=10, color=style.FAINT,
        )  # fmt: skip
    for edge in edges[1:-1]:
        style.boundary(axes, edge)
