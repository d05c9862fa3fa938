"""Whether a report is still that of its records: what it was made of, kept beside it as hashes.

Imports nothing that takes long, so that a report that did not change costs next to nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from benchmark.common import files
from benchmark.records.store import ResultsFolder
from benchmark.suites.tables import ReportLayout
from benchmark.suites.unit import Unit

FILE = ".made-of.json"
ALSO = ("significance.json",)  # read as well as written: numbers whose scores may be gone
_CODE = Path(__file__).resolve().parents[1]
_SUFFIXES = (".py", ".yaml", ".html", ".css", ".js", ".mplstyle")
_LARGEST = 20_000_000  # bytes of a note that `keep` wrote
_LIBRARIES = ("jinja2", "matplotlib", "numpy", "pillow", "scipy")


def digest(units: Sequence[Unit], results: Path, layout: ReportLayout, images: Path | None) -> str:
    """sha256 of all that a report is made of, besides the pictures: records by content, stored
    scores by size and time, units, layout with its titles, the data root, code and libraries."""
    whole = hashlib.sha256()
    parts = dataclasses.asdict(layout) | {"general": sorted(layout.general)}
    asked = [[u.key, u.label, u.task, u.seed, u.episode] for u in units]
    versions = [sys.version, *map(metadata.version, _LIBRARIES)]
    for part in (asked, parts, str(images), versions):
        whole.update(json.dumps(part).encode() + b"\n")
    folder = ResultsFolder(results)
    records = [*folder.records.glob("*.json"), folder.packed]
    for name, content in _hashes(sorted(records), results):
        whole.update(f"{name} {content}\n".encode("utf-8", "replace"))
    for path in sorted((results / "scores").glob("*")):
        with contextlib.suppress(OSError):  # a link that leads nowhere
            at = path.stat()
            whole.update(f"{path.name} {at.st_size} {at.st_mtime_ns}\n".encode("utf-8", "replace"))
    for name, content in _code():
        whole.update(f"{name} {content}\n".encode())
    return whole.hexdigest()


def keep(report: Path, made_of: str, names: Iterable[str], pictures: Iterable[Path]) -> None:
    """Note what the report in this folder is made of, and which files it consists of.

    made_of   the `digest`, taken before anything was read
    pictures  the folders of test images
    """
    paths = [report / name for name in {*names, *ALSO}]
    state = {
        "made_of": made_of,
        "files": dict.fromkeys(sorted({*names, *ALSO})) | dict(_hashes(paths, report)),
        "pictures": {str(folder): _changed(folder) for folder in pictures},
    }
    with contextlib.suppress(OSError), files.atomic(report / FILE) as temporary:
        temporary.write_text(json.dumps(state, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def fresh(report: Path, made_of: str) -> bool:
    """Whether this folder holds the whole report of what has this `digest`, and none of its files
    was changed since, nor was a picture added to or taken from the folders that it shows."""
    try:
        state = json.loads(files.content(report / FILE, _LARGEST))
        if state["made_of"] != made_of:
            return False
        written: Mapping[str, str | None] = state["files"]
        found = dict(_hashes([report / name for name in written], report))
        pictures = {folder: _changed(Path(folder)) for folder in state["pictures"]}
        return {name: found.get(name) for name in written} == written and (
            pictures == state["pictures"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _hashes(paths: Iterable[Path], start: Path) -> Iterator[tuple[str, str]]:
    """(path below `start`, sha256) of the files that are there and can be read."""
    for path in paths:
        with contextlib.suppress(OSError), files.opened(path) as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
            yield path.relative_to(start).as_posix(), content


def _changed(folder: Path) -> int | None:
    """When a file was last added to a folder or taken from it, in ns; None without the folder."""
    with contextlib.suppress(OSError):
        return folder.stat().st_mtime_ns
    return None


def _code() -> Iterator[tuple[str, str]]:
    found = (path for path in _CODE.rglob("*") if path.suffix in _SUFFIXES)
    return _hashes(sorted(found), _CODE)
