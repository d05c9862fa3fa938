"""From files to records: one of each, or packed, checked; what is no record is one line.

Records may come from anywhere: no content and no kind of file stops a reader or keeps it waiting.
"""

from __future__ import annotations

import functools
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from benchmark.common import files
from benchmark.common.text import one_line, plain
from benchmark.records import fields

ERROR = ".error.json"  # ends the name of a file that says why a unit failed
PACKED = "records.jsonl.gz"
MB = 10**6
LARGEST, LARGEST_PACKED = 20 * MB, 1000 * MB  # bytes of a record, and of packed ones unpacked
MOST_BAD = 100  # lines without a record in packed ones, which are then refused as a whole

Complain = Callable[[str], None]


@functools.cache
def complain(line: str) -> None:
    """Tell the user of a bad record, once a process, without stopping."""
    print(f"warning: {one_line(line)}", file=sys.stderr)


def read(path: str, complain: Complain) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each record of a file with its name: the path, of a packed one `path:line`, from 1.

    What is no record is complained of, each with its name, and left out.
    """
    try:
        found, wrong = _packed(path) if path.endswith(PACKED) else _single(path)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        found, wrong = {}, {path: error}
    for name, error in wrong.items():
        complain(f"{name}: {_reason(error)}; treated as missing")
    yield from found.items()


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


_JSON = json.JSONDecoder(parse_constant=_no_number)


def parsed(content: bytes, failure: bool = False) -> dict[str, Any]:
    """The record that the bytes are, its texts made plain; ValueError if they are none.

    failure   whether it is to say why a unit failed, as error files do, and not what came out
    """
    try:
        value = _JSON.decode(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not readable as JSON ({error})") from None
    fields.check(value, failure)
    sure = content.isascii() and b"\\" not in content and b"\x7f" not in content
    return value if sure else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(name): _plain(part) for name, part in value.items()}
    return [*map(_plain, value)] if isinstance(value, list) else value


Found = dict[str, dict[str, Any]]  # name -> record
Wrong = dict[str, Exception]  # name -> why it is none


def _single(path: str) -> tuple[Found, Wrong]:
    content = files.content(path, LARGEST)
    return {path: parsed(content, failure=path.endswith(ERROR))}, {}


def _packed(path: str) -> tuple[Found, Wrong]:
    """All lines, or ValueError: of a file that is cut off no line counts."""
    found: Found = {}
    wrong: Wrong = {}
    for number, line in enumerate(_lines(path), 1):
        name = f"{path}:{number}"
        try:
            found[name] = parsed(line)
        except ValueError as error:
            wrong[name] = error
        if len(wrong) > MOST_BAD:
            raise ValueError(f"more than {MOST_BAD} lines are no records")
    return found, wrong


def _lines(path: str) -> Iterator[bytes]:
    """The lines of a compressed file, one at a time: a small file must not fill the memory."""
    total = 0
    with files.opened(path) as compressed, gzip.open(compressed) as file:
        while line := file.readline(LARGEST + 1):
            total += len(line)
            if len(line) > LARGEST or total > LARGEST_PACKED:
                most = f"{LARGEST // MB} MB a line or {LARGEST_PACKED // MB} MB in all"
                raise ValueError(f"more than {most}, unpacked")
            yield line


def _reason(error: Exception) -> str:
    """Why, without the number and the path that an OSError adds."""
    if isinstance(error, ValueError):
        return str(error)
    return f"not readable ({getattr(error, 'strerror', None) or error})"
