"""The report of a search for hyperparameters: tables of trials, a summary, a figure a setting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.common.files import atomic, check_no_link
from benchmark.records.search import SearchResult
from benchmark.report.tables import trials


def write(results: Sequence[SearchResult], folder: Path) -> None:
    """Write tables and figures of the searches into the folder.

    What an earlier command wrote there of other labels and settings stays; a setting's summary and
    figure are of these searches alone. InputError for a folder that is a link to another one.
    """
    from benchmark.report.figures import search, style

    check_no_link(folder)
    files: dict[str, bytes] = {}
    for result in results:
        files |= trials.files(result)
    for setting in dict.fromkeys(result.setting for result in results):
        files |= trials.summary_files([x for x in results if x.setting == setting])
    with style.applied():
        for drawn in search.figures(results):
            rendered = style.rendered(drawn.figure)
            files |= {f"{drawn.name}.{kind}": content for kind, content in rendered.items()}
    for name, content in files.items():
        with atomic(folder / name) as temporary:
            temporary.write_bytes(content)


def summary(results: Sequence[SearchResult]) -> str:
    """The summary as plain text."""
    return trials.summary_text(results)
