"""What results/ looks like on disk: records, failures, claims. The only file that knows.

    <results>/<suite>/<scale>/records/<task>_<label>_s<seed>[_e<episode>]_<key>.json
                             /records/....error.json     why a unit failed, until it succeeds
                             /records.jsonl.gz           packed records, one a line: see pack.py
                             /scores/                    what the records rest on: see scores.py
                             /.locks/<key>.lock          held while a process computes the unit
                             /report/
                             /jobs/                      of a cluster: a folder a launch, with logs

A record is the proof that its unit is done: it appears whole or not at all, in a file of its own,
which beats the packed record of the same key. The fields are documented in results/README.md.
"""

from __future__ import annotations

import contextlib
import json
import operator
import os
import platform
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.common.files import atomic, file_times, owner, remove_leftovers
from benchmark.records import reading
from benchmark.records.fields import FAILED, SCHEMA
from benchmark.records.reading import ERROR, LARGEST, MB, PACKED, Complain, complain
from benchmark.suites.unit import Unit

_LONGEST = 180  # bytes of a file's name before the seed: file systems take 255 in all


def paths(results: Path, suite: str, scale: str) -> ResultsFolder:
    """The folder of one suite at one scale below `results`; nothing is made on disk."""
    return ResultsFolder(Path(results) / suite / scale)


@dataclass(frozen=True)
class ResultsFolder:
    """<results>/<suite>/<scale>: where its parts are."""

    path: Path

    @property
    def records(self) -> Path:
        return self.path / "records"

    @property
    def packed(self) -> Path:
        return self.path / PACKED

    @property
    def report(self) -> Path:
        return self.path / "report"

    @property
    def locks(self) -> Path:
        """Beside the records, or below $CIMLIC_LOCK_DIR where the results lie on a network."""
        other = environment.lock_dir()
        return other / self.path.parent.name / self.path.name if other else self.path / ".locks"

    @property
    def jobs(self) -> Path:
        return self.path / "jobs"

    def has_records(self) -> bool:
        """Whether there is a place for records: files of their own, packed ones, or both."""
        return self.records.is_dir() or self.packed.is_file()

    def record(self, unit: Unit) -> Path:
        """Where the unit's record is written."""
        return self.records / f"{stem(unit)}.json"

    def error(self, unit: Unit) -> Path:
        """Where the unit's failure is written."""
        return self.records / f"{stem(unit)}{ERROR}"

    def claim(self, unit: Unit) -> Path:
        """The unit's lock file, named by what the unit is."""
        return self.locks / f"{unit.key[:16]}.lock"

    @contextlib.contextmanager
    def held(self, unit: Unit) -> Iterator[None]:
        """While the unit's claim is held: a file beside it tells others by whom, see `holder`."""
        path = self.claim(unit).with_suffix(".json")
        about = {"host": platform.node(), "process": os.getpid(), "since": time.time()}
        with contextlib.suppress(OSError):
            path.write_text(json.dumps(about), encoding="utf-8")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()

    def holder(self, unit: Unit) -> tuple[str, int, float] | None:
        """Host, process and seconds since it began, of who computes the unit; None if unknown."""
        with contextlib.suppress(OSError, ValueError, TypeError, LookupError, RecursionError):
            about = json.loads(self.claim(unit).with_suffix(".json").read_text(encoding="utf-8"))
            age = time.time() - float(about["since"])
            return str(about["host"]), int(about["process"]), max(0.0, age)
        return None


def stem(unit: Unit | Mapping[str, Any]) -> str:
    """`coco-fs-1_coop_s0_e03_1f0c9a77be`, of a unit or its record: for people; the key inside
    the record decides. One file's name whatever the record says: not a path, and not too long."""
    at = unit if isinstance(unit, Mapping) else {**vars(unit), "key": unit.key}
    episode = "" if at.get("episode") is None else f"_e{at['episode']:02d}"
    name = f"{at['task']}_{at['label']}".encode()[:_LONGEST].decode(errors="ignore")
    name = f"{name}_s{at.get('seed')}{episode}_{at['key'][:10]}"
    return re.sub(r"[/\\\0]", "-", name)


def write(folder: ResultsFolder, unit: Unit, record: Mapping[str, Any]) -> Path:
    """Store the unit's record whole, then drop its failure.

    One of status "failed" says why the unit is to be tried again next time. The unit's claim is
    held: what a killed process left of it is removed. ValueError for what could not be read again:
    NaN, a field of another type, more bytes than a record may have.
    """
    failed = record["status"] == FAILED
    path = folder.error(unit) if failed else folder.record(unit)
    text = json.dumps({"schema": SCHEMA, **record}, allow_nan=False)
    text = json.dumps(reading.parsed(text.encode(), failed), indent=1) + "\n"
    if len(text) > LARGEST:
        raise ValueError(f"a record of more than {LARGEST // MB} MB")
    remove_leftovers(folder.record(unit), folder.error(unit))
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    if not failed:
        folder.error(unit).unlink(missing_ok=True)
    return path


def _sources(folder: ResultsFolder) -> dict[str, int]:
    """Path -> mtime in ns of the files with records: those of one each, oldest first, and last
    the packed ones; InputError where the folders cannot be listed."""
    try:
        found = dict(sorted(file_times(folder.records).items(), key=operator.itemgetter(1)))
        packed = file_times(folder.path, PACKED)
    except OSError as error:
        reason = f"{error.strerror or error}; owner: {owner(folder.records)}"
        remedy = "name another --results-dir"
        raise InputError(f"{folder.records}: cannot be listed ({reason}); {remedy}") from None
    return found | {path: time for path, time in packed.items() if path == str(folder.packed)}


class Source(NamedTuple):
    """Where a record is from. Of two records of one unit that of the greater source counts: one in
    a file of its own before a packed one, then the newer file, then the later name."""

    own: bool
    time: int  # mtime of the file, ns
    name: str  # the file's path, or of a packed record `path:line`

    @property
    def file(self) -> str:
        return self.name if self.own else self.name.rpartition(":")[0]


@dataclass
class RecordStore:
    """The records of one folder as they stand, by key; `scan` again reads only what changed.

    Of records with the same key the one of the greatest `Source` counts, alone and everywhere.

    stale      names (a file's path or a packed record's `path:line`) -> mtime in ns: they count as
               absent until the file is rewritten; see `outdated`
    oracle     records that were made without --oracle count as absent too
    complain   is told, in one line, of each file or line that is no record, and of each record
               that another one of the same kind of source beats
    done       key -> record of status "done" or "skipped"
    failed     key -> why the unit failed
    damaged    how many files or lines were no records
    """

    folder: ResultsFolder
    stale: Mapping[str, int] = field(default_factory=dict)
    oracle: bool = False
    complain: Complain = complain
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)
    damaged: int = 0
    _seen: dict[str, int] = field(default_factory=dict)
    _from: dict[tuple[str, bool], Source] = field(default_factory=dict)  # key, whether it failed

    def scan(self) -> list[dict[str, Any]]:
        """Read what is new or changed; return the records that count, oldest first, packed last."""
        fresh: dict[tuple[str, bool], dict[str, Any]] = {}
        for source, record in self._changed():
            key, failure = at = record["key"], record["status"] == FAILED
            old = self._from.get(at, source)
            if not failure:
                self._tell(source, old)
            if source < old and source.name != old.name:
                continue
            self._from[at] = source
            fresh.pop(at, None)
            if failure or not self.oracle or has_oracle(record):
                (self.failed if failure else self.done)[key] = fresh[at] = record
            else:
                self.done.pop(key, None)
        return [*fresh.values()]

    def _changed(self) -> Iterator[tuple[Source, dict[str, Any]]]:
        for path, mtime in _sources(self.folder).items():
            if mtime in (self._seen.get(path), self.stale.get(path)):
                continue
            self._seen[path] = mtime
            for name, record in reading.read(path, self._damaged):
                if self.stale.get(name) != mtime:
                    yield Source(name == path, mtime, name), record

    def _damaged(self, line: str) -> None:
        self.damaged += 1
        self.complain(line)

    def _tell(self, one: Source, two: Source) -> None:
        if one.own == two.own and one.name != two.name:
            old, new = sorted((one, two))
            older = f"an older record of the unit of {new.name}"
            self.complain(f"{old.name}: {older}; treated as missing")

    def uncounted(self, units: Iterable[Unit]) -> dict[str, int]:
        """Path -> mtime in ns of what was read in the place of these units' records and is none,
        or does not count."""
        paths = (str(self.folder.record(unit)) for unit in units if unit.key not in self.done)
        return {path: self._seen[path] for path in paths if path in self._seen}

    def every(self) -> list[tuple[Source, dict[str, Any]]]:
        """The records that count with their sources, and failures of units that have none; by path,
        a packed record where its file would be."""
        found = {self._from[key, False]: record for key, record in self.done.items()}
        found |= {self._from[k, True]: r for k, r in self.failed.items() if k not in self.done}

        def place(entry: tuple[Source, dict[str, Any]]) -> str:
            source, record = entry
            return source.name if source.own else f"{self.folder.records / stem(record)}.json"

        return sorted(found.items(), key=place)

    def settled(self, unit: Unit) -> bool:
        """Whether nothing is left to do for the unit in this run: done, or just failed."""
        return unit.key in self.done or unit.key in self.failed

    def settled_now(self, unit: Unit) -> bool:
        """The same, once what is new has been read."""
        self.scan()
        return self.settled(unit)


def has_oracle(record: Mapping[str, Any]) -> bool:
    """Whether the unit was computed with --oracle, or refused and thus has no epochs."""
    return record["status"] == "skipped" or any(map(record.get, ("oracle", "oracle_reason")))


def outdated(folder: ResultsFolder, keys: Collection[str] = ()) -> dict[str, int]:
    """What a new run counts as absent: earlier failures, and the records of `keys` (--force).

    By name as `RecordStore.stale` has it; what is no record is passed over in silence.
    """
    old = {}
    for path, mtime in _sources(folder).items():
        if path.endswith(ERROR):
            old[path] = mtime
        elif keys:
            found = reading.read(path, complain=lambda line: None)
            old |= {name: mtime for name, record in found if record["key"] in keys}
    return old


def load(
    folder: Path | str,
    failures: bool = True,
    complain: Complain = complain,
    reference: bool = False,
) -> list[dict[str, Any]]:
    """All records below a folder (records/, one suite and scale, or all of results/), by path.

    A packed record comes where its file would. A unit counts once within a suite and scale, also
    where a copy of a folder lies beside it: `Source` says which of its records.

    failures    also why units failed (status "failed"), unless they were done since
    reference   also what is in a folder `reference` below, as in this repository's results/
    """
    best: dict[tuple[str, str, str], tuple[tuple[bool, Source], Path, dict[str, Any]]] = {}
    beaten: Counter[tuple[Path, Path]] = Counter()
    for at in map(ResultsFolder, _places(Path(folder), reference, complain)):
        records = RecordStore(at, {} if failures else outdated(at), complain=complain)
        records.scan()
        for source, record in records.every():
            unit = record["suite"], record["scale"], record["key"]
            new = (record["status"] != FAILED, source), at.path, record
            old = best.pop(unit, new)
            less, best[unit] = sorted((old, new), key=operator.itemgetter(0))
            if less[0][0] and less is not best[unit]:
                beaten[less[1], best[unit][1]] += 1
    for (lost, won), count in beaten.items():
        complain(f"{lost}: {count} of its records are of units that have newer ones in {won}")
    return [record for _, _, record in best.values()]


def _places(folder: Path, reference: bool, complain: Complain) -> list[Path]:
    """The folders of one suite and scale that have records, from whichever level it is asked."""
    if folder.name == "records":
        return [folder.parent]

    def unlisted(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            reason = error.strerror or error
            complain(f"{error.filename}: cannot be listed ({reason}); treated as missing")

    places = []
    for at, folders, names in os.walk(folder, onerror=unlisted):
        if "records" in folders or PACKED in names:
            places.append(Path(at))
        folders[:] = sorted({*folders} - {"records", "scores", "report", "jobs"})
    own = (at for at in places if at.relative_to(folder).parts[-3:-2] != ("reference",))
    return places if reference else [*own]
