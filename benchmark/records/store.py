"""What results/ looks like on disk: records, failures, claims. The only file that knows.

    <results>/<suite>/<scale>/records/<task>_<label>_s<seed>[_e<episode>]_<key>.json
                             /records/....error.json     why a unit failed, until it succeeds
                             /records.jsonl.gz           packed records, one a line: see pack.py
                             /scores/                    what the records rest on: see scores.py
                             /.locks/<key>.lock          held while a process computes the unit
                             /report/

A record is the proof that its unit is done: it appears whole or not at all, in a file of its own,
which beats the packed record of the same key. The fields are documented in results/README.md.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import operator
import sys
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common import environment
from benchmark.common.files import atomic, file_times, remove_leftovers
from benchmark.suites.unit import Unit

if TYPE_CHECKING:
    import pandas

SCHEMA = 1
ERROR = ".error.json"
PACKED = "records.jsonl.gz"
LATER = {  # fields that came later than the first records, with what a record without them means
    "preprocess": "clip",
    "precision": "float32",
    "restriction": None,
    "oracle_reason": None,
    "scores_sha256": None,
}
_NEEDED = {"key": str, "suite": str, "scale": str, "task": str, "label": str, "status": str}


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


def stem(unit: Unit | Mapping[str, Any]) -> str:
    """`coco-fs-1_coop_s0_e03_1f0c9a77be`, of a unit or its record: for people; the key inside
    the record decides."""
    at = unit if isinstance(unit, Mapping) else {**vars(unit), "key": unit.key}
    episode = "" if at.get("episode") is None else f"_e{at['episode']:02d}"
    return f"{at['task']}_{at['label']}_s{at.get('seed')}{episode}_{at['key'][:10]}"


def write(folder: ResultsFolder, unit: Unit, record: Mapping[str, Any]) -> Path:
    """Store the unit's record whole, then drop its failure; ValueError for NaN in a field.

    One of status "failed" says why the unit is to be tried again next time. The unit's claim is
    held: what a killed process left of it is removed.
    """
    failed = record["status"] == "failed"
    path = folder.error(unit) if failed else folder.record(unit)
    text = json.dumps({"schema": SCHEMA, **record}, indent=1, allow_nan=False) + "\n"
    remove_leftovers(folder.record(unit), folder.error(unit))
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    if not failed:
        folder.error(unit).unlink(missing_ok=True)
    return path


def _parsed(content: bytes) -> dict[str, Any]:
    """The record that the bytes are; ValueError, which says why, if they are cut off or none."""
    try:
        record = json.loads(content.decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"not readable as JSON ({error})") from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"not a record of schema {SCHEMA}")
    for name, kind in _NEEDED.items():
        if not isinstance(record.get(name), kind):
            raise ValueError(f"field '{name}' is missing")
    return record


@functools.cache
def complain(line: str) -> None:
    """Tell the user of a bad record, once a process, without stopping."""
    print(f"warning: {line}", file=sys.stderr)


def _sources(folder: ResultsFolder) -> dict[str, int]:
    """Path -> mtime in ns of the files with records: those of one each, oldest first, and last
    the packed ones."""
    found = dict(sorted(file_times(folder.records).items(), key=operator.itemgetter(1)))
    with contextlib.suppress(OSError):
        found[str(folder.packed)] = folder.packed.stat().st_mtime_ns
    return found


def _read(path: str, complain: Callable[[str], None]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each record of a source with its name: the path, of a packed one `path:line`, from 1.

    What is no record is complained of, each with its name, and left out.
    """
    packed = path.endswith(PACKED)
    try:
        content = Path(path).read_bytes()
        lines = gzip.decompress(content).splitlines() if packed else []
    except (OSError, EOFError, zlib.error) as error:
        complain(f"{path}: not readable as JSON ({error}); treated as missing")
        return
    parts = {f"{path}:{n}": line for n, line in enumerate(lines, 1)} if packed else {path: content}
    for name, content in parts.items():
        try:
            yield name, _parsed(content)
        except ValueError as error:
            complain(f"{name}: {error}; treated as missing")


@dataclass
class RecordStore:
    """The records of one folder as they stand, by key; `scan` again reads only what changed.

    stale      names (a file's path or a packed record's `path:line`) -> mtime in ns: they count as
               absent until the file is rewritten; see `outdated`
    oracle     records that were made without --oracle count as absent too
    complain   is told, in one line, of each file or line that is no record
    done       key -> record of status "done" or "skipped"
    failed     key -> why the unit failed
    """

    folder: ResultsFolder
    stale: Mapping[str, int] = field(default_factory=dict)
    oracle: bool = False
    complain: Callable[[str], None] = complain
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)
    _in_files: set[str] = field(default_factory=set)  # keys with a record file of their own

    def scan(self) -> list[dict[str, Any]]:
        """Read new and changed files; return their records, oldest first, packed ones last."""
        fresh = []
        for path, record in self._changed():
            failure = path.endswith(ERROR)
            if failure or not self.oracle or has_oracle(record):
                (self.failed if failure else self.done)[record["key"]] = record
                fresh.append(record)
        return fresh

    def _changed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(path, record) of new and changed files; a packed record's is what its file's would be.

        Files come before the packed records, so that those of the same key are left out.
        """
        for path, mtime in _sources(self.folder).items():
            if mtime in (self._seen.get(path), self.stale.get(path)):
                continue
            self._seen[path] = mtime
            for name, record in _read(path, self.complain):
                if name == path:
                    if not path.endswith(ERROR):
                        self._in_files.add(record["key"])
                    yield path, record
                elif record["key"] not in self._in_files and self.stale.get(name) != mtime:
                    yield str(self.folder.records / f"{stem(record)}.json"), record

    def settled(self, unit: Unit) -> bool:
        """Whether nothing is left to do for the unit in this run: done, or just failed."""
        return unit.key in self.done or unit.key in self.failed


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
            found = _read(path, complain=lambda line: None)
            old |= {name: mtime for name, record in found if record["key"] in keys}
    return old


def load(
    folder: Path | str, failures: bool = True, complain: Callable[[str], None] = complain
) -> list[dict[str, Any]]:
    """All records below a folder (records/, one suite and scale, or all of results/), by path.

    A packed record comes where its file would. With `failures` also why units failed (status
    "failed"), unless they were done since.
    """
    folder = Path(folder)
    if folder.name == "records":
        places = [folder.parent]
    else:
        inside = folder.rglob("records*")
        places = sorted({at.parent for at in inside if at.name in ("records", PACKED)})
    found: list[dict[str, Any]] = []
    for at in map(ResultsFolder, places):
        everything = RecordStore(at, {} if failures else outdated(at), complain=complain)
        found += (r for _, r in sorted(everything._changed(), key=operator.itemgetter(0)))
    unit = operator.itemgetter("suite", "scale", "key")
    done = {unit(r) for r in found if r["status"] != "failed"}
    return [r for r in found if r["status"] != "failed" or unit(r) not in done]


def frame(folder: Path | str) -> pandas.DataFrame:
    """The records below a folder as a table: one row a unit that is done or skipped.

    Metrics become columns of their name (`map`, `tail`); other nested fields `seconds.fit`;
    per_class_ap, train_counts, curve and hyperparameters stay one column each. Fields that came
    later have their only earlier value in older records.
    """
    import pandas

    rows = []
    for record in load(folder, failures=False):
        row = {}
        for name, value in record.items():
            if name == "metrics":
                row |= value
            elif name in ("oracle", "n_classes", "seconds", "provenance"):
                row |= {f"{name}.{inner}": part for inner, part in (value or {}).items()}
            else:
                row[name] = value
        rows.append({**row, **{name: LATER[name] for name in LATER.keys() - row.keys()}})
    return pandas.DataFrame(rows)
