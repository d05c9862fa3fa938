"""The official files: which there are, where they come from, and their verified copies on disk.

`splits/paper/sources.tsv` is the root of trust: repository, commit, path, size and sha256 of each.
Verbatim copies lie below a data root in `cimlic-splits/official/<repository>/<path>`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError
from benchmark.common.files import atomic
from benchmark.data import splits
from benchmark.data.splits import lists

COLUMNS = ("split", "repository", "commit", "path", "licence", "sha256", "bytes")


@dataclass(frozen=True)
class Source:
    """One official file; `licence` is what its repository states."""

    repository: str
    commit: str
    path: str
    licence: str
    sha256: str
    bytes: int

    @property
    def origin(self) -> str:
        """Repository, commit and path, in words."""
        return f"repository {self.repository}, commit {self.commit}, path {self.path}"

    def place(self, root: Path) -> Path:
        """Where its copy lies below a data root."""
        return root / "cimlic-splits" / "official" / self.repository / self.path

    def here(self, root: Path) -> bool:
        """Whether its copy lies there, unchanged."""
        return self.read(self.place(root)) is not None

    def read(self, path: Path) -> bytes | None:
        """The file's bytes if they are this source's, else None."""
        try:
            content = path.read_bytes() if path.stat().st_size == self.bytes else b""
        except OSError:
            return None
        return content if lists.sha256(content) == self.sha256 else None


def table(path: Path) -> dict[str, list[Source]]:
    """The sources of each split; InputError names the line that is no source."""
    found: dict[str, list[Source]] = defaultdict(list)
    try:
        header, *lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); restore it from git") from None
    for number, line in enumerate(lines, 2):
        fields = line.split("\t")
        if header != "\t".join(COLUMNS) or len(fields) != len(COLUMNS) or not fields[-1].isdigit():
            raise InputError(f"{path}:{number}: must have {', '.join(COLUMNS)}; restore it")
        split, *rest, size = fields
        found[split].append(Source(*rest, int(size)))
    return dict(found)


def captions() -> dict[str, list[Source]]:
    """Where the published caption files come from, by split; not part of a split's identity."""
    path = splits.FOLDER / "paper" / "captions.tsv"
    return table(path) if path.exists() else {}


def of(raw: dict[str, Any]) -> list[Source]:
    """The sources that a committed manifest names."""
    return [Source(**entry) for entry in raw["sources"]]


def verified(found: list[Source], root: Path) -> dict[str, Path]:
    """Path in its repository -> copy below the data root; InputError if one is not as it was."""
    for source in found:
        if not source.here(root):
            raise InputError(
                f"{source.place(root)}: absent or sha256 differs from the manifest's, field "
                "sources; run python -m benchmark splits fetch --data-root DIR"
            )
    return {source.path: source.place(root) for source in found}


class Local:
    """A folder with copies of official files, in whatever layout: found by name, size and sha256.

    A clone of a repository at the commit does, and so does any collection of the files.
    """

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise InputError(f"--from {folder}: no such folder; give one with the official files")
        self.folder = folder
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for place, _, names in os.walk(folder):
            for name in names:
                self._by_name[name].append(Path(place, name))

    def find(self, source: Source) -> Path:
        """The file; InputError with its origin if the folder has none of this sha256."""
        candidates = sorted(self._by_name.get(Path(source.path).name, ()))
        for path in candidates:
            if source.read(path) is not None:
                return path
        why = f"; {candidates[0]} has another sha256" if candidates else ""
        raise InputError(f"--from {self.folder}: missing {source.origin}{why}; get it there")

    def obtain(self, source: Source, root: Path) -> None:
        """Copy the file to its place below the data root."""
        found = self.find(source)
        with atomic(source.place(root)) as temporary:
            temporary.write_bytes(found.read_bytes())
