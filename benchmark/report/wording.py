"""How captions and notes say things: scale, counts, settings, what is missing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from benchmark.data.tasks import is_own
from benchmark.report.grid import Cell, Grid, restrictions, task_title


def scale_words(scale: str, tasks: Sequence[str] = ()) -> str:
    """How captions name the scale, so that nobody takes miniature numbers for COCO or VOC, nor
    people's own images for the paper's."""
    if scale == "miniature":
        return "miniature (rendered images, not COCO/VOC)"
    kinds = {"own images" if is_own(task) else f"{scale} scale" for task in tasks}
    return " and ".join(sorted(kinds, reverse=True)) or f"{scale} scale"


def about(grid: Grid, tasks: Sequence[str], named: bool = True) -> str:
    """How captions name what is shown: the scale, and that it is not all images or methods."""
    part, some = restrictions(grid, tasks, named), selected(grid)
    words = scale_words(grid.scale, tasks) + (f", restricted to {part}" if part else "")
    return words + (f", {some} (the paper's and the best of each task)" if some else "")


def in_short(grid: Grid, tasks: Sequence[str]) -> str:
    """As `about`, in the few words that a picture or a title has room for."""
    part = ", restricted to part of the images" if restrictions(grid, tasks) else ""
    return scale_words(grid.scale, tasks) + part + (f", {some}" if (some := selected(grid)) else "")


def selected(grid: Grid) -> str:
    """`16 of 500 methods`; "" where the grid has them all."""
    return f"{len(grid.labels)} of {grid.among} methods" if grid.among else ""


def of_task(grid: Grid, task: str, what: str = "") -> str:
    """How captions begin that are about one task: `VOC-LT (training), miniature (...)`."""
    name = f"{task_title(task)} ({what})" if what else task_title(task)
    return f"{name}, {about(grid, [task], named=False)}"


def count(cell: Cell) -> str:
    """n, or `n/expected` while units are missing."""
    if not cell.expected:
        return "-"
    return f"{len(cell.done)}/{cell.expected}" if cell.missing else f"{len(cell.done)}"


def named(grid: Grid, task: str, label: str) -> str:
    """A legend's entry: the method and the n behind its numbers, such as `CoOp (n = 3)`."""
    return f"{grid.title(label)} (n = {count(grid.cell(task, label))})"


def gaps(grid: Grid, tasks: Sequence[str], labels: Sequence[str]) -> Iterator[str]:
    """One line for each cell that is not complete, with the reason."""
    for task, label in itertools.product(tasks, labels):
        cell, where = grid.cell(task, label), f"{grid.title(label)} on {task_title(task)}"
        if cell.skipped:
            yield f"{where}: skipped, {'; '.join(cell.reasons)}"
        if cell.missing:
            line = f"{where}: {cell.missing} of {cell.expected} units missing"
            if cell.failed:
                line += f", of them {len(cell.failed)} failed ({'; '.join(cell.errors)})"
            yield line
