"""A Table as Markdown, LaTeX (booktabs), CSV and plain text."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from itertools import chain

from benchmark.common.text import aligned
from benchmark.report.grid import Grid, restrictions, shots
from benchmark.report.tables.table import Block, Entry, Line, Table

DAGGER = "†"
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
    "α": r"$\alpha$",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}


def tex_text(text: str) -> str:
    """Text with every character that LaTeX would act on escaped."""
    return "".join(_TEX.get(c, c) for c in " ".join(text.split()))


def md_text(text: str) -> str:
    """Text with every character that Markdown would act on escaped, on one line."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|~#$" else c for c in " ".join(text.split()))


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """The rows as a CSV file's text; None is an empty field, a float has six decimals."""
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    for row in rows:
        out.writerow([f"{x:.6f}" if isinstance(x, float) else x for x in row])
    return stream.getvalue()


def md_grid(head: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of escaped texts; `align` has an l or an r for each column."""
    rules = "".join(f" {':--' if side == 'l' else '--:'} |" for side in align)
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], f"|{rules}", *lines[1:]])


def plain(entry: Entry) -> str:
    """`32.51 ± 0.40`, with `(n)` where the entry carries one; `± -` when n = 1."""
    if entry.stat is None:
        return f"{entry.word} [{entry.mark}]" if entry.mark else entry.word
    std = "-" if entry.stat.std is None else f"{entry.stat.std:.2f}"
    count = f" ({entry.count})" if entry.count else ""
    return f"{mean(entry)} ± {std}{count}{DAGGER if entry.tied else ''}"


def mean(entry: Entry) -> str:
    """The mean of an entry that is a number: `32.51`, or `+1.20` where signs are shown."""
    return f"{entry.stat.mean:+.2f}" if entry.signed else f"{entry.stat.mean:.2f}"


def files(table: Table, grid: Grid) -> dict[str, bytes]:
    """{file name: content}: the table as Markdown, CSV and LaTeX."""
    values = csv_of_cells(table, grid) if table.of_cells else csv_as_shown(table, grid)
    texts = {"md": markdown(table), "csv": values, "tex": latex(table)}
    return {f"{table.name}.{kind}": text.encode(errors="replace") for kind, text in texts.items()}


# -- Markdown -----------------------------------------------------------------------------------


def markdown(table: Table) -> str:
    """The table under its caption: one grid per task when stacked, else one for all blocks."""
    marks = " **Best** and *second* of each column are marked." if table.ranked else ""
    marks += f" {DAGGER} {_SAME}" if table.tied else ""
    parts = [md_text(table.caption) + marks]
    for title, head, rows in _grids(table, table.stacked):
        parts += [f"### {md_text(title)}"] if title else []
        names = [md_text(name) for name in (*table.factors, *head)]
        cells = [[*map(md_text, texts), *map(_md_entry, row)] for texts, row in rows]
        parts.append(md_grid(names, "l" * len(table.factors) + "r" * len(head), cells))
    if table.notes:
        parts.append("\n".join(f"- {md_text(note)}" for note in table.notes))
    return "\n\n".join(parts) + "\n"


def _md_entry(entry: Entry) -> str:
    mark = {1: "**", 2: "*"}.get(entry.rank, "")
    if entry.stat is None:
        return md_text(plain(entry))
    first, _, rest = plain(entry).partition(" ")
    return f"{mark}{first}{mark} {rest}"


def _grids(table: Table, stacked: bool) -> list[tuple[str, Sequence[str], list[Line]]]:
    """(title, columns, rows) for each grid that Markdown and plain text show."""
    if stacked:
        return [(block.heading, block.columns, table.lines([block])) for block in table.blocks]
    return [("", _heads(table.blocks), table.lines(table.blocks))]


def _heads(blocks: Sequence[Block]) -> list[str]:
    """The head of each column where the blocks stand side by side."""
    return [f"{b.heading} {column}".strip() for b in blocks for column in b.columns]


# -- plain text ---------------------------------------------------------------------------------


def text(table: Table, width: int = 100) -> str:
    """The table for a terminal: aligned columns, the best of each column with a star."""
    marks = " * marks the best of a column." if table.ranked else ""
    marks += f" {DAGGER} {_SAME}" if table.tied else ""
    lines = textwrap.wrap(table.caption + marks, width)
    one = _lines(table, stacked=False)
    fits = not table.stacked and max(map(len, one)) <= width
    lines += one if fits else _lines(table, stacked=True)
    for note in table.notes:
        lines += textwrap.wrap(note, width, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join(lines) + "\n"


def _lines(table: Table, stacked: bool) -> list[str]:
    """Its grids, each after an empty line; a block's name stands in the head or above."""
    lines = []
    for title, head, rows in _grids(table, stacked):
        above = [title] if title and table.rows else []
        first = table.factors if above or not title else (title,)
        cells = [[*first, *(f"{h} " for h in head)]]
        for texts, row in rows:
            cells.append([*texts, *(f"{plain(e)}{'*' if e.rank == 1 else ' '}" for e in row)])
        lines += ["", *above, *aligned(cells, len(first), rule=True)]
    return lines


# -- LaTeX --------------------------------------------------------------------------------------


def latex(table: Table) -> str:
    """A `table*` for \\usepackage{booktabs,graphicx}, with the notes as small print below; it is
    made smaller where it is wider than the page."""
    marks = " \\textbf{Best} and \\underline{second} are marked." if table.ranked else ""
    marks += f" $^\\dagger$ {_SAME.partition(' (')[0]}." if table.tied else ""
    width = len(table.factors)
    spec, tops, rules, last = "l" * width, [""] * width, "", width
    for block in table.blocks:
        span = len(block.columns)
        spec += "@{\\hskip 1.2em}" + "r" * span
        tops.append(f"\\multicolumn{{{span}}}{{c}}{{{tex_text(block.heading)}}}")
        rules += f"\\cmidrule(lr){{{last + 1}-{last + span}}}" if block.heading else ""
        last += span
    heads = [c for b in table.blocks for c in b.columns]
    named = any(block.name for block in table.blocks)
    lines = [
        "% needs \\usepackage{booktabs,graphicx}",
        "\\begin{table*}[t]",
        "\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}",
        f"\\caption{{{tex_text(table.caption)}{marks}}}",
        f"\\label{{tab:{table.name.replace('_', '-')}}}",
        "\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{{spec}}}",
        "\\toprule",
        *([" & ".join(tops) + " \\\\", rules] if named else []),
        " & ".join(map(tex_text, (*table.factors, *heads))) + " \\\\",
        "\\midrule",
    ]
    for texts, row in table.lines(table.blocks):
        lines.append(" & ".join([*map(tex_text, texts), *map(_tex_entry, row)]) + " \\\\")
    lines += ["\\bottomrule", "\\end{tabular}}"]
    lines += [f"\\par\\smallskip {{\\scriptsize {tex_text(note)}}}" for note in table.notes]
    return "\n".join([*lines, "\\end{table*}"]) + "\n"


def _tex_entry(entry: Entry) -> str:
    if entry.stat is None:
        mark = f"$^{{{entry.mark}}}$" if entry.mark else ""
        signed = entry.word[:1] in "+-" and entry.word[1:2].isdecimal()
        word = f"${entry.word}$" if signed else tex_text(entry.word)
        return ("--" if entry.word == "-" else word) + mark
    first = mean(entry)
    first = f"${first}$" if entry.signed else first  # a minus, not a hyphen
    first = {1: f"\\textbf{{{first}}}", 2: f"\\underline{{{first}}}"}.get(entry.rank, first)
    std = "--" if entry.stat.std is None else f"{entry.stat.std:.2f}"
    tail = f" ({entry.count})" if entry.count else ""
    first += "$^\\dagger$" if entry.tied else ""
    return f"{first} {{\\tiny$\\pm$\\,{std}{tail}}}"


# -- CSV ----------------------------------------------------------------------------------------


def csv_of_cells(table: Table, grid: Grid) -> str:
    """One row for each task and label, full precision; empty where there is no number.

    Tasks and methods are named as flags and records name them, with the method's title beside.
    """
    fewshot, own = table.name == "table_fs", bool(table.rows)
    shown = [c for c in table.blocks[0].columns if c != "n"]
    metrics = ["novel"] if fewshot else [*shown, "softmax"] if own else shown
    split = ["dataset", "shots"] if fewshot else table.factors if own else []
    name = "label" if own else "method"
    numbers = [f"{metric}_{part}" for metric in metrics for part in ("mean", "std")]
    counts = ["n", "expected", "missing", "failed", "skipped"]
    out = [["scale", "restriction", "task", *split, name, "title", *numbers, *counts, "reason"]]
    for task in grid.few_shot if fewshot else [block.name for block in table.blocks]:
        dataset, column = shots(task) or (task, "")
        at = [grid.scale, restrictions(grid, [task], named=False), task]
        for label, texts in zip(table.labels, table.leading, strict=True):
            extra = [dataset, column.split("-")[0]] if fewshot else texts if own else []
            cell = grid.cell(task, label)
            stats = map(cell.stat, metrics)
            values = [v for s in stats for v in ((s.mean, s.std) if s else (None, None))]
            failed, skipped = len(cell.failed), len(cell.skipped)
            units = [len(cell.done), cell.expected, cell.missing, failed, skipped]
            reason = "; ".join((*cell.reasons, *cell.errors))
            out.append([*at, *extra, label, grid.title(label), *values, *units, reason])
    return csv_text(out)


def csv_as_shown(table: Table, grid: Grid) -> str:
    """One row for each row of each block; blocks of different columns stand side by side.

    A column of measured numbers becomes NAME_mean, NAME_std and NAME_n; one with footnotes gets
    NAME_notes, their numbers, beside it.
    """
    blocks = table.blocks
    if len({block.columns for block in blocks}) > 1:
        rows = (tuple(chain(*parts)) for parts in zip(*(b.rows for b in blocks), strict=True))
        blocks = (Block("", tuple(_heads(blocks)), tuple(rows)),)
    named = any(block.name for block in blocks)
    columns = zip(*(row for block in blocks for row in block.rows), strict=True)
    kinds = [(any(e.stat for e in column), any(e.mark for e in column)) for column in columns]
    heads = []
    for name, (measured, noted) in zip(blocks[0].columns, kinds, strict=True):
        heads += [f"{name}_{part}" for part in ("mean", "std", "n")] if measured else [name]
        heads += [f"{name}_notes"] * noted
    out = [["scale", *["task"] * named, *table.factors, *heads]]
    for block in blocks:
        for texts, row in zip(table.codes or table.leading, block.rows, strict=True):
            fields = [f for e, kind in zip(row, kinds, strict=True) for f in _fields(e, *kind)]
            out.append([grid.scale, *[block.name] * named, *texts, *fields])
    return csv_text(out)


def _fields(entry: Entry, measured: bool, noted: bool) -> list[object]:
    word = entry.code or ("" if entry.word == "-" else entry.word)
    numbers = astuple(entry.stat) if entry.stat else (None, None, None)
    return [*(numbers if measured else [word]), *[entry.mark] * noted]
