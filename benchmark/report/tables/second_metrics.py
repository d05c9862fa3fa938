"""The tables of second metrics and protocols, each beside the headline and named as such."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmark.report.grid import Grid, in_order, task_title
from benchmark.report.tables.table import Block, Table, entry, ranked, stacked
from benchmark.report.wording import about, gaps


def softmax(grid: Grid) -> Table | None:
    """The headline mAP beside the same after a per-image softmax, of the methods that record it."""
    tasks = [*in_order(grid.long_tailed), *in_order(grid.few_shot)]
    labels = with_softmax(grid)
    if not labels:
        return None
    caption = (
        f"Both protocols, {about(grid, tasks)}: mAP in percent (few-shot: over the novel classes) "
        "of raw scores, the headline, and after a softmax over each image's classes, by which "
        "CLIP's rows in the paper's Table I are scored; of the methods that score with CLIP "
        "logits. Mean ± sample standard deviation over n seeds or episodes, as in the tables above."
    )
    columns = ("raw", "softmax")
    blocks = []
    for task in tasks:
        cells = [grid.cell(task, label) for label in labels]
        rows = [[entry(cell, name) for name in columns] for cell in cells]
        blocks.append(Block(task, columns, ranked(columns, rows), (task, ""), task_title(task)))
    return Table(
        name="table_softmax",
        caption=caption,
        labels=tuple(labels),
        blocks=tuple(blocks),
        notes=tuple(gaps(grid, tasks, labels)),
        stacked=False,
        titles=tuple(map(grid.title, labels)),
    )


def with_softmax(grid: Grid) -> list[str]:
    """The labels that record both protocols."""
    return [x for x in grid.labels if _have(grid, grid.tasks, [x], "softmax")]


def redraw(grid: Grid) -> Table | None:
    """Novel-class mAP on the natural test images and on LaSO's redraw of them, where recorded."""
    labels = grid.labels_of(grid.few_shot)
    tasks = [task for task in in_order(grid.few_shot) if _have(grid, [task], labels, "redraw")]
    caption = (
        f"Second test protocol of COCO's few-shot tasks, {about(grid, tasks)}: mAP over the novel "
        "classes in percent on every test image once (the headline) and on LaSO's class-balanced "
        "redraw of them, 40,504 draws with repeats, as published numbers have it; mean ± sample "
        "standard deviation over n episodes."
    )
    return stacked(grid, "table_redraw", caption, ("novel", "redraw"), tasks)


def oracle(grid: Grid) -> Table | None:
    """mAP of the last epoch and of the best one on the test images, where --oracle asked."""
    ordered = (*in_order(grid.long_tailed), *in_order(grid.few_shot))
    tasks = [t for t in ordered if _have(grid, [t], grid.labels, "oracle")]
    labels = [x for x in grid.labels if _have(grid, tasks, [x], "oracle")]
    caption = (
        f"Best epoch on test (oracle), {about(grid, tasks)}: mAP in percent after the last epoch "
        "(the headline, in few-shot tasks over the novel classes), of the best epoch on test "
        "(oracle), and the gap between them. The oracle chooses each unit's epoch by its test "
        "images: an upper bound, not a result. Mean ± sample standard deviation over n units."
    )
    table = stacked(grid, "table_oracle", caption, ("last", "oracle", "gap"), tasks, labels)
    return table and replace(table, notes=(*table.notes, *_unseen(grid, tasks, labels)))


def _unseen(grid: Grid, tasks: Sequence[str], labels: Sequence[str]) -> Iterator[str]:
    """Where some epochs could not be evaluated: the best epoch is one of the others."""
    for task, label in itertools.product(tasks, labels):
        reasons = {r.get("oracle_reason"): None for r in grid.cell(task, label).done}
        for reason in filter(None, reasons):
            where = f"{grid.title(label)} on {task_title(task)}"
            yield f"{where}: not every epoch was evaluated ({reason})"


def _have(grid: Grid, tasks: Sequence[str], labels: Sequence[str], column: str) -> bool:
    """Whether any record of these tasks and labels has what the column shows."""
    return any(grid.cell(task, label).stat(column) for task in tasks for label in labels)
