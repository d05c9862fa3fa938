"""The figure of sensitivity: mAP against each hyperparameter that a suite sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.figures import style
from benchmark.report.figures.style import Drawn
from benchmark.report.grid import Grid, in_order, labels_of, tasks_of, value
from benchmark.report.wording import about, in_short
from benchmark.suites.tables import ReportLayout, TableSpec

NAME = "sensitivity"  # the figure's file
WIDE = 4  # the axis is logarithmic where the largest value is this many times the smallest

Point = tuple[float, tuple[float, ...]]  # the hyperparameter's value; mAP of each seed


def figures(grid: Grid, arrangement: ReportLayout) -> Iterator[Drawn]:
    """The figure, if any curve has two points."""
    swept = [x for x in arrangement.tables if x.curve]
    panels = {
        (task, layout.name): found
        for layout in swept
        for task in tasks_of(grid, layout)
        if len(found := points(grid, layout, task)) > 1
    }
    if not panels:
        return
    tasks = [t for t in in_order(grid.long_tailed) if any(t == task for task, _ in panels)]
    names = {name for _, name in panels}
    yield Drawn(
        NAME,
        _figure(grid, tasks, [x for x in swept if x.name in names], panels),
        f"Sensitivity, {', '.join(tasks)}, {about(grid, tasks, named=False)}: total mAP against "
        f"{', '.join(x.curve.axis for x in swept if x.name in names)}; points are means, whiskers "
        "sample standard deviations over seeds, small dots single seeds; dashed: the paper's "
        "setting.",
    )


def points(grid: Grid, layout: TableSpec, task: str) -> list[Point]:
    """The curve on one task, by value; the records say what a label's value was."""
    found: dict[float, list[float]] = {}
    for label in labels_of(grid, layout):
        for record in grid.cell(task, label).done:
            x = (record.get("hyperparameters") or {}).get(layout.curve.hyperparameter)
            y = value(record, "map")
            if isinstance(x, (int, float)) and y is not None:
                found.setdefault(float(x), []).append(float(y))
    return [(x, tuple(found[x])) for x in sorted(found)]


def _figure(
    grid: Grid,
    tasks: Sequence[str],
    layouts: Sequence[TableSpec],
    panels: dict[tuple[str, str], list[Point]],
) -> Figure:
    """A row of panels for each task, a column for each hyperparameter; a row shares its mAPs."""
    size = (max(8.6, 3.1 * len(layouts) + 1.0), 3.2 * len(tasks) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    every = figure.subplots(len(tasks), len(layouts), sharey="row", squeeze=False)
    for row, task in zip(every, tasks, strict=True):
        for axes, layout in zip(row, layouts, strict=True):
            _panel(axes, panels.get((task, layout.name), []), layout)
        row[0].set_ylabel(f"{task}: total mAP (%)")
    words = f"{in_short(grid, tasks)}; mean and std over seeds; dashed: the paper's setting"
    style.heading(figure, "Sensitivity to hyperparameters", words)
    return figure


def _panel(axes: Axes, found: Sequence[Point], layout: TableSpec) -> None:
    axes.grid(axis="y", color=style.GRID, lw=0.8)
    axes.set_xlabel(layout.curve.axis)
    if not found:
        axes.set_xticks([])
        return
    xs = [x for x, _ in found]
    if min(xs) > 0 and max(xs) >= WIDE * min(xs):
        axes.set_xscale("log", base=2)
    axes.set_xticks(xs, [f"{x:g}" for x in xs])
    axes.minorticks_off()
    if layout.curve.mark is not None:
        axes.axvline(layout.curve.mark, color="#8A8A8A", lw=0.9, ls=(0, (4, 3)), zorder=1)
    look = style.look(3)
    means = [float(np.mean(ys)) for _, ys in found]
    stds = [float(np.std(ys, ddof=1)) if len(ys) > 1 else 0.0 for _, ys in found]
    for x, ys in found:
        if len(ys) > 1:
            axes.scatter(
                [x] * len(ys), ys, s=9, color="white", edgecolor=style.INK, linewidth=0.6, zorder=4
            )
    axes.errorbar(
        xs, means, stds, color=look.colour, lw=2.0, marker="o", ms=5.5, ecolor=style.INK,
        elinewidth=1.1, capsize=2.6, capthick=1.1, zorder=3,
    )  # fmt: skip
