"""Errors that are the user's to mend: one clear line, exit code 2."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from benchmark.common.text import shortened

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # line ends, a terminal's commands


class InputError(Exception):
    """Bad input. The message is one line that names the file, the field and the remedy.

    What it quotes may be anything: control characters are shown as Python would write them.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_CONTROL.sub(lambda found: repr(found[0])[1:-1], message))


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """An InputError for a name that nobody has, with the nearest names first."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    listed = ", ".join(known) or "none"
    return InputError(f"unknown {kind} '{shortened(name)}'; {hint}known: {listed}")
