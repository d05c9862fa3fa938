"""The figures of cost: the seconds that a method trains against its mAP."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.figures import style
from benchmark.report.grid import Cell, Grid, drawn_labels, in_order, task_title
from benchmark.report.wording import about, in_short

FLOOR = 0.1  # seconds; methods that do not train stand here


def figures(grid: Grid) -> Iterator[style.Drawn]:
    """One figure for the long-tailed tasks and one for the few-shot tasks, a panel for each."""
    for name, words, all_tasks in (
        ("cost_lt", "Training time and mAP", grid.long_tailed),
        ("cost_fs", "Training time and few-shot mAP", grid.few_shot),
    ):
        tasks = [t for t in in_order(all_tasks) if any(_points(grid, t))]
        if tasks:
            yield style.Drawn(
                name,
                _figure(grid, words, tasks),
                f"{words}, {about(grid, tasks)}: mAP (mean, whiskers: standard deviation) against "
                "the seconds that one unit trains, from its first stage on (median over units, "
                f"log scale, {devices(grid, tasks)}); stages that units share count in full, "
                "cached image features are not trained and mostly not counted.",
            )


def seconds(record: dict) -> float:
    """Training seconds of one unit as if it were alone: base, shared and fit."""
    parts = record.get("seconds") or {}
    return sum(parts.get(name) or 0.0 for name in ("base", "shared", "fit"))


def devices(grid: Grid, tasks: Sequence[str]) -> str:
    """On what the units were trained: `cpu, 1 thread`."""
    found = {}
    for record in grid.records:
        origin = record.get("provenance") or {}
        if record.get("task") in tasks and (device := origin.get("device")):
            count = origin.get("threads") if device == "cpu" else None
            found[f"{device}, {count} thread{'s' * (count > 1)}" if count else device] = None
    return "; ".join(found) or "device unknown"


def _points(grid: Grid, task: str) -> Iterator[tuple[str, Cell]]:
    """The methods whose mAP and training time are known."""
    for label in drawn_labels(grid, [task]):
        cell = grid.cell(task, label)
        if cell.stat("headline") and any(r.get("seconds") for r in cell.done):
            yield label, cell


def _figure(grid: Grid, title: str, tasks: Sequence[str]) -> Figure:
    columns = min(2, len(tasks))
    size = (max(6.4, 4.5 * columns), 3.1 * -(-len(tasks) // columns) + 1.0)
    figure, every = style.panels(len(tasks), columns, size, sharex=True)
    handles: dict[str, object] = {}
    for axes, task in zip(every, tasks, strict=True):
        axes.grid(axis="x")
        for label, cell in _points(grid, task):
            handles[grid.title(label)] = _point(axes, cell, style.look(grid.labels.index(label)))
        axes.set_title(task_title(task), fontsize=10.5, loc="left")
        axes.set_ylabel("mAP (%)")
        axes.margins(0.12, 0.18)
    _seconds_axis(every[0], grid, tasks)
    for axes in every[-columns:]:
        axes.set_xlabel("training seconds of one unit")
        axes.tick_params(labelbottom=True)
    style.heading(figure, title, in_short(grid, tasks))
    style.legend_below(figure, list(handles.values()), list(handles))
    return figure


def _point(axes: Axes, cell: Cell, look: style.Look) -> object:
    found = cell.stat("headline")
    x = max(FLOOR, statistics.median(seconds(r) for r in cell.done))
    return axes.errorbar(
        [x], [found.mean], [found.std or 0.0], color=look.colour, marker=look.marker, ms=9,
        mec=style.INK, mew=0.8, ecolor=style.INK, elinewidth=1.0, capsize=2.6, ls="",
    )  # fmt: skip


def _seconds_axis(axes: Axes, grid: Grid, tasks: Sequence[str]) -> None:
    """Readable times along the axis that all panels share; the floor is named as such."""
    every = [seconds(r) for t in tasks for _, cell in _points(grid, t) for r in cell.done]
    low, high = max(FLOOR, min(every)), max(*every, 10 * FLOOR)
    powers = [10.0**p for p in range(-1, 9)]
    ticks = {t: f"{'≤ ' if t <= FLOOR else ''}{t:,g}" for t in powers}
    style.log_axis(axes, low / 1.8, high * 1.8, ticks)
