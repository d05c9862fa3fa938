"""Records to tables and figures: `write`, `summary` and `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import InputError
from benchmark.layouts import Arrangement

if TYPE_CHECKING:
    from benchmark.units import Unit

PLAIN = Arrangement()  # no tables but the general ones


def write(units: Sequence[Unit], results: Path, arrangement: Arrangement = PLAIN) -> Path:
    """Write `results`/report from `results`/records and return the path of its report.md.

    `results` is results/<suite>/<scale>; the suite says the `arrangement`. Records whose key is no
    unit's key are left out. InputError when one task's records mix splits or the folder cannot be
    written.
    """
    from benchmark.report import ablations, cells, curves, figures, formats, page, tables

    whole = cells.gather(units, results)
    grid = ablations.general(whole, arrangement)
    own = [(layout.title, table) for layout, table in ablations.all_of(whole, arrangement)]
    files: dict[str, bytes] = {}
    for table in (tables.long_tailed(grid), tables.few_shot(grid), *(table for _, table in own)):
        if table:
            files[f"{table.name}.md"] = formats.markdown(table).encode()
            files[f"{table.name}.csv"] = formats.comma(table, whole).encode()
            files[f"{table.name}.tex"] = formats.latex(table).encode()
    drawn = figures.draw(grid) | curves.draw(whole, arrangement)
    files |= {name: content for name, (content, _) in drawn.items()}
    captions = {name: caption for name, (_, caption) in drawn.items() if name.endswith(".png")}
    files["report.md"] = page.page(whole, grid, captions, own).encode()
    _replace(results / "report", files)
    return results / "report" / "report.md"


def summary(units: Sequence[Unit], results: Path, arrangement: Arrangement = PLAIN) -> str:
    """The main tables as plain text, about 100 columns wide."""
    from benchmark.report import ablations, cells, formats, tables

    whole = cells.gather(units, results)
    grid = ablations.general(whole, arrangement)
    own = [table for _, table in ablations.all_of(whole, arrangement)]
    found = (tables.long_tailed(grid), tables.few_shot(grid), *own)
    return "\n".join(formats.text(table) for table in found if table)


def compare(units: Sequence[Unit], results: Path, reference: Path) -> str:
    """How the units' headline mAPs agree with the records below the folder `reference`."""
    from benchmark.report import cells
    from benchmark.report.reference import against

    return against(cells.gather(units, results), reference)


def _replace(folder: Path, files: dict[str, bytes]) -> None:
    """Put every file in its place whole, then remove those of an earlier report that this one
    does not have, such as figures of a task no longer asked for."""
    from benchmark.records import atomic

    general = ("table_lt.", "table_fs.", "groups_", "frequency_", "fewshot.")
    ours = (*general, "ablation_", "sensitivity.")
    try:
        for name, content in files.items():
            with atomic(folder / name) as beside:
                beside.write_bytes(content)
        for old in folder.iterdir():
            if old.name.startswith(ours) and old.name not in files:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write the report ({error.strerror}); choose another --results-dir"
        ) from error
