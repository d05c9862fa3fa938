"""The figures of test curves: mAP on test after each epoch, of runs with --oracle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.figures import style
from benchmark.report.grid import Grid, Stat, drawn_labels, oracle_curve, task_title
from benchmark.report.wording import in_short, named, of_task

PANELS = {"curve": "raw scores", "curve_softmax": "after a softmax over each image's classes"}

Curves = Mapping[str, Mapping[int, Stat]]  # label -> {epoch: mAP in percent}


def figures(grid: Grid, task: str) -> Iterator[style.Drawn]:
    """The task's figure, if --oracle asked for the test scores of any method's epochs.

    A panel for each way to rank images that a record has a curve of.
    """
    found = {field: curves(grid, task, field) for field in PANELS}
    if shown := {field: each for field, each in found.items() if each}:
        yield style.Drawn(
            f"epochs_{task}",
            _figure(grid, task, shown),
            f"{of_task(grid, task, 'test curves')}: mAP on the test images after each epoch, all "
            "stages counted on; lines are means, bands sample standard deviations over seeds or "
            "episodes. Asked for by --oracle: no epoch is chosen by it.",
        )


def curves(grid: Grid, task: str, field: str) -> Curves:
    """The curve of each label that has one, means over the units that were evaluated throughout."""
    every = {
        label: oracle_curve(grid.cell(task, label).done, field)
        for label in drawn_labels(grid, [task])
    }
    return {label: curve for label, curve in every.items() if curve}


def _figure(grid: Grid, task: str, shown: Mapping[str, Curves]) -> Figure:
    size = (4.6 * len(shown) + 1.4, 4.6)
    figure, every = style.panels(len(shown), len(shown), size, sharey=True)
    handles = {}
    for axes, (field, found) in zip(every, shown.items(), strict=True):
        for label, curve in found.items():
            look = style.look(grid.labels.index(label))
            handles[label] = _line(axes, curve, look)
        axes.set_title(PANELS[field], fontsize=9.5, loc="left")
        axes.set_xticks(style.epoch_ticks(max(max(curve) for curve in found.values())))
        axes.set_xlabel("epoch")
    every[0].set_ylabel("mAP (%)")
    style.heading(figure, f"{task_title(task)}: test curves", in_short(grid, [task]))
    style.legend_below(figure, [*handles.values()], [named(grid, task, x) for x in handles])
    return figure


def _line(axes: Axes, curve: Mapping[int, Stat], look: style.Look) -> Line2D:
    """One method's line with its band; the legend's handle."""
    means = [each.mean for each in curve.values()]
    spread = [each.std or 0.0 for each in curve.values()]
    low, high = ([m + sign * s for m, s in zip(means, spread, strict=True)] for sign in (-1, 1))
    axes.fill_between([*curve], low, high, color=look.colour, alpha=0.18, lw=0)
    (line,) = axes.plot(
        [*curve], means, color=look.colour, ls=look.dash, lw=1.8, marker=look.marker, ms=4.5,
        markeredgecolor=style.INK, markeredgewidth=0.4,
    )  # fmt: skip
    return line
