"""Which units are settled, by the names of their files: for many machines on one shared disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from benchmark.records.store import ResultsFolder
from benchmark.suites.unit import Unit


class Listing:
    """What a RecordStore says of units, without a look into any file.

    A shared disk answers the question for one file's time about as fast as a local one that for a
    thousand. So the folder is listed again only after a unit turned out to be settled that was not
    known to be, and a unit is asked about by its own name only: what is asked of the disk for each
    unit that is computed does not grow with their number, nor with that of the machines.

    stale   path -> mtime in ns of files that count as absent until they are written again: also of
            all records that, by what is in them, do not count
    """

    def __init__(self, folder: ResultsFolder, stale: Mapping[str, int]) -> None:
        self.folder, self.stale = folder, stale
        self.names: frozenset[str] = frozenset()
        self.is_old = True

    def scan(self) -> None:
        """List the folder again, if it is known that something is new there."""
        if self.is_old:
            self.is_old = False
            self.names = frozenset(os.listdir(self.folder.records))

    def settled(self, unit: Unit) -> bool:
        """Whether the unit has a record or has failed in this run, as far as is known."""
        return any(path.name in self.names and self._counts(path) for path in self._files(unit))

    def settled_now(self, unit: Unit) -> bool:
        """The same, asked of the disk."""
        found = any(map(self._counts, self._files(unit)))
        self.is_old = self.is_old or found
        return found

    def _files(self, unit: Unit) -> tuple[Path, Path]:
        return self.folder.record(unit), self.folder.error(unit)

    def _counts(self, path: Path) -> bool:
        old = self.stale.get(str(path))
        if old is None and path.name in self.names:
            return True
        try:
            return os.stat(path).st_mtime_ns != old
        except FileNotFoundError:
            return False
