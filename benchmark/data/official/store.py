"""The splits below a data root: each a whole folder of lists and manifest, or nothing of it."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError
from benchmark.common.files import atomic
from benchmark.data import splits
from benchmark.data.official import derive, sources
from benchmark.data.splits import manifest
from benchmark.data.splits.lists import Row
from benchmark.data.splits.manifest import Document


def each(names: Iterable[str], one: Callable[[str], str]) -> list[InputError]:
    """Print a line for each split, `one(name)`; returns its errors, so that all have their turn."""
    problems = []
    for name in names:
        try:
            print(f"{name}: {one(name)}")
        except InputError as error:
            problems.append(error)
    return problems


def official(name: str, root: Path) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    """A split's full lists and manifest, derived anew from the verified official files below root.

    InputError if a file is absent or changed, or if what comes out is not the committed manifest
    with its nulls filled in.
    """
    committed = splits.committed(name, "paper")
    origins = sources.of(committed.raw)
    found = derive.lists_of(name, sources.verified(origins, root), root)
    raw = derive.fields(name, origins, found)
    field = manifest.difference(raw, committed.raw)
    if field:
        raise InputError(
            f"{committed.path}: field {field}: not what the official files give; restore the "
            "manifest from git"
        )
    return {file: rows for file, rows in found.files.items() if isinstance(rows, list)}, raw


def write(name: str, root: Path, files: Mapping[str, list[Row]], raw: dict[str, Any]) -> Document:
    """Put the list files and the manifest in the split's folder, in place of what is there."""
    folder = splits.fetched(name, root)
    temporary = folder.with_name(f".{name}.{uuid.uuid4().hex[:12]}.tmp")
    with writable(root):
        try:
            manifest.write(temporary, files, raw)
            remove(name, root)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return manifest.load(folder / "manifest.json", "fetch it again")


def remove(name: str, root: Path) -> None:
    """Take a split away from below the data root; its official files stay."""
    folder = splits.fetched(name, root)
    with writable(root):
        if folder.is_dir():
            (folder / "manifest.json").unlink(missing_ok=True)  # first: without it, not fetched
            shutil.rmtree(folder)


@contextlib.contextmanager
def writable(root: Path) -> Iterator[None]:
    """Turns what the disk refuses into bad input."""
    try:
        yield
    except OSError as error:
        place = error.filename or root
        raise InputError(
            f"{place}: cannot be written ({error.strerror or error}); --data-root {root} must be a "
            "folder that you may write to"
        ) from None


def pin(folder: Path, target: Path | None = None) -> None:
    """Write the committed manifests anew, `<target>/<split>/manifest.json`; for maintainers.

    The target is splits/paper of this repository unless given. The official files are those of
    `splits/paper/sources.tsv`, found below `folder` by their sha256.
    """
    local = sources.Local(folder)
    target = target or splits.FOLDER / "paper"
    for name, origins in sources.table(splits.FOLDER / "paper" / "sources.tsv").items():
        files = {source.path: local.find(source) for source in origins}
        raw = derive.fields(name, origins, derive.lists_of(name, files, None))
        path = target / name / "manifest.json"
        with atomic(path) as temporary:
            temporary.write_bytes(manifest.text(raw))
        print(f"{name}: {path}")
