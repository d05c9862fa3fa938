"""The files below a folder: each folder once, links followed, circles not."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path

from benchmark.common.errors import InputError


def files(folder: Path) -> list[str]:
    """Posix paths below the folder, hidden files and folders (`.x`) left out.

    A folder that several paths lead to is listed at one of them: at its own place, not at a link's,
    if that lies below. InputError names what cannot be read.
    """
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    own, links = deque([""]), deque()
    while own or links:
        at = (own or links).popleft()
        try:
            state = os.stat(folder / at)
            if (state.st_dev, state.st_ino) in seen:
                continue
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(folder / at) as entries:
                shown = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
            raise InputError(f"{folder / at}: {reason}; name a folder that can") from None
        for entry in sorted(shown, key=lambda entry: entry.name):
            with contextlib.suppress(OSError):  # a link that leads to itself
                if entry.is_file():
                    found.append(at + entry.name)
                elif entry.is_dir():
                    (links if entry.is_symlink() else own).append(f"{at}{entry.name}/")
    return found
