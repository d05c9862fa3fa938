"""Our test curves over the epochs beside the authors', at paper scale, of runs with --oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmark.published import reading
from benchmark.published.model import Published, Row, Run
from benchmark.report.grid import Grid, Stat, oracle_curve, task_title
from benchmark.report.tables.beside_published import compared, number
from benchmark.report.tables.table import Block, Entry, Table
from benchmark.report.wording import about

BACKBONE = "ViT-B-16"  # of the authors' runs whose row names no other
COLUMNS = ("measured", "n", "logged", "gap", "in 2 std")
CURVES = {"raw": "curve", "softmax": "curve_softmax"}  # what ranks the images: a record's curve


class Pair(NamedTuple):
    """A logged run with a curve, its row, one of our labels, and our records with one."""

    run: Run
    row: Row
    label: str
    records: Sequence[dict]


def sections(grid: Grid) -> Iterator[tuple[str, Table]]:
    """(title, table) for each task of which we have a curve to set beside a logged one."""
    if grid.scale != "paper":
        return
    data = reading.load()
    for task in grid.long_tailed:
        pairs = [pair for run in data.runs if run.task == task for pair in _pairs(grid, data, run)]
        if pairs:
            yield f"Beside logged test curves: {task_title(task)}", _table(grid, task, pairs)


def _pairs(grid: Grid, data: Published, run: Run) -> Iterator[Pair]:
    rows = (data.row(name) for name in run.rows if run.curve)
    for row, label in ((each, x) for each in rows if not each.backbone for x in each.labels):
        done = [r for r in grid.cell(run.task, label).done if _comparable(r)]
        if done:
            yield Pair(run, row, label, done)


def _comparable(record: dict) -> bool:
    """Whether the record has a whole curve, and of the authors' backbone. Where an epoch could not
    be evaluated nobody knows of which epochs the others are."""
    model = str(record.get("backbone")).partition(":")[0].removesuffix("-quickgelu")
    curve = (record.get("oracle") or {}).get("curve")
    return model == BACKBONE and bool(curve) and not record.get("oracle_reason")


def _table(grid: Grid, task: str, pairs: Sequence[Pair]) -> Table:
    """A row for each label, epoch that was noted down, and ranking of the images that we have."""
    lines, entries = [], []
    for run, _, label, records in pairs:
        known = {words: oracle_curve(records, field) for words, field in CURVES.items()}
        for epoch, theirs in run.curve.items():
            for words in (words for words, ours in known.items() if ours):
                lines.append((label, str(epoch), words))
                entries.append(_entries(known[words].get(epoch), theirs))
    return Table(
        name=f"beside_curve_{task}",
        caption=f"Test curves, {about(grid, [task])}: {_caption(pairs)}",
        labels=tuple(" ".join(texts) for texts in lines),
        blocks=(Block(task, COLUMNS, tuple(entries), title=task_title(task)),),
        notes=tuple(dict.fromkeys(pair.row.also_note for pair in pairs if pair.row.also)),
        stacked=True,
        factors=("method", "epoch", "scores"),
        rows=tuple((grid.title(label), *others) for label, *others in lines),
        codes=tuple(lines),
        of_cells=False,
    )


def _caption(pairs: Sequence[Pair]) -> str:
    records = [record for pair in pairs for record in pair.records]
    backbones = ", ".join(dict.fromkeys(str(r.get("backbone")) for r in records))
    lengths = sorted({len(r["oracle"]["curve"]) for r in records})
    logs = (f"{run.log} of {run.source.text} ({run.source.status})" for run, *_ in pairs)
    return (
        "mAP in percent on the test images after each epoch that is known of the authors' run, "
        f"measured here ({backbones}; mean ± sample standard deviation over n units; epochs here: "
        f"{' or '.join(map(str, lengths))}) beside the log: {'; '.join(dict.fromkeys(logs))}. Gap: "
        "measured less logged; in 2 std: whether it is no more than two of our standard "
        "deviations. Learning rates may follow the number of epochs, so that a run of another "
        "length need not have the same curve. No epoch is chosen by it."
    )


def _entries(ours: Stat | None, theirs: float) -> tuple[Entry, ...]:
    count = Entry(word=str(ours.n) if ours else "-")
    return (Entry(ours), count, Entry(word=number(theirs)), *compared(ours, theirs))
