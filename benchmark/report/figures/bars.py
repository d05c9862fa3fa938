"""The figures of grouped bars: mAP of the frequency groups, and of the few-shot tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from benchmark.report.figures import style
from benchmark.report.grid import Cell, Grid, drawn_labels, in_order, task_title, value
from benchmark.report.wording import about, in_short, named, of_task

GROUPS = ("total", "head", "medium", "tail")
Column = tuple[str, str, str]  # a title, a task, and the name of a table's column


def groups_of(grid: Grid, task: str) -> Iterator[style.Drawn]:
    """Total, head, medium and tail mAP of every method on one long-tailed task, in percent; no
    figure while the task has no result."""
    labels = drawn_labels(grid, [task])
    if not labels:
        return
    figure, axes = style.canvas()
    columns = [(name, task, name) for name in GROUPS]
    handles = _bars(axes, grid, columns, labels)
    axes.axvline(0.5, color="#BDBDBD", lw=0.9)  # all classes, then the groups
    subtitle = f"{in_short(grid, [task])}; bars: mean, whiskers: std over seeds"
    style.headings(axes, f"{task_title(task)}: mAP by frequency group", subtitle)
    style.legend_below(figure, handles, [named(grid, task, label) for label in labels])
    caption = (
        f"{of_task(grid, task)}: mAP of all, head, medium and tail "
        "classes; bars are means, whiskers standard deviations over seeds."
    )
    yield style.Drawn(f"groups_{task}", figure, caption)


def few_shot(grid: Grid) -> Iterator[style.Drawn]:
    """Novel-class mAP of every method on the few-shot tasks, in percent, with a dot for each
    episode; no figure while they have no result."""
    labels = drawn_labels(grid, grid.few_shot)
    if not labels:
        return
    figure, axes = style.canvas()
    columns = [(task_title(t), t, "novel") for t in in_order(grid.few_shot)]
    handles = _bars(axes, grid, columns, labels, dots=True)
    subtitle = f"{in_short(grid, grid.few_shot)}; bars: mean, whiskers: std, dots: episodes"
    style.headings(axes, "Few-shot: mAP over novel classes", subtitle)
    style.legend_below(figure, handles, list(map(grid.title, labels)))
    caption = (
        f"Few-shot tasks, {about(grid, grid.few_shot)}: mAP over the novel classes; bars are "
        "means, whiskers standard deviations, dots single episodes."
    )
    yield style.Drawn("fewshot", figure, caption)


def _bars(
    axes: Axes, grid: Grid, columns: Sequence[Column], labels: Sequence[str], dots: bool = False
) -> list[tuple[Patch, Patch]]:
    """Bars of each column, the methods side by side in suite order; a legend handle per label."""
    width = min(0.3, 0.82 / len(labels))
    numbered = len(labels) * len(columns) <= 24  # more would overlap
    top = 0.0
    handles = []
    for i, label in enumerate(labels):
        look = style.look(grid.labels.index(label))
        for j, (_, task, column) in enumerate(columns):
            x = j + (i - (len(labels) - 1) / 2) * width
            high, mean = _bar(axes, grid.cell(task, label), column, x, width, look, dots)
            if numbered and mean is not None:
                _note(axes, x, high, f"{mean:.1f}", 3, color=style.INK)
            top = max(top, high)
        handles.append(style.bar(axes, 0, 0, 0, look))
    axes.set_xticks(range(len(columns)), [title for title, _, _ in columns])
    axes.tick_params(axis="x", length=0, pad=6)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(0, min(112, top * 1.1 + 1))
    axes.set_yticks([t for t in axes.get_yticks() if t <= 100 and t <= axes.get_ylim()[1]])
    axes.set_ylabel("mAP (%)")
    return handles


def _bar(
    axes: Axes, cell: Cell, column: str, x: float, width: float, look: style.Look, dots: bool
) -> tuple[float, float | None]:
    """One bar with its whisker and dots; returns the highest ink and the mean, if there is one."""
    found = cell.stat(column)
    if found is None:
        # In words, so that a bar that is not there is not read as a zero.
        state = "" if cell.done or not cell.expected else cell.state
        _note(axes, x, 0, state, 4, color=style.FAINT, rotation=90)
        return 0.0, None
    style.bar(axes, x, found.mean, width * 0.92, look)
    if found.std is not None:
        axes.errorbar(
            x, found.mean, found.std, color=style.INK, lw=1.1, capsize=2.6, capthick=1.1, zorder=4
        )
    high = found.mean + (found.std or 0.0)
    return max(high, _episodes(axes, cell, x, width)) if dots else high, found.mean


def _note(axes: Axes, x: float, y: float, text: str, up: int, **look: Any) -> None:
    """A small text `up` points above a place."""
    at = {"textcoords": "offset points", "ha": "center", "va": "bottom"}
    axes.annotate(text, (x, y), (0, up), fontsize=8.2, **at, **look)


def _episodes(axes: Axes, cell: Cell, x: float, width: float) -> float:
    """A dot for every episode, spread sideways in episode order; returns the highest value."""
    done = sorted(cell.done, key=lambda r: r.get("episode") or 0)
    values = [v for v in (value(r, "headline") for r in done) if v is not None]
    if len(values) < 2:
        return max(values, default=0.0)
    style.dots(axes, x + np.linspace(-0.28, 0.28, len(values)) * width, values, zorder=3)
    return max(values)
