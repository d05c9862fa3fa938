"""Errors that are the user's to mend: one clear line, exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from benchmark.common.text import shortened


class InputError(Exception):
    """Bad input. The message is one line that names the file, the field and the remedy.

    What it quotes may be anything, a terminal's commands included: characters that cannot be
    printed are shown as Python would write them, line ends as spaces.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in line))


class DiskFull(InputError, OSError):
    """There is no room below a folder; nothing else that is written there will succeed either."""


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """An InputError for a name that nobody has, with the nearest names first."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    listed = ", ".join(known) or "none"
    return InputError(f"unknown {kind} '{shortened(name)}'; {hint}known: {listed}")
