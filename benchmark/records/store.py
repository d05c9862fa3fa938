"""What results/ looks like on disk: records, failures, claims. The only file that knows.

    <results>/<suite>/<scale>/records/<task>_<label>_s<seed>[_e<episode>]_<key>.json
                             /records/....error.json     why a unit failed, until it succeeds
                             /scores/                    what the records rest on: stored.py
                             /.locks/<key>.lock          held while a process computes the unit
                             /report/

A record is the proof that its unit is done: it appears whole or not at all. The fields are
documented in results/README.md.
"""

from __future__ import annotations

import contextlib
import functools
import json
import operator
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common import environment
from benchmark.common.files import atomic, file_times
from benchmark.suites.unit import Unit

if TYPE_CHECKING:
    import pandas

SCHEMA = 1
ERROR = ".error.json"
LATER = {  # than older records: what those stand for
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
    def report(self) -> Path:
        return self.path / "report"

    @property
    def locks(self) -> Path:
        """Beside the records, or below $CIMLIC_LOCK_DIR where the results lie on a network."""
        other = environment.lock_dir()
        return other / self.path.parent.name / self.path.name if other else self.path / ".locks"

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
    episode = "" if at["episode"] is None else f"_e{at['episode']:02d}"
    return f"{at['task']}_{at['label']}_s{at['seed']}{episode}_{at['key'][:10]}"


def write(folder: ResultsFolder, unit: Unit, record: Mapping[str, Any]) -> Path:
    """Store the unit's record whole, then drop its failure; ValueError for NaN in a field."""
    path = folder.record(unit)
    _replace(path, record)
    folder.error(unit).unlink(missing_ok=True)
    return path


def write_error(folder: ResultsFolder, unit: Unit, record: Mapping[str, Any]) -> Path:
    """Store why the unit failed; it is tried again next time."""
    path = folder.error(unit)
    _replace(path, record)
    return path


def _replace(path: Path, record: Mapping[str, Any]) -> None:
    text = json.dumps({"schema": SCHEMA, **record}, indent=1, allow_nan=False) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


class BadRecord(ValueError):
    """A file among the records that is none; the message is one line."""


def read(path: Path) -> dict[str, Any]:
    """The record in a file, or BadRecord if it is cut off or was never one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadRecord(f"{path}: not readable as JSON ({error}); treated as missing") from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise BadRecord(f"{path}: not a record of schema {SCHEMA}; treated as missing")
    for name, kind in _NEEDED.items():
        if not isinstance(record.get(name), kind):
            raise BadRecord(f"{path}: field '{name}' is missing; treated as missing")
    return record


@functools.cache
def complain(line: str) -> None:
    """Tell the user of a bad record, once a process, without stopping."""
    print(f"warning: {line}", file=sys.stderr)


@dataclass
class RecordStore:
    """The records of one folder as they stand, by key; `scan` again reads only what changed.

    `stale` names files (path -> mtime in ns) that count as absent until they are rewritten:
    all for a run with --force, the old failures for any run. `oracle`: also records without one.
    """

    folder: ResultsFolder
    stale: Mapping[str, int] = field(default_factory=dict)
    oracle: bool = False
    complain: Callable[[str], None] = complain
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    def scan(self) -> list[dict[str, Any]]:
        """Read new and changed files; return their records, oldest first."""
        fresh = []
        for path, mtime in sorted(
            file_times(self.folder.records).items(), key=lambda item: item[1]
        ):
            if mtime in (self._seen.get(path), self.stale.get(path)):
                continue
            self._seen[path] = mtime
            try:
                record = read(Path(path))
            except BadRecord as bad:
                self.complain(str(bad))
                continue
            failure = path.endswith(ERROR)
            if failure or not self.oracle or has_oracle(record):
                (self.failed if failure else self.done)[record["key"]] = record
                fresh.append(record)
        return fresh

    def settled(self, unit: Unit) -> bool:
        """Whether nothing is left to do for the unit in this run: done, or just failed."""
        return unit.key in self.done or unit.key in self.failed


def has_oracle(record: Mapping[str, Any]) -> bool:
    """Whether the unit was computed with --oracle, or refused and thus has no epochs."""
    return record["status"] == "skipped" or any(map(record.get, ("oracle", "oracle_reason")))


def outdated(folder: ResultsFolder, keys: Collection[str] = ()) -> dict[str, int]:
    """What a new run counts as absent: earlier failures, and the records of `keys` (--force)."""
    found = file_times(folder.records)
    old = {}
    for path, mtime in found.items():
        if path.endswith(ERROR):
            old[path] = mtime
        elif keys:
            with contextlib.suppress(BadRecord):
                if read(Path(path))["key"] in keys:
                    old[path] = mtime
    return old


def load(folder: Path | str, failures: bool = True) -> list[dict[str, Any]]:
    """All records below a folder (records/, one suite and scale, or all of results/), by path.

    With `failures` also why units failed (status "failed"), unless they were done since.
    """
    folder = Path(folder)
    inside = folder.glob("*.json") if folder.name == "records" else folder.rglob("records/*.json")
    found = []
    for path in sorted(inside):
        if not path.name.startswith(".") and (failures or not path.name.endswith(ERROR)):
            try:
                found.append(read(path))
            except BadRecord as bad:
                complain(str(bad))
    at = operator.itemgetter("suite", "scale", "key")
    done = {at(r) for r in found if r["status"] != "failed"}
    return [r for r in found if r["status"] != "failed" or at(r) not in done]


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
