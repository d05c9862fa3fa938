"""The report of a selection: its files, and how it compares with the repository's own records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.common import environment
from benchmark.runner import devices

if TYPE_CHECKING:
    from benchmark.api.selection import Selection
    from benchmark.suites.unit import Unit


def write(
    chosen: Selection, units: Sequence[Unit], workers: int | None = None, anew: bool = False
) -> Path:
    """Write the report of these units, see `Selection.reported`; the path of its report.md.

    workers   how many processes draw figures; None: one a core
    anew      also where the one that is there would be the same
    """
    from benchmark import report
    from benchmark.miniature import build

    images = chosen.choice.data_root or build.built(environment.cache())  # None: not rendered yet
    workers = workers or min(environment.cores(), devices.MOST_WORKERS)
    return report.write(units, chosen.folder.path, chosen.made.layout, images, workers, anew)


def against_reference(chosen: Selection, units: Sequence[Unit]) -> str | None:
    """How the units agree with the repository's own records; None where there are no others."""
    from benchmark import report

    own, other = chosen.folder, chosen.reference
    if not other.has_records() or other.path.resolve() == own.path.resolve():
        return None
    return report.against_reference(units, own.path, other.path, chosen.made.layout)
