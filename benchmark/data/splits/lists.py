"""The format of a list file: one image a line, `<path below the data root> <class index> ...`.

Blanks and percent signs of a path are percent-encoded, as in an address: `my%20dog.jpg`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from benchmark.common.errors import InputError

Row = tuple[str, tuple[int, ...]]  # path below the data root, class indices
# The list files of a few-shot split's episodes: name -> (shots, number)
EPISODES = {f"episodes/{k}-shot-{n:02d}.txt": (k, n) for k in (1, 5) for n in range(1, 11)}
# The miniature's splits have development images too, and few-shot ones `dev-episodes/...`.
DEVELOPMENT = {"long-tailed": "dev.txt", "few-shot": "novel_dev.txt"}
_SPLITS = re.compile(r"[%\s]")  # what `split` and `splitlines` break a path at, and the sign itself
LINE_ENDS = "CR LF in the place of LF, as git writes them with core.autocrlf; turn that off"


def sha256(content: bytes) -> str:
    """The sha256 of bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def parse(content: bytes, path: Path, classes: int) -> list[Row]:
    """The rows of a list file of `classes` classes, no class twice; InputError names the line."""
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason}); a list is plain text") from None
    rows = [row(f"{path}:{number}", line, classes) for number, line in enumerate(lines, 1)]
    for number, (_, labels) in enumerate(rows, 1):
        if len(set(labels)) < len(labels):
            raise InputError(f"{path}:{number}: has a class index twice; keep one")
    return rows


def row(place: str, line: str, classes: int) -> Row:
    """One line, which must have a path and class indices below `classes`."""
    path, *words = line.split() or [""]
    if not path:
        raise InputError(f"{place}: empty line; a line is `<path> <class index> ...`")
    few = len(str(classes))
    if not all(word.isdecimal() and len(word) <= few and int(word) < classes for word in words):
        raise InputError(f"{place}: class indices must be integers from 0 to {classes - 1}")
    return unquote(path), tuple(int(word) for word in words)


def content(rows: Iterable[Row]) -> bytes:
    """The bytes of a list file."""
    return "".join(
        " ".join([_word(path), *map(str, labels)]) + "\n" for path, labels in rows
    ).encode()


def _word(path: str) -> str:
    """The path without a blank in it."""
    return _SPLITS.sub(lambda found: quote(found[0]), path)


def positives(rows: Iterable[Row]) -> int:
    """The number of positive labels."""
    return sum(len(labels) for _, labels in rows)


def counts(rows: Iterable[Row], classes: int) -> list[int]:
    """The positives of each class (C,)."""
    found = [0] * classes
    for _, labels in rows:
        for k in labels:
            found[k] += 1
    return found


def info(rows: Sequence[Row]) -> dict[str, str | int]:
    """What a manifest says of a list file: sha256, images (lines) and labels (positives)."""
    return {"sha256": sha256(content(rows)), "images": len(rows), "labels": positives(rows)}


def only(rows: Iterable[Row], classes: Iterable[int]) -> list[Row]:
    """Labels restricted to some classes; images without any of them are left out."""
    wanted = set(classes)
    kept = ((path, tuple(k for k in labels if k in wanted)) for path, labels in rows)
    return [each for each in kept if each[1]]
