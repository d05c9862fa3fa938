"""The figure of sensitivity: mAP against each hyperparameter that a suite sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.figures import style
from benchmark.report.grid import Grid, in_order, labels_of, task_title, tasks_of, value
from benchmark.report.wording import about, in_short
from benchmark.suites.tables import ReportLayout, TableSpec

WIDE = 4  # the axis is logarithmic where the largest value is this many times the smallest

Point = tuple[float, tuple[float, ...]]  # the hyperparameter's value; mAP of each seed
Curves = tuple[TableSpec, dict[str, list[Point]]]  # a table, and its curve on each task


def figures(grid: Grid, layout: ReportLayout) -> Iterator[style.Drawn]:
    """The figure of a suite's tables that are curves, if any of them has two points."""
    curves = []
    for spec in (each for each in layout.tables if each.curve):
        found = {task: points(grid, spec, task) for task in tasks_of(grid, spec)}
        if found := {task: curve for task, curve in found.items() if len(curve) > 1}:
            curves.append((spec, found))
    tasks = [t for t in in_order(grid.long_tailed) if any(t in found for _, found in curves)]
    if tasks:
        yield style.Drawn(
            "sensitivity",
            _figure(grid, tasks, curves),
            f"Sensitivity, {', '.join(map(task_title, tasks))}, "
            f"{about(grid, tasks, named=False)}: total mAP against "
            f"{', '.join(spec.curve.axis for spec, _ in curves)}; points are means, "
            "whiskers sample standard deviations over seeds, small dots single seeds; dashed: the "
            "paper's setting.",
        )


def points(grid: Grid, spec: TableSpec, task: str) -> list[Point]:
    """(value, mAPs in percent of its seeds) on one task, by value, which the records have."""
    found: dict[float, list[float]] = {}
    for label in labels_of(grid, spec):
        for record in grid.cell(task, label).done:
            x = (record.get("hyperparameters") or {}).get(spec.curve.hyperparameter)
            y = value(record, "map")
            if isinstance(x, (int, float)) and y is not None:
                found.setdefault(float(x), []).append(float(y))
    return [(x, tuple(found[x])) for x in sorted(found)]


def _figure(grid: Grid, tasks: Sequence[str], curves: Sequence[Curves]) -> Figure:
    """A row of panels for each task, a column for each hyperparameter; a row shares its mAPs."""
    size = (max(8.6, 3.1 * len(curves) + 1.0), 3.2 * len(tasks) + 0.6)
    figure, every = style.panels(len(tasks) * len(curves), len(curves), size, sharey="row")
    for row, task in zip(every.reshape(len(tasks), -1), tasks, strict=True):
        for axes, (spec, found) in zip(row, curves, strict=True):
            _panel(axes, found.get(task, []), spec)
        row[0].set_ylabel(f"{task_title(task)}: total mAP (%)")
    words = f"{in_short(grid, tasks)}; mean and std over seeds; dashed: the paper's setting"
    style.heading(figure, "Sensitivity to hyperparameters", words)
    return figure


def _panel(axes: Axes, found: Sequence[Point], spec: TableSpec) -> None:
    axes.set_xlabel(spec.curve.axis)
    if not found:
        axes.set_xticks([])
        return
    xs = [x for x, _ in found]
    if min(xs) > 0 and max(xs) >= WIDE * min(xs):
        axes.set_xscale("log", base=2)
    axes.set_xticks(xs, [f"{x:g}" for x in xs])
    axes.minorticks_off()
    if spec.curve.mark is not None:
        style.boundary(axes, spec.curve.mark)
    means = [float(np.mean(ys)) for _, ys in found]
    stds = [float(np.std(ys, ddof=1)) if len(ys) > 1 else 0.0 for _, ys in found]
    for x, ys in found:
        if len(ys) > 1:
            style.dots(axes, [x] * len(ys), ys, zorder=4)
    axes.errorbar(
        xs, means, stds, color=style.COLOURS[3], lw=2.0, marker="o", ms=5.5, ecolor=style.INK,
        elinewidth=1.1, capsize=2.6, capthick=1.1, zorder=3,
    )  # fmt: skip
