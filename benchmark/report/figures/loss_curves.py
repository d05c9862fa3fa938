"""The figures of training: the loss of each epoch, a panel for each method and stage."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.figures import style
from benchmark.report.grid import Grid, drawn_labels, task_title
from benchmark.report.wording import in_short, of_task

COLUMNS = 4  # panels side by side
WIDTH = 30  # characters of a title that one panel has room for
LINES = 20  # thin lines in a panel

Losses = dict[tuple[str, str], np.ndarray]  # (label, stage) -> (units, epochs)


def figures(grid: Grid, task: str) -> Iterator[style.Drawn]:
    """The task's figure, if it has a method that trains by epochs."""
    if found := losses(grid, task):
        some = (
            f" (the first {LINES})" if any(len(units) > LINES for units in found.values()) else ""
        )
        yield style.Drawn(
            f"training_{task}",
            _figure(grid, task, found),
            f"{of_task(grid, task, 'training')}: training loss of each "
            f"epoch; thick lines are means, thin lines single seeds or episodes{some}. Losses of "
            "different methods or stages differ in kind: compare shapes, not heights.",
        )


def losses(grid: Grid, task: str) -> Losses:
    """Loss of each epoch for each (label, stage) of the task, in order.

    Units that stopped earlier than others of their label end in NaN, which a null loss becomes too.
    """
    lines: dict[tuple[str, str], list[list[float | None]]] = {}
    for label in drawn_labels(grid, [task]):
        for record in grid.cell(task, label).done:
            stages: dict[str, list[float | None]] = {}
            for point in record.get("curve") or ():
                stages.setdefault(str(point.get("stage")), []).append(point.get("loss"))
            for stage, line in stages.items():
                lines.setdefault((label, stage), []).append(line)
    tables = {at: np.array([*itertools.zip_longest(*each)], float).T for at, each in lines.items()}
    return {at: table for at, table in tables.items() if np.isfinite(table).any()}


def _figure(grid: Grid, task: str, found: Losses) -> Figure:
    rows = -(-len(found) // COLUMNS)
    columns = max(3, -(-len(found) // rows))
    figure, every = style.panels(len(found), columns, (2.75 * columns, 2.25 * rows + 0.6))
    for axes, ((label, stage), values) in zip(every, found.items(), strict=True):
        _panel(axes, style.look(grid.labels.index(label)), values)
        name = grid.title(label)
        words = f"{name}, {stage}" if stage else name
        axes.set_title("\n".join(textwrap.wrap(words, WIDTH)), fontsize=9.5, loc="left")
    for axes in every[-columns:]:
        axes.set_xlabel("epoch", fontsize=10)
    figure.supylabel("training loss", fontsize=11)
    style.heading(figure, f"{task_title(task)}: training loss", in_short(grid, [task]))
    return figure


def _panel(axes: Axes, look: style.Look, values: np.ndarray) -> None:
    """One stage of one method: thin lines for units, a thick one for their mean."""
    epochs = np.arange(1, values.shape[1] + 1)
    marker = "o" if len(epochs) == 1 else None  # a line of one point is none
    if len(values) > 1:
        axes.plot(epochs, values[:LINES].T, color="#9A9A9A", lw=0.7, marker=marker, ms=3)
    axes.plot(epochs, _mean(values), color=style.INK, lw=3.2, marker=marker, ms=6)
    axes.plot(epochs, _mean(values), color=look.colour, lw=1.9, marker=marker, ms=4)
    low, high = np.nanmin(values), np.nanmax(values)
    if low > 0 and high > 20 * low:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda loss, _: f"{loss:g}")
    axes.tick_params(labelsize=8.5)
    axes.set_xticks(style.epoch_ticks(len(epochs)))


def _mean(values: np.ndarray) -> list[float]:
    """Mean over the units of each epoch, of those that have a loss; NaN where none has."""
    known = (column[np.isfinite(column)] for column in values.T)
    return [float(column.mean()) if len(column) else np.nan for column in known]
