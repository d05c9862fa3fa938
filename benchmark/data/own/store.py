"""Made splits put below a data root: each of them whole and all of them, or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.common import files
from benchmark.common.errors import DiskFull, InputError
from benchmark.data import splits
from benchmark.data.splits import Row, lists, manifest

_ABANDONED = 3600  # seconds after which what lies beside a split is nobody's


@dataclass(frozen=True, eq=False)
class Drawn:
    """A split before it is written: its lists by file name, and its manifest."""

    files: dict[str, list[Row]]
    raw: dict[str, Any]


def put(root: Path, made: Mapping[str, Drawn], replace: bool) -> list[str]:
    """Write the splits that are not there as they would be written; returns their names.

    InputError for one that is there and different unless it is to be replaced, and where the disk
    refuses; then, and after an interruption, everything is as it was before.
    """
    folders = {name: splits.fetched(name, root) for name in made}
    new = {name: folders[name] for name in made if not _is_there(folders[name], made[name])}
    for folder in new.values():
        if os.path.lexists(folder) and not replace:
            raise InputError(
                f"{folder}: is there and not what these choices make; add --replace to make it "
                "anew, or choose another name"
            )
    with _writable(root), contextlib.ExitStack() as cleaning, contextlib.ExitStack() as undoing:
        cleaning.callback(_remove_if_empty, splits.fetched("", root))
        for name, folder in new.items():
            _remove_abandoned(folder)
            for path in (_beside(folder, "new"), _beside(folder, "old")):
                _remove(path)
                cleaning.callback(_remove, path)
            manifest.write(_beside(folder, "new"), made[name].files, made[name].raw)
        for folder in new.values():
            _move(folder, _beside(folder, "old"), undoing)
            _move(_beside(folder, "new"), folder, undoing)
        undoing.pop_all()
    return list(new)


def _is_there(folder: Path, drawn: Drawn) -> bool:
    infos = drawn.raw["files"]
    try:
        if (folder / "manifest.json").read_bytes() != manifest.text(drawn.raw):
            return False
        found = {file: lists.sha256((folder / file).read_bytes()) for file in infos}
    except OSError:
        return False
    return found == {file: info["sha256"] for file, info in infos.items()}


def _beside(folder: Path, what: str) -> Path:
    """Where this process keeps a split that is not in its place yet, or no longer."""
    return folder.with_name(f".{folder.name}.{what}-{os.getpid()}.tmp")


def _move(source: Path, target: Path, undoing: contextlib.ExitStack) -> None:
    """Rename, and rename back if what follows fails; what is not there is not moved."""

    def back() -> None:
        if os.path.lexists(target) and not os.path.lexists(source):
            target.rename(source)

    if os.path.lexists(source):
        undoing.callback(back)  # before it is needed: an interruption may come at any line
        source.rename(target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _remove_abandoned(folder: Path) -> None:
    """What killed processes have left beside a split."""
    for path in folder.parent.glob(f".{folder.name}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > _ABANDONED:
                _remove(path)


@contextlib.contextmanager
def _writable(root: Path) -> Iterator[None]:
    """Turns what the disk refuses into bad input."""
    try:
        with files.room(root):
            yield
    except DiskFull:
        raise
    except OSError as error:
        place, reason = error.filename or root, error.strerror or error
        rule = f"--data-root {root} must be a folder that you may write to"
        raise InputError(f"{place}: cannot be written ({reason}); {rule}") from None
