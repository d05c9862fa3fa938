"""index.html: the whole report as one page that needs no other file and no network."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from benchmark.data.splits.manifest import OFFICIAL
from benchmark.report import selection
from benchmark.report.bootstrap import Pairs
from benchmark.report.figures import style
from benchmark.report.grid import Grid, grouping, task_title
from benchmark.report.page import explorer, inline_svg, overview
from benchmark.report.page.markdown import facts
from benchmark.report.tables import significance
from benchmark.report.tables.sections import Section
from benchmark.report.tables.table import Block, Entry, Table
from benchmark.report.wording import gaps, scale_words, selected

MAIN = 2  # tables in the summary where none has to be seen first
WIDE = 14  # columns of a table that still stand side by side
PARTS = {"lt": "Long-tailed", "fs": "Few-shot"}  # of a figure's file name, in words
_KINDS = {"csv": "text/csv", "tex": "application/x-tex", "md": "text/markdown"}
_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = ("tables.js", "explorer.js", "page.js")  # each a function of its own


def render(
    whole: Grid,
    sections: Sequence[Section],
    figures: Mapping[str, tuple[bytes, str]],
    files: Mapping[str, bytes],
    results: Path | None = None,
    images: Path | None = None,
    pairs: Mapping[str, Pairs] | None = None,
    note: str = "",
    found: str = "",
) -> str:
    """The page as the text of one HTML file.

    sections  the tables in their order; those to be seen first stand in the summary
    figures   {file name: (bytes, caption)}, .svg and .png of each
    files     {file name: bytes}: a table's .csv, .tex and .md are offered for download
    results   results/<suite>/<scale>, for the ranks in the explorer's images
    images    the data root: without it the explorer has no images
    pairs     for each task which methods cannot be told from the best
    note      why figures are missing, or ""
    found     what the run says of the paper's headline gains, or ""
    """
    drawn, sprite = inline_svg.figures(figures)
    explored = selection.shown(whole, style.LOOKS)
    script = "\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    first = [section for section in sections if section.first]
    first = first or [section for section in sections if section.paper][:MAIN]
    return _template().render(
        suite=whole.suite,
        scale=whole.scale,
        scale_words=scale_words(whole.scale, whole.tasks),
        groupings=_groupings(whole),
        policy=_policy(script),
        style=(_TEMPLATES / "page.css").read_text(encoding="utf-8"),
        script=script,
        sprite=sprite,
        found=found.partition(". "),  # its first sentence says it all
        tiles=overview.tiles(whole),
        leaders=overview.leaders(whole, pairs or {}),
        differences=[_differences(found, whole) for found in (pairs or {}).values()],
        differences_caption=significance.caption(pairs, whole) if pairs else "",
        main=[_part(section, files) for section in first],
        more=[_part(section, files) for section in sections if section not in first],
        figures=_kinds(drawn),
        note=note,
        explorer=explorer.data(explored, results, images),
        explored=selected(explored),
        facts=facts(whole),
        versions=overview.versions(whole),
        gaps=list(gaps(whole, whole.tasks, whole.labels)),
        settings=overview.settings(whole),
        commits=overview.commits(whole),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment.get_template("page.html")


def _policy(script: str) -> str:
    """Content-Security-Policy: nothing from anywhere, and no script but this very one."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def slug(text: str) -> str:
    """An id of letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "part"


def _part(section: Section, files: Mapping[str, bytes]) -> dict[str, Any]:
    """A section for the template, with its id, its HTML tables as (title, blocks, columns), and its
    files as (name, kind, address)."""
    table, name = section.table, section.table.name
    downloads = [
        (f"{name}.{kind}", kind, inline_svg.data(files[f"{name}.{kind}"], media))
        for kind, media in _KINDS.items()
    ]
    sheets = [(title, blocks, columns(blocks)) for title, blocks in side_by_side(table)]
    return vars(section) | {"id": slug(name), "sheets": sheets, "files": downloads}


def side_by_side(table: Table) -> list[tuple[str, Sequence[Block]]]:
    """(title, blocks) of each HTML table: all blocks in one, as the paper arranges them, unless
    that is too wide for a screen."""
    width = sum(len(block.columns) for block in table.blocks)
    if not table.stacked or width <= WIDE:
        return [("", table.blocks)]
    return [(block.heading, (block,)) for block in table.blocks]


def columns(blocks: Sequence[Block]) -> list[tuple[str, str]]:
    """(head, classes of its fields) of each column: `num` or `text`, `start` at a block's first."""
    return [
        (name, _alignment([row[k] for row in block.rows]) + " start" * (k == 0))
        for block in blocks
        for k, name in enumerate(block.columns)
    ]


def _alignment(entries: Sequence[Entry]) -> str:
    """Words stand left, numbers right; a column without either is one of numbers."""
    words = [e.word for e in entries if not e.stat and e.word not in ("-", "skipped", "failed")]
    return "text" if words and not any(map(number, words)) else "num"


def number(word: str) -> str:
    """The number that a word begins with, such as the 3 of `3/10`; "" if there is none."""
    first = word.partition("/")[0].strip().replace("\u2212", "-")
    try:
        found = float(first)
    except ValueError:
        return ""
    return f"{found:.8g}" if math.isfinite(found) else ""


def _groupings(grid: Grid) -> list[tuple[int, int, str]]:
    """(head, tail, " of zoo-LT") of each rule for groups; the task goes unsaid where it is one."""
    tasks: dict[tuple[int, int], list[str]] = {OFFICIAL: []}
    for task in grid.long_tailed:
        tasks.setdefault(grouping(grid, task), []).append(task_title(task))
    if not tasks[OFFICIAL] and len(tasks) > 1:
        del tasks[OFFICIAL]
    return [(*rule, f" of {', '.join(at)}" if len(tasks) > 1 else "") for rule, at in tasks.items()]


def _differences(found: Pairs, grid: Grid) -> dict[str, Any]:
    """A task's pairs for the template: those with its best method, the others, what is said of
    both, and from where to where their intervals reach."""
    rows = [
        {"better": grid.title(row.a), "worse": grid.title(row.b), "of": row, "real": row.real}
        for row in found.table
    ]
    low = min(0.0, *(row.low for row in found.table))
    return {
        "task": task_title(found.task),
        "said": significance.verdict(found, grid),
        "best": [row for row in rows if found.best in (row["of"].a, row["of"].b)],
        "others": [row for row in rows if found.best not in (row["of"].a, row["of"].b)],
        "low": low,
        "width": max(max(0.0, *(row.high for row in found.table)) - low, 1e-9),
    }


def _kinds(drawn: Sequence[inline_svg.Figure]) -> list[list[dict[str, Any]]]:
    """Figures whose file names begin alike together: `groups_coco-lt` and `groups_voc-lt`."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for figure in drawn:
        kind, _, part = figure.name.partition("_")
        words = PARTS.get(part) or task_title(part or figure.name)
        more = {"id": f"figure-{slug(figure.name)}", "part": words}
        kinds.setdefault(kind, []).append(vars(figure) | more)
    return list(kinds.values())
