"""The pairs of `bootstrap.significance` as files: significance.md and significance.csv."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.report import pairing, resampling
from benchmark.report.bootstrap import Pairs, Row
from benchmark.report.grid import Grid, task_title
from benchmark.report.tables.formats import csv_text, md_grid, md_text
from benchmark.report.wording import about

COLUMNS = ("a", "b", "diff", "low", "high", "seeds_std", "n", "real")


def files(found: Mapping[str, Pairs], grid: Grid) -> dict[str, bytes]:
    """{file name: content}; nothing where no two labels have stored scores."""
    if not found:
        return {}
    # Full precision; empty where n = 1 leaves no spread.
    rows = [["scale", "task", *COLUMNS, "a_title", "b_title"]]
    for task, pairs in found.items():
        for row in pairs.table:
            values = [getattr(row, name) for name in COLUMNS[:-1]]
            titles = grid.title(row.a), grid.title(row.b)
            rows.append([grid.scale, task, *values, "yes" if row.real else "no", *titles])
    texts = {"md": markdown(found, grid), "csv": csv_text(rows)}
    return {f"significance.{kind}": text.encode(errors="replace") for kind, text in texts.items()}


def caption(found: Mapping[str, Pairs], grid: Grid) -> str:
    """What the numbers are and when a difference counts as real."""
    return (
        f"Differences of mAP (total, or of the novel classes), {about(grid, list(found))}, in "
        f"percent points. Interval: 95 % of a paired bootstrap over the test images, "
        f"{resampling.RESAMPLES} resamples, the same for all methods, of the mean over n seeds or "
        "episodes. Spread: sample standard deviation over these of the difference. A difference "
        "is real where the interval leaves out 0 and, for n > 1, Student's 95 % interval of the "
        "mean over seeds or episodes does so too. Each pair is judged on its own: of twenty pairs "
        "without any difference, up to one is expected to look real."
        + (f" {pairing.RULE}" if any(pairs.selected for pairs in found.values()) else "")
    )


def markdown(found: Mapping[str, Pairs], grid: Grid) -> str:
    """significance.md: a table a task; the pairs with the task's best method come first."""
    parts = ["# Which differences are real", md_text(caption(found, grid))]
    for task, pairs in found.items():
        head = ("better", "worse", "difference", "95 % interval", "spread", "n", "real")
        rows = md_grid(head, "llrrrrl", (_cells(row, grid) for row in pairs.table))
        parts += [f"## {md_text(task_title(task))}", md_text(verdict(pairs, grid)), rows]
    return "\n\n".join(parts) + "\n"


def verdict(pairs: Pairs, grid: Grid) -> str:
    """One sentence: the best method of a task and those that cannot be told from it."""
    tied, without = (
        ", ".join(map(grid.title, sorted(some))) for some in (pairs.tied, pairs.without)
    )
    if pairs.best is None:
        said = "The best method has no stored scores."
    elif tied:
        said = f"Best: {grid.title(pairs.best)}. Not distinguishable from it: {tied}."
    else:
        said = f"Best: {grid.title(pairs.best)}, and all others compared are worse."
    said += f" Not compared, as they have no stored scores: {without}." if without else ""
    return said + (f" Not compared, as they rank lower: {len(pairs.below)}." if pairs.below else "")


def _cells(row: Row, grid: Grid) -> list[str]:
    spread = "-" if row.seeds_std is None else f"{row.seeds_std:.2f}"
    interval, real = f"{row.low:+.2f} to {row.high:+.2f}", "yes" if row.real else "no"
    names = md_text(grid.title(row.a)), md_text(grid.title(row.b))
    return [*names, f"{row.diff:+.2f}", interval, spread, f"{row.n}", real]
