"""Every figure of a report as files: each kind is asked in turn, or several at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmark.common import processes
from benchmark.report import selection
from benchmark.report.figures import (
    bars,
    cost,
    frequency,
    gains,
    loss_curves,
    oracle_curves,
    predictions,
    sensitivity,
    style,
)
from benchmark.report.figures.style import Drawn
from benchmark.report.grid import Grid, in_order
from benchmark.suites.tables import ReportLayout

Kind = tuple[Callable[..., Iterable[Drawn]], tuple[Any, ...]]  # a function and its arguments
LISTS = ("curve", "per_class_ap", "train_counts")  # what makes a record large
Files = dict[str, tuple[bytes, str]]  # file name -> (bytes, caption), .png and .svg of each figure


@contextlib.contextmanager
def drawing(
    whole: Grid,
    grid: Grid,
    layout: ReportLayout,
    results: Path | None = None,
    images: Path | None = None,
    workers: int = 1,
) -> Iterator[Callable[[], Files]]:
    """Start to draw every figure that has something to show; calling the result waits for them.

    `grid` is the part of the `whole` that the general figures show. Stored scores lie below
    `results`, pictures below the data root `images`; without them what needs them is left out.
    More than one of `workers` are processes beside this one; the files do not depend on that.
    """
    kinds = list(_kinds(whole, grid, layout, results, images))
    if workers == 1:
        yield lambda: _merged(map(_files, kinds))
        return
    with processes.pool(workers) as pool:
        found = pool.map(_files, kinds)
        yield lambda: _merged(found)


def _kinds(
    whole: Grid, grid: Grid, layout: ReportLayout, results: Path | None, images: Path | None
) -> Iterator[Kind]:
    """Each kind of figure, in the order of the page, with the part of the grid that it shows: a
    process of its own gets a copy."""
    grid = selection.shown(grid)
    parts = {task: grid.on([task]) for task in grid.tasks}
    long_tailed = in_order(grid.long_tailed)
    for task in long_tailed:
        yield bars.groups_of, (grid.on([task], LISTS), task)
        yield frequency.figures, (parts[task], task)
        yield gains.figures, (parts[task], task)
    yield bars.few_shot, (grid.on(grid.few_shot, LISTS),)
    if any(spec.curve for spec in layout.tables):
        yield sensitivity.figures, (whole, layout)
    yield cost.figures, (grid.on(grid.tasks, LISTS),)
    for task in grid.tasks:
        yield loss_curves.figures, (parts[task], task)
    every = selection.shown(whole)  # rows of ablations too
    for task in every.tasks:
        yield oracle_curves.figures, (every.on([task], LISTS), task)
    if results and images:
        for task in long_tailed:
            yield predictions.figures, (parts[task], task, results, images)


def _files(kind: Kind) -> Files:
    """The files of one kind's figures."""
    function, arguments = kind
    with style.applied():
        return {
            f"{drawn.name}.{ending}": (content, drawn.caption)
            for drawn in function(*arguments)
            for ending, content in style.rendered(drawn.figure).items()
        }


def _merged(parts: Iterable[Files]) -> Files:
    return {name: file for part in parts for name, file in part.items()}
