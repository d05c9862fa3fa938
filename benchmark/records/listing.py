"""Which units are settled, by the names of their files: for many machines on one shared disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from benchmark.records.store import ResultsFolder
from benchmark.suites.unit import Unit


class Listing:
    """What a RecordStore says of units, without a look into any file.

    The folder is listed again only after a unit turned out to be settled that was not known to be,
    and a unit is asked about by its own name: what is asked of a shared disk for each unit that is
    computed grows neither with the number of units nor with that of machines.

    stale   path -> mtime in ns of files that count as absent until they are written again: also of
            all records that, by what is in them, do not count
    """

    def __init__(self, folder: ResultsFolder, stale: Mapping[str, int]) -> None:
        self.folder, self.stale = folder, stale
        self._list()

    def scan(self) -> None:
        """Nothing: the folder is listed when it has to be, not each time that somebody looks."""

    def _list(self) -> None:
        self.names = frozenset(os.listdir(self.folder.records))

    def settled(self, unit: Unit) -> bool:
        """Whether the unit has a record or has failed in this run, as far as is known."""
        return any(path.name in self.names and self._counts(path) for path in self._files(unit))

    def settled_now(self, unit: Unit) -> bool:
        """The same, asked of the disk; if that was not known, the folder is listed again."""
        if not any(map(self._counts, self._files(unit))):
            return False
        self._list()
        return True

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
