"""The report of a search for hyperparameters: tables of trials, a summary, a figure a setting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.common.files import atomic
from benchmark.records.search import SearchResult
from benchmark.report.tables import trials


def write(results: Sequence[SearchResult], folder: Path) -> Path:
    """Write tables and figures of the searches into the folder; the path of summary.md.

    What an earlier command wrote there of other labels stays; the summary and the figures are of
    these searches.
    """
    from benchmark.report.figures import search, style

    files: dict[str, bytes] = {}
    for result in results:
        files |= trials.files(result)
    files |= trials.summary_files(results)
    with style.applied():
        for drawn in search.figures(results):
            rendered = style.rendered(drawn.figure)
            files |= {f"{drawn.name}.{kind}": content for kind, content in rendered.items()}
    for name, content in files.items():
        with atomic(folder / name) as temporary:
            temporary.write_bytes(content)
    return folder / "summary.md"


def summary(results: Sequence[SearchResult]) -> str:
    """The summary as plain text."""
    return trials.summary_text(results)
