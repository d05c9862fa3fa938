"""Split files: who is in a split, with which labels, classes and groups; read and verified.

A split is a folder of list files (one image a line: `<path below the data root> <class index> ...`,
no index for an image without labels) and a `manifest.json` with the classes, the groups, the counts
and the sha256 of each list file. The miniature's are in `splits/miniature/<name>/`. Of the paper's
scale `splits/paper/<name>/` has the manifest alone: `python -m benchmark splits fetch` puts the
official lists below a data root, in `cimlic-splits/<name>/`; `splits make` puts those of own images
there too.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmark.common import environment
from benchmark.common.errors import InputError, unknown
from benchmark.data.splits import lists, manifest
from benchmark.data.splits.lists import Row
from benchmark.data.splits.manifest import FileInfo, Split

__all__ = ["FOLDER", "SCALES", "FileInfo", "Row", "Split", "committed", "entries", "fetched"]
__all__ += ["is_fetched", "names", "own", "read"]

FOLDER = environment.ROOT / "splits"
SCALES = ("miniature", "paper")
FETCH = "python -m benchmark splits fetch --data-root DIR"
MAKE = "python -m benchmark splits make"


def names(scale: str) -> list[str]:
    """The splits there are at a scale, sorted; InputError for an unknown scale."""
    if scale not in SCALES:
        raise unknown("scale", scale, SCALES)
    return sorted(path.parent.name for path in (FOLDER / scale).glob("*/manifest.json"))


def committed(name: str, scale: str) -> manifest.Document:
    """The manifest in `splits/`; what depends on annotation files is null in it (coco-fs)."""
    known = names(scale)
    if name not in known:
        raise unknown("split", name, known)
    return manifest.load(FOLDER / scale / name / "manifest.json", "restore it from git")


def fetched(name: str, root: Path | str) -> Path:
    """The folder below a data root where `fetch` puts a split's list files and manifest."""
    return Path(root) / "cimlic-splits" / name


def is_fetched(name: str, root: Path | str) -> bool:
    """Whether a split lies below a data root; not whether it is right."""
    return os.path.isfile(fetched(name, root) / "manifest.json")


def own(root: Path | str) -> list[str]:
    """The splits of people's own images below a data root, sorted; not whether they are right."""
    folder = Path(root) / "cimlic-splits"
    official = names("paper")
    try:
        entries = sorted(os.listdir(folder))
    except OSError:
        return []
    return [
        name
        for name in entries
        if name not in official and name[0] != "." and is_fetched(name, root)
    ]


def read(name: str, scale: str, root: Path | str | None = None) -> Split:
    """Read and check a manifest, not yet its list files; InputError names file and field.

    At the paper's scale it is the one below the data root `root`, which must be the committed one
    with its nulls filled in, or a restriction of it (`python -m benchmark splits restrict`), or one
    of own images that are no official split.
    """
    if scale == "paper" and root is not None and name not in names(scale):
        return _read_own(name, root)
    official = committed(name, scale)
    if scale == "miniature":
        return manifest.parse(official, name, scale)
    if root is None:
        raise InputError(f"split {name}: its lists lie below a data root; give --data-root DIR")
    path = fetched(name, root) / "manifest.json"
    try:
        found = manifest.load(path, "fetch it again")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: split {name} is not fetched; run {FETCH}") from None
    return manifest.parse(found, name, scale, official)


def _read_own(name: str, root: Path | str) -> Split:
    path = fetched(name, root) / "manifest.json"
    try:
        found = manifest.load(path, f"make it again with {MAKE}")
    except (FileNotFoundError, NotADirectoryError):
        known = unknown("split", name, [*names("paper"), *own(root)])
        raise InputError(f"{known}; to make it of own images: {MAKE} --help") from None
    if "own" not in found.raw:
        raise found.bad("own", f"there in a split that {MAKE} makes")
    return manifest.parse(found, name, "paper")


def entries(split: Split, file: str) -> list[Row]:
    """The (path, class indices) rows of a list file; InputError if it is not the manifest's."""
    if file not in split.files:
        raise unknown(f"file of split {split.name}", file, split.files)
    path, info = split.folder / file, split.files[file]
    remedy = f"fetch it again: {FETCH} --splits {split.name}"
    if split.own:
        remedy = f"make it again with {MAKE}"
    elif split.scale == "miniature":
        remedy = f"restore it from git (splits/{split.scale}/{split.name})"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    if lists.sha256(content) != info.sha256:
        what = "sha256 differs from manifest.json, field files"
        if lists.sha256(content.replace(b"\r\n", b"\n")) == info.sha256:
            what = f"{what}, by its line ends alone: {lists.LINE_ENDS}"
        raise InputError(f"{path}: {what}; {remedy}")
    rows = lists.parse(content, path, len(split.classes))
    found = (len(rows), lists.positives(rows))
    if found != (info.images, info.labels):
        raise InputError(
            f"{path}: {found[0]} images and {found[1]} labels, not {info.images} and {info.labels} "
            f"as in manifest.json, field files; {remedy}"
        )
    return rows
