"""Every figure of a report as files: `draw` asks each kind in turn and renders what it gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.layouts import Arrangement
from benchmark.report import (
    bars,
    cost,
    curves,
    frequency,
    gains,
    pictures,
    style,
    training_curves,
)
from benchmark.report.cells import Grid
from benchmark.report.style import Drawn
from benchmark.report.tables import in_order


def draw(
    whole: Grid,
    grid: Grid,
    arrangement: Arrangement,
    results: Path | None = None,
    images: Path | None = None,
) -> dict[str, tuple[bytes, str]]:
    """{file name: (bytes, caption)} of every figure that has something to show, .png and .svg.

    `grid` is the part of the `whole` that the general figures show. Stored scores lie below
    `results`, pictures below the data root `images`; without them what needs them is left out.
    """
    out = {}
    with style.applied():
        for drawn in _figures(whole, grid, arrangement, results, images):
            for kind, content in style.rendered(drawn.figure).items():
                out[f"{drawn.name}.{kind}"] = (content, drawn.caption)
    return out


def _figures(
    whole: Grid, grid: Grid, arrangement: Arrangement, results: Path | None, images: Path | None
) -> Iterator[Drawn]:
    """Each figure, in the order of the page."""
    for task in in_order(grid.long_tailed):
        yield from bars.groups_of(grid, task)
        yield from frequency.figures(grid, task)
        yield from gains.figures(grid, task)
    yield from bars.few_shot(grid)
    yield from curves.figures(whole, arrangement)
    yield from cost.figures(grid)
    yield from training_curves.figures(grid)
    if results and images:
        yield from pictures.figures(grid, results, images)
