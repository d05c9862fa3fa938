"""A folder with one annotation file an image: which files are in it, read once and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from benchmark.common import files
from benchmark.common.errors import InputError

_MOST = 10**8  # bytes of an annotation


class Reading:
    """Reads files below a folder and keeps the sha256 of the names and contents of all read."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._hash = hashlib.sha256()

    def place(self, name: str) -> str:
        """The path of a file below the folder."""
        return f"{self.folder}/{name}"

    def content(self, name: str) -> bytes:
        """A file's bytes; InputError if it is absent, no file, too large or may not be read."""
        path = self.place(name)
        try:
            content = files.content(path, _MOST)
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
            raise InputError(f"{path}: {reason}; give this user a file of annotations") from None
        head = f"{len(name.encode(errors='surrogateescape'))} {len(content)} {name}"
        self._hash.update(head.encode(errors="surrogateescape") + content)
        return content

    def sha256(self) -> str:
        """Of what was read, in the order in which it was."""
        return self._hash.hexdigest()


def ending_in(ending: str, names: Iterable[str]) -> list[str]:
    """The names with that ending, whatever its case, sorted."""
    return sorted(name for name in names if name.lower().endswith(ending))
