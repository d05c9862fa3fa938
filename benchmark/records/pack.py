"""The records of one suite and scale as compressed JSON Lines, one file for a repository."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import NoReturn

from benchmark.common import files
from benchmark.common.errors import InputError
from benchmark.common.text import one_line
from benchmark.records import store

# What a report rests on besides records where the scores are not kept: report/bootstrap.py has it.
_WITHOUT_SCORES = "significance.json"


def pack(folder: Path, to: Path) -> tuple[Path, int]:
    """Copy the done and skipped records of `folder` to `to`/<suite>/<scale>/records.jsonl.gz.

    One record a line, with the fields and values of its file, sorted by the file's name; a file
    that was there is replaced, whole or not at all. The significance of the differences, which a
    report can compute from stored scores alone, goes along.

    folder   results/<suite>/<scale>, whose records may be packed themselves
    to       a folder like results/, such as results/reference
    Returns the file and its number of records. InputError where `folder` is no such folder, has a
    damaged record, or `to` has record files of its own there, which would beat the packed ones.
    """
    source = store.ResultsFolder(Path(folder))
    there = store.load(folder, failures=False, complain=_refuse) if source.has_records() else []
    about = {(record["suite"], record["scale"]) for record in there}
    if len(about) != 1:
        has = f"records of {len(about)} suites or scales" if about else "no records there"
        raise InputError(f"{folder}: {has}; name one scale's folder, such as cimlic/miniature")
    target = store.paths(to, *about.pop())
    same = target.path.resolve() == source.path.resolve()
    files.check_writable(target.path, f"--to {to}")
    if not same and files.file_times(target.records):
        raise InputError(f"{target.records}: these files would beat packed records; remove them")
    there.sort(key=store.stem)
    lines = (json.dumps(record, allow_nan=False, separators=(",", ":")) for record in there)
    content = "".join(f"{line}\n" for line in lines).encode()
    _write(target.packed, gzip.compress(content, mtime=0))  # the same records, the same bytes
    kept = source.report / _WITHOUT_SCORES
    if kept.is_file() and not same:
        _write(target.report / _WITHOUT_SCORES, kept.read_bytes())
    return target.packed, len(there)


def _write(path: Path, content: bytes) -> None:
    with files.atomic(path) as temporary:
        temporary.write_bytes(content)


def _refuse(line: str) -> NoReturn:
    reason = one_line(line).removesuffix("; treated as missing")
    raise InputError(f"{reason}; mend or remove it first")
