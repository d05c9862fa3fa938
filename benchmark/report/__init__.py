"""Records to tables and figures: `write`, `summary` and `against_reference`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.common.files import atomic
from benchmark.report import bootstrap, compare
from benchmark.report.grid import gather
from benchmark.suites.tables import ReportLayout
from benchmark.suites.unit import Unit

PLAIN = ReportLayout()  # no tables but the general ones
# How the names of the files begin that a report writes, and that a later one may take away.
OURS = (
    "table_", "ablation_", "groups_", "frequency_", "gains_", "training_", "cost_", "fewshot.",
    "sensitivity.", "predictions_", "maps_", "beside_", "significance.md", "significance.csv",
)  # fmt: skip


def write(
    units: Sequence[Unit],
    results: Path,
    layout: ReportLayout = PLAIN,
    images: Path | None = None,
    workers: int = 1,
) -> Path:
    """Write `results`/report from the records in `results` and return the path of its report.md.

    `results` is results/<suite>/<scale>; `layout` is the suite's. Records whose key is no
    unit's key are left out. `images`: the data root; without it the figures that show pictures
    are left out. `workers`: how many processes draw figures. InputError when one task's records mix
    splits or the folder cannot be written.
    """
    from benchmark.report.figures import draw, predictions
    from benchmark.report.page import html, markdown
    from benchmark.report.tables import ablations, formats, sections, significance

    whole = gather(units, results)
    grid = ablations.general(whole, layout)
    with draw.drawing(whole, grid, layout, results, images, workers) as drawing:
        pairs = bootstrap.significance(whole, results)
        parts = sections.main(whole, grid, layout, pairs)
        parts += sections.further(whole, grid)
        files: dict[str, bytes] = {}
        for part in parts:
            files |= formats.files(part.table, whole)
        files |= significance.files(pairs, whole)
        drawn = drawing()
    files |= {name: content for name, (content, _) in drawn.items()}
    captions = {name: caption for name, (_, caption) in drawn.items() if name.endswith(".png")}
    note = predictions.absent(grid, results, images)
    files["report.md"] = markdown.render(whole, parts, captions, note).encode()
    files["index.html"] = html.render(
        whole, parts, drawn, files, results, images, pairs, note
    ).encode()
    _replace(results / "report", files)
    return results / "report" / "report.md"


def summary(units: Sequence[Unit], results: Path, layout: ReportLayout = PLAIN) -> str:
    """The main tables as plain text, about 100 columns wide."""
    from benchmark.report.tables import ablations, formats, sections

    whole = gather(units, results)
    grid = ablations.general(whole, layout)
    pairs = bootstrap.significance(whole, results)
    parts = sections.main(whole, grid, layout, pairs)
    return "\n".join(formats.text(part.table) for part in parts)


def against_reference(units: Sequence[Unit], results: Path, reference: Path) -> str:
    """How the units' headline mAPs agree with the records below the folder `reference`."""
    return compare.against(gather(units, results), reference)


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
