"""A Table as Markdown, LaTeX (booktabs), CSV and plain text."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator

from benchmark.common.text import aligned
from benchmark.report.grid import METRIC, Grid, Stat, restrictions, shots
from benchmark.report.tables.table import Block, Entry, Table

TIED = "†"
_SAME = "is not distinguishable from the best of its column (see significance.md)."
_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "✓": r"$\surd$",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}


def tex_text(text: str) -> str:
    """Text with every character that LaTeX would act on escaped."""
    return "".join(_TEX.get(c, c) for c in " ".join(text.split()))


def md_text(text: str) -> str:
    """Text with every character that Markdown would act on escaped, on one line."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|~#$" else c for c in " ".join(text.split()))


def plain(entry: Entry) -> str:
    """`32.51 ± 0.40`, with `(n)` where the entry carries one; `± -` when n = 1."""
    if entry.stat is None:
        return f"{entry.word} [{entry.mark}]" if entry.mark else entry.word
    tied = TIED if entry.tied else ""
    return f"{_number(entry.stat)}{f' ({entry.count})' if entry.count else ''}{tied}"


def _number(stat: Stat) -> str:
    return f"{stat.mean:.2f} ± {'-' if stat.std is None else f'{stat.std:.2f}'}"


def files(table: Table, grid: Grid) -> dict[str, bytes]:
    """{file name: content}: the table as Markdown, CSV and LaTeX."""
    values = csv_of_cells(table, grid) if table.of_cells else csv_as_shown(table, grid)
    texts = {"md": markdown(table), "csv": values, "tex": latex(table)}
    return {f"{table.name}.{kind}": text.encode() for kind, text in texts.items()}


# -- Markdown -----------------------------------------------------------------------------------


def markdown(table: Table) -> str:
    """The table under its caption: one grid per task when stacked, else one for all blocks."""
    marks = " **Best** and *second* of each column are marked." if table.ranked else ""
    marks += f" {TIED} {_SAME}" if table.tied else ""
    parts = [md_text(table.caption) + marks]
    for title, head, rows in _grids(table, table.stacked):
        lines = [f"### {md_text(title)}", ""] if title else []
        lines.append("| " + " | ".join(map(md_text, (*table.factors, *head))) + " |")
        lines.append("|" + " :-- |" * len(table.factors) + " --: |" * len(head))
        for texts, row in zip(table.leading, rows, strict=True):
            lines.append("| " + " | ".join([*map(md_text, texts), *map(_md_entry, row)]) + " |")
        parts.append("\n".join(lines))
    if table.notes:
        parts.append("\n".join(f"- {md_text(note)}" for note in table.notes))
    return "\n\n".join(parts) + "\n"


def _md_entry(entry: Entry) -> str:
    mark = {1: "**", 2: "*"}.get(entry.rank, "")
    if entry.stat is None:
        return md_text(plain(entry))
    mean, _, rest = plain(entry).partition(" ")
    return f"{mark}{mean}{mark} {rest}"


def _grids(table: Table, stacked: bool) -> list[tuple[str, list[str], list[list[Entry]]]]:
    """(title, columns, rows) for each grid that Markdown and plain text show."""
    if stacked:
        return [(b.name, list(b.columns), [list(r) for r in b.rows]) for b in table.blocks]
    head = [f"{b.name} {column}" for b in table.blocks for column in b.columns]
    rows = [
        [entry for block in table.blocks for entry in block.rows[i]]
        for i in range(len(table.labels))
    ]
    return [("", head, rows)]


# -- plain text ---------------------------------------------------------------------------------


def text(table: Table, width: int = 100) -> str:
    """The table for a terminal: aligned columns, the best of each column with a star."""
    marks = " * marks the best of a column." if table.ranked else ""
    marks += f" {TIED} {_SAME}" if table.tied else ""
    lines = textwrap.wrap(table.caption + marks, width)
    beside = _lines(table, stacked=False)
    narrow = not table.stacked and max(map(len, beside)) <= width
    lines += beside if narrow else _lines(table, stacked=True)
    for note in table.notes:
        lines += textwrap.wrap(note, width, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join(lines) + "\n"


def _lines(table: Table, stacked: bool) -> list[str]:
    """Its grids, each after an empty line; a block's name stands in the head or above."""
    lines = []
    for title, head, rows in _grids(table, stacked):
        body = [[f"{plain(e)}{'*' if e.rank == 1 else ' '}" for e in row] for row in rows]
        above = [title] if title and table.rows else []
        first = table.factors if above or not title else (title,)
        cells = [[*first, *(f"{h} " for h in head)]]
        cells += [[*texts, *row] for texts, row in zip(table.leading, body, strict=True)]
        lines += ["", *above, *aligned(cells, len(first), rule=True)]
    return lines


# -- LaTeX --------------------------------------------------------------------------------------


def latex(table: Table) -> str:
    """A `table*` for \\usepackage{booktabs}, with the notes as small print below."""
    marks = " \\textbf{Best} and \\underline{second} are marked." if table.ranked else ""
    marks += f" $^\\dagger$ {_SAME.partition(' (')[0]}." if table.tied else ""
    width = len(table.factors)
    spec = "l" * width + "".join("@{\\hskip 1.2em}" + "r" * len(b.columns) for b in table.blocks)
    tops, rules, start = [], [], 1 + width
    for block in table.blocks:
        span = len(block.columns)
        tops.append(f"\\multicolumn{{{span}}}{{c}}{{{tex_text(block.name)}}}")
        rules.append(f"\\cmidrule(lr){{{start}-{start + span - 1}}}")
        start += span
    heads = [tex_text(c) for b in table.blocks for c in b.columns]
    named = any(block.name for block in table.blocks)
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table*}[t]",
        "\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}",
        f"\\caption{{{tex_text(table.caption)}{marks}}}",
        f"\\label{{tab:{table.name.replace('_', '-')}}}",
        f"\\begin{{tabular}}{{{spec}}}",
        "\\toprule",
        *([" & ".join([*[""] * width, *tops]) + " \\\\", "".join(rules)] if named else []),
        " & ".join([*map(tex_text, table.factors), *heads]) + " \\\\",
        "\\midrule",
    ]
    for i, texts in enumerate(table.leading):
        row = [_tex_entry(e) for block in table.blocks for e in block.rows[i]]
        lines.append(" & ".join([*map(tex_text, texts), *row]) + " \\\\")
    lines += ["\\bottomrule", "\\end{tabular}"]
    lines += [f"\\par\\smallskip {{\\scriptsize {tex_text(note)}}}" for note in table.notes]
    return "\n".join([*lines, "\\end{table*}"]) + "\n"


def _tex_entry(entry: Entry) -> str:
    if entry.stat is None:
        mark = f"$^{{{entry.mark}}}$" if entry.mark else ""
        return ("--" if entry.word == "-" else tex_text(entry.word)) + mark
    mean = f"{entry.stat.mean:.2f}"
    mean = {1: f"\\textbf{{{mean}}}", 2: f"\\underline{{{mean}}}"}.get(entry.rank, mean)
    std = "--" if entry.stat.std is None else f"{entry.stat.std:.2f}"
    tail = f" ({entry.count})" if entry.count else ""
    mean += "$^\\dagger$" if entry.tied else ""
    return f"{mean} {{\\tiny$\\pm$\\,{std}{tail}}}"


# -- CSV ----------------------------------------------------------------------------------------


def csv_of_cells(table: Table, grid: Grid) -> str:
    """One row for each task and label, full precision; empty where there is no number."""
    fewshot, own = table.name == "table_fs", bool(table.rows)
    shown = [c for c in table.blocks[0].columns if c != "n"]
    metrics = ["novel"] if fewshot else [*shown, "softmax"] if own else shown
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    split = ["dataset", "shots"] if fewshot else table.factors if own else []
    name = "label" if own else "method"
    numbers = [f"{metric}_{part}" for metric in metrics for part in ("mean", "std")]
    counts = ["n", "expected", "missing", "failed", "skipped"]
    out.writerow(["scale", "restriction", "task", *split, name, *numbers, *counts, "reason"])
    for task in grid.few_shot if fewshot else [block.name for block in table.blocks]:
        dataset, column = shots(task) or (task, "")
        for label, texts in zip(table.labels, table.leading, strict=True):
            extra = [dataset, column.split("-")[0]] if fewshot else texts if own else []
            cell = grid.cell(task, label)
            stats = [cell.stat(METRIC.get(metric, metric)) for metric in metrics]
            values = [_exact(v) for s in stats for v in ((s.mean, s.std) if s else (None, None))]
            row = [len(cell.done), cell.expected, cell.missing, len(cell.failed)]
            reason = "; ".join((*cell.reasons, *cell.errors))
            at = [grid.scale, restrictions(grid, [task], named=False), task]
            out.writerow([*at, *extra, label, *values, *row, len(cell.skipped), reason])
    return stream.getvalue()


def _exact(number: float | None) -> str:
    return "" if number is None else f"{number:.6f}"


def csv_as_shown(table: Table, grid: Grid) -> str:
    """One row for each row of each block, with the columns that any block has.

    A column of measured numbers becomes NAME_mean, NAME_std and NAME_n; one with footnotes gets
    NAME_notes, their numbers, beside it.
    """
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    named = any(block.name for block in table.blocks)
    first = table.blocks[0]
    kinds = [_kind(table.blocks, j) for j in range(len(first.columns))]
    heads = [h for name, kind in zip(first.columns, kinds, strict=True) for h in _head(name, kind)]
    out.writerow(["scale", *["task"] * named, *table.factors, *heads])
    for block in table.blocks:
        for texts, row in zip(table.leading, block.rows, strict=True):
            fields = [f for e, kind in zip(row, kinds, strict=True) for f in _fields(e, kind)]
            out.writerow([grid.scale, *[block.name] * named, *texts, *fields])
    return stream.getvalue()


def _kind(blocks: tuple[Block, ...], j: int) -> tuple[bool, bool]:
    """(has it measured numbers, has it footnotes)."""
    entries = [row[j] for block in blocks for row in block.rows]
    return any(e.stat for e in entries), any(e.mark for e in entries)


def _head(name: str, kind: tuple[bool, bool]) -> Iterator[str]:
    yield from (f"{name}_mean", f"{name}_std", f"{name}_n") if kind[0] else (name,)
    if kind[1]:
        yield f"{name}_notes"


def _fields(entry: Entry, kind: tuple[bool, bool]) -> Iterator[str]:
    if not kind[0]:
        yield "" if entry.word == "-" else entry.word
    elif entry.stat is None:
        yield from ("", "", "")
    else:
        yield f"{entry.stat.mean:.6f}"
        yield "" if entry.stat.std is None else f"{entry.stat.std:.6f}"
        yield str(entry.stat.n)
    if kind[1]:
        yield entry.mark
