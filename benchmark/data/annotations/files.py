"""Files and folders below a data root, read with one-line errors; names of conventions."""

from __future__ import annotations

import os
from pathlib import Path

from benchmark.common.errors import InputError, unknown


def read(path: Path) -> bytes:
    """A file's bytes; InputError if it is absent or may not be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InputError:
    remedy = "is the data root complete? `python -m benchmark data-root check` says what is missing"
    if isinstance(error, PermissionError):
        remedy = "give yourself the right to read it"
    return InputError(f"{path}: cannot be read ({error.strerror}); {remedy}")


def convention(field: str, value: str) -> str:
    """The value, which must be "positive" or "negative"; else an InputError names the field."""
    if value not in ("positive", "negative"):
        raise unknown(f"value of {field}", value, ("positive", "negative"))
    return value


class DataRoot:
    """The folder that the user gave; lists each folder in it once. InputError if unreadable."""

    def __init__(self, path: Path):
        self.path = Path(path)
        self._names: dict[str, frozenset[str] | None] = {}
        if self.names("") is None:
            raise InputError(f"--data-root {self.path}: no such folder")

    def names(self, folder: str) -> frozenset[str] | None:
        """The names in a folder below the root; None if there is no such folder."""
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(self.path / folder))
            except FileNotFoundError:
                self._names[folder] = None
            except OSError as error:
                raise _unreadable(self.path / folder, error) from None
        return self._names[folder]
