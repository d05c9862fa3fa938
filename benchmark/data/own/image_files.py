"""The image files below a folder, found by what a labels file calls them."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from functools import cached_property
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.common.text import HALVES, shortened
from benchmark.data.own import walk

_ENDINGS = ("jpg", "jpeg", "png", "bmp", "gif", "webp", "tif", "tiff", "jpe", "jfif", "ppm", "pgm")


def is_name(text: str) -> bool:
    """Whether it ends as the name of an image file does."""
    return text.rpartition(".")[2].lower() in _ENDINGS


class ImageFiles:
    """The image files below `folder`, which is the data root or lies below it.

    Whatever names exactly one of them is understood: its path below the folder, an absolute path,
    the end of either (the bare name of a file in a subfolder; `train/a.jpg` where the folder is
    `.../train`), with `\\` for `/`, another case of the ending, or no ending.
    """

    def __init__(self, folder: Path, root: Path):
        self.folder = folder
        self._at = Path(os.path.abspath(folder)).as_posix()
        self._prefix = below(folder, root)
        named = [path for path in walk.files(folder) if is_name(path)]
        self._paths = frozenset(path for path in named if not HALVES.search(path))
        self.unsayable = len(named) - len(self._paths)  # names that are not UTF-8
        if not self._paths:
            kinds = ", ".join(_ENDINGS[:8])
            raise InputError(f"--images {folder}: has no image files ({kinds}, ...); name another")

    def __len__(self) -> int:
        return len(self._paths)

    def one(self, text: str, place: str) -> str:
        """The path below the data root of the one file that is meant; else an InputError."""
        found = self.matches(text)
        if len(found) == 1:
            return self._prefix + found[0]
        quoted = repr(shortened(text))
        if not text.strip():
            raise InputError(f"{place}: names no image; write its path or take the row away")
        if found:
            both = " and ".join(sorted(found)[:2])
            remedy = "write its whole path below that folder"
            raise InputError(f"{place}: {quoted} may be {both} below {self.folder}; {remedy}")
        remedy = "correct it, or name the folder where the paths begin as --images"
        raise InputError(f"{place}: there is no image file {quoted} below {self.folder}; {remedy}")

    def matches(self, text: str) -> list[str]:
        """The paths below the folder that the text may mean."""
        if text in self._paths:
            return [text]
        text = unicodedata.normalize("NFC", text.strip()).replace("\\", "/")
        path = posixpath.normpath(text)
        if path.startswith("/"):
            below = (path.removeprefix(f"{at}/") for at in (self._at, self._real))
            return [path for path in below if path in self._paths][:1]
        if path in self._paths:
            return [path]
        folders, _, name = path.rpartition("/")
        stem, _, ending = name.rpartition(".")
        if is_name(name) and stem:
            every = [
                p for p in self._stems.get(stem, ()) if p.lower().endswith(f".{ending.lower()}")
            ]
        else:
            every = self._stems.get(name, [])
        return [path for path in every if self._ends_in(path, folders)] if folders else every

    def _ends_in(self, path: str, folders: str) -> bool:
        """Whether the folder of a file ends in these folders."""
        whole = unicodedata.normalize("NFC", f"{self._at}/{path}").rpartition("/")[0]
        return whole.endswith(f"/{folders}")

    @cached_property
    def _real(self) -> str:
        return Path(os.path.realpath(self.folder)).as_posix()

    @cached_property
    def _stems(self) -> dict[str, list[str]]:
        """The files by their names without folders and ending."""
        found: dict[str, list[str]] = {}
        for path in self._paths:
            stem = path.rpartition("/")[2].rpartition(".")[0]
            found.setdefault(unicodedata.normalize("NFC", stem), []).append(path)
        return found


def below(folder: Path, root: Path) -> str:
    """What stands before the folder's files in a path below the root: "" or "a/b/"; InputError."""
    for at, top in (
        (os.path.abspath(folder), os.path.abspath(root)),
        (os.path.realpath(folder), os.path.realpath(root)),
    ):
        if Path(at).is_relative_to(top):
            path = Path(at).relative_to(top).as_posix()
            return "" if path == "." else f"{path}/"
    raise InputError(
        f"--images {folder}: does not lie below --data-root {root}; "
        "give a data root above the images, such as that folder itself"
    )
