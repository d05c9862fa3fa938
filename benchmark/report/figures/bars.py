"""The figures of grouped bars: mAP of the frequency groups, and of the few-shot tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmark.report.figures import style
from benchmark.report.figures.style import Drawn
from benchmark.report.grid import METRIC, Cell, Grid, drawn_labels, in_order, shots, value
from benchmark.report.wording import about, in_short, named

GROUPS = ("total", "head", "medium", "tail")


def groups_of(grid: Grid, task: str) -> Iterator[Drawn]:
    """The bars of one long-tailed task; none while it has no result."""
    if labels := drawn_labels(grid, [task]):
        yield Drawn(
            f"groups_{task}",
            groups(grid, task, labels),
            f"{task}, {about(grid, [task], named=False)}: mAP of all, head, medium and tail "
            "classes; bars are means, whiskers standard deviations over seeds.",
        )


def few_shot(grid: Grid) -> Iterator[Drawn]:
    """The bars of the few-shot tasks; none while they have no result."""
    if labels := drawn_labels(grid, grid.few_shot):
        yield Drawn(
            "fewshot",
            fewshot(grid, labels),
            f"Few-shot tasks, {about(grid, grid.few_shot)}: mAP over the novel classes; bars are "
            "means, whiskers standard deviations, dots single episodes.",
        )


def groups(grid: Grid, task: str, labels: Sequence[str]) -> Figure:
    """Grouped bars: total, head, medium, tail mAP of every method on one long-tailed task."""
    figure, axes = style.canvas()
    columns = [(name, task, METRIC.get(name, name)) for name in GROUPS]
    handles = _bars(axes, grid, columns, labels)
    axes.axvline(0.5, color="#BDBDBD", lw=0.9)  # all classes, then the groups
    style.headings(
        axes,
        f"{task}: mAP by frequency group",
        f"{in_short(grid, [task])}; bars: mean, whiskers: std over seeds",
    )
    style.legend_below(figure, handles, [named(grid, task, label) for label in labels])
    return figure


def fewshot(grid: Grid, labels: Sequence[str]) -> Figure:
    """Grouped bars of novel-class mAP on every few-shot task, with a dot for each episode."""
    figure, axes = style.canvas()
    columns = [(" ".join(shots(t) or (t,)), t, "headline") for t in in_order(grid.few_shot)]
    handles = _bars(axes, grid, columns, labels, dots=True)
    style.headings(
        axes,
        "Few-shot: mAP over novel classes",
        f"{in_short(grid, grid.few_shot)}; bars: mean, whiskers: std, dots: episodes",
    )
    style.legend_below(figure, handles, labels)
    return figure


def _bars(
    axes: Axes,
    grid: Grid,
    columns: Sequence[tuple[str, str, str]],
    labels: Sequence[str],
    dots: bool = False,
) -> list[tuple[Patch, Patch]]:
    """Bars of each (title, task, metric) column, the methods side by side in suite order.

    Returns one legend handle per label.
    """
    width = min(0.3, 0.82 / len(labels))
    numbered = len(labels) * len(columns) <= 24  # more would overlap
    top = 0.0
    handles = []
    for i, label in enumerate(labels):
        look = style.look(grid.labels.index(label))
        for j, (_, task, metric) in enumerate(columns):
            x = j + (i - (len(labels) - 1) / 2) * width
            high, mean = _bar(axes, grid.cell(task, label), metric, x, width, look, dots)
            if numbered and mean is not None:
                _number(axes, x, high, mean)
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
    axes: Axes, cell: Cell, metric: str, x: float, width: float, look: style.Look, dots: bool
) -> tuple[float, float | None]:
    """One bar with its whisker and dots; returns the highest ink and the mean, if there is one."""
    found = cell.stat(metric)
    if found is None:
        _absent(axes, x, "" if cell.done or not cell.expected else cell.state)
        return 0.0, None
    style.bar(axes, x, found.mean, width * 0.92, look)
    if found.std is not None:
        axes.errorbar(
            x, found.mean, found.std, color=style.INK, lw=1.1, capsize=2.6, capthick=1.1, zorder=4
        )
    high = found.mean + (found.std or 0.0)
    return max(high, _episodes(axes, cell, x, width)) if dots else high, found.mean


def _number(axes: Axes, x: float, high: float, mean: float) -> None:
    axes.annotate(
        f"{mean:.1f}", (x, high), (0, 3), textcoords="offset points", ha="center", va="bottom",
        fontsize=8.2, color=style.INK,
    )  # fmt: skip


def _absent(axes: Axes, x: float, state: str) -> None:
    """Say in words why a bar is not there, so that it is not read as a zero."""
    axes.annotate(
        state, (x, 0), (0, 4), textcoords="offset points", ha="center", va="bottom",
        fontsize=8.2, color=style.FAINT, rotation=90,
    )  # fmt: skip


def _episodes(axes: Axes, cell: Cell, x: float, width: float) -> float:
    """A dot for every episode, spread sideways in episode order; returns the highest value."""
    done = sorted(cell.done, key=lambda r: r.get("episode") or 0)
    values = [v for v in (value(r, "headline") for r in done) if v is not None]
    if len(values) < 2:
        return max(values, default=0.0)
    spread = np.linspace(-0.28, 0.28, len(values)) * width
    axes.scatter(
        x + spread, values, s=9, color="white", edgecolor=style.INK, linewidth=0.6, zorder=3
    )
    return max(values)
