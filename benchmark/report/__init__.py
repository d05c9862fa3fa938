"""Records to tables and figures: `write`, `summary` and `against_reference`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.common.errors import InputError
from benchmark.common.files import atomic, check_no_link
from benchmark.report import freshness
from benchmark.suites.tables import ReportLayout
from benchmark.suites.unit import Unit

if TYPE_CHECKING:
    from benchmark.report.bootstrap import Pairs
    from benchmark.report.grid import Grid

PLAIN = ReportLayout()  # no tables but the general ones
SUMMARY = "summary.txt"
# How the names of the files begin that a report writes, and that a later one may take away.
OURS = (
    "table_", "ablation_", "groups_", "frequency_", "gains_", "training_", "epochs_", "cost_",
    "fewshot.", "sensitivity.", "predictions_", "maps_", "beside_", "significance.md",
    "significance.csv",
)  # fmt: skip


def write(
    units: Sequence[Unit],
    results: Path,
    layout: ReportLayout = PLAIN,
    images: Path | None = None,
    workers: int = 1,
    anew: bool = False,
) -> Path:
    """Write `results`/report from the records in `results` and return the path of its report.md.

    `results` is results/<suite>/<scale>; `layout` is the suite's. Records whose key is no
    unit's key are left out. `images`: the data root; without it the figures that show pictures
    are left out. `workers`: how many processes draw figures. A report that is there already and
    would be the same stays as it is, unless `anew`. InputError when one task's records mix
    splits or the folder cannot be written, or is a link to another one.
    """
    folder = results / "report"
    check_no_link(folder)
    made_of = freshness.digest(units, results, layout, images)
    if anew or not freshness.fresh(folder, made_of):
        files, pictures = _drawn(units, results, layout, images, workers)
        _replace(folder, files)
        freshness.keep(folder, made_of, files, pictures)
    return folder / "report.md"


def _drawn(
    units: Sequence[Unit],
    results: Path,
    layout: ReportLayout,
    images: Path | None,
    workers: int,
) -> tuple[dict[str, bytes], list[Path]]:
    """All files of a report by name, and the folders that its pictures are from."""
    from benchmark.report import bootstrap, finding
    from benchmark.report.figures import draw, predictions
    from benchmark.report.grid import gather
    from benchmark.report.page import explorer, html, markdown
    from benchmark.report.tables import ablations, formats, sections, significance

    whole = gather(units, results, layout.titles)
    grid = ablations.general(whole, layout)
    with draw.drawing(whole, grid, layout, results, images, workers) as drawing:
        pairs = bootstrap.significance(whole, results, sections.compared(grid, layout))
        parts = sections.every(whole, grid, layout, pairs)
        found = finding.finding(grid, pairs)
        files: dict[str, bytes] = {}
        for part in parts:
            files |= formats.files(part.table, whole)
        files |= significance.files(pairs, whole)
        drawn = drawing()
    files |= {name: content for name, (content, _) in drawn.items()}
    captions = {name: caption for name, (_, caption) in drawn.items() if name.endswith(".png")}
    note = predictions.absent(grid, results, images)
    texts = {
        "report.md": markdown.render(whole, parts, captions, note, found),
        "index.html": html.render(whole, parts, drawn, files, results, images, pairs, note, found),
        SUMMARY: _summary(whole, layout, pairs),
    }
    files |= {name: text.encode(errors="replace") for name, text in texts.items()}
    return files, explorer.folders(whole, results, images)


def summary(units: Sequence[Unit], results: Path, layout: ReportLayout = PLAIN) -> str:
    """What a terminal shows, about 100 columns wide, and summary.txt has: what the run says of the
    paper's headline gains, and the main tables."""
    from benchmark.report import bootstrap
    from benchmark.report.grid import gather
    from benchmark.report.tables import ablations, sections

    whole = gather(units, results, layout.titles)
    tables = sections.compared(ablations.general(whole, layout), layout)
    return _summary(whole, layout, bootstrap.significance(whole, results, tables))


def _summary(whole: Grid, layout: ReportLayout, pairs: Mapping[str, Pairs]) -> str:
    from benchmark.report import finding
    from benchmark.report.tables import ablations, formats, sections

    grid = ablations.general(whole, layout)
    found = textwrap.fill(finding.finding(grid, pairs), 100, break_on_hyphens=False)
    tables = [formats.text(part.table) for part in sections.main(whole, grid, layout, pairs)]
    return "\n".join([*([f"{found}\n"] if found else []), *tables])


def against_reference(
    units: Sequence[Unit], results: Path, reference: Path, layout: ReportLayout = PLAIN
) -> str:
    """How the units' headline mAPs agree with the records below the folder `reference`."""
    from benchmark.report import compare
    from benchmark.report.grid import gather

    return compare.against(gather(units, results, layout.titles), reference)


def _replace(folder: Path, files: dict[str, bytes]) -> None:
    """Put every file in its place whole, then remove those of an earlier report that this one
    does not have, such as figures of a task no longer asked for."""
    try:
        for name, content in files.items():
            with atomic(folder / name) as temporary:
                temporary.write_bytes(content)
        for old in folder.iterdir():
            if old.name.startswith(OURS) and old.name not in files:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write the report ({error.strerror}); choose another --results-dir"
        ) from error
