"""Fetching the official files, over the network or from a folder, and making our lists of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.data import splits
from benchmark.data.official import laso, sources, store
from benchmark.data.official.sources import Source
from benchmark.data.splits import lists

HOST = "https://raw.githubusercontent.com"
TIMEOUT = 30  # seconds without an answer


def fetch(root: Path, folder: Path | None = None, names: Collection[str] | None = None) -> None:
    """Put the official files and the lists of some splits, or of all, below the data root.

    coco-fs waits for COCO's 2014 annotations: that is said, and is an error only if it was asked
    for by name. InputError for a file that cannot be had or is not the pinned one.
    """
    for name in names or ():
        splits.committed(name, "paper")  # an unknown name, before any work
    wanted = [name for name in splits.names("paper") if names is None or name in names]
    obtain = sources.Local(folder).obtain if folder else download
    for name in wanted:
        _get(sources.of(splits.committed(name, "paper").raw), root, obtain)
    problems = store.each(wanted, lambda name: _make(name, root, names is not None))
    for name in wanted:
        _get_captions(name, root, obtain)
    for problem in problems:
        raise problem


def download(source: Source, root: Path) -> None:
    """Get one official file over the network, verified, to its place below the data root."""
    import pooch  # on first use: it brings an HTTP client
    import requests

    pooch.get_logger().setLevel("ERROR")  # it announces each file
    place = source.place(root)
    try:
        pooch.retrieve(
            f"{HOST}/{source.repository}/{source.commit}/{source.path}",
            known_hash=f"sha256:{source.sha256}",
            fname=place.name,
            path=place.parent,
            downloader=pooch.HTTPDownloader(timeout=TIMEOUT),
        )
    except PermissionError:
        raise
    except (requests.ConnectionError, requests.Timeout):
        raise _not_had(source, f"no answer from {HOST}") from None
    except Exception as error:  # no such file, another sha256, a proxy's refusal, ...
        raise _not_had(source, " ".join(str(error).split())[:300]) from None


def _not_had(source: Source, reason: str) -> InputError:
    return InputError(
        f"cannot download {source.origin} ({reason}); without a network, give --from FOLDER with a "
        "copy of that repository"
    )


def _get(found: list[Source], root: Path, obtain: Callable[[Source, Path], None]) -> None:
    """Have these official files below the root; those that are there stay."""
    for source in found:
        if not source.here(root):
            with store.writable(root):
                obtain(source, root)


def _get_captions(name: str, root: Path, obtain: Callable[[Source, Path], None]) -> None:
    """Have the captions of a split's training images; going without them is no error.

    They are no part of a split: two methods learn from them, and say so where they are absent.
    """
    for source in sources.captions().get(name, ()):
        try:
            _get([source], root, obtain)
        except InputError as error:
            print(f"{name}: no captions, which lmpt and taidpt need ({error})")


def _make(name: str, root: Path, asked_for: bool) -> str:
    """Make a split's lists, if that can be done, and say what they are."""
    needed = laso.SIZES if name == "coco-fs" else ()
    absent = [path for path in needed if not os.path.isfile(root / path)]
    if absent:
        why = (
            f"its episodes are positions in annotation files that are not below {root}: "
            f"{', '.join(absent)}; unpack COCO's annotations_trainval2014.zip there and run "
            "`python -m benchmark splits fetch` again"
        )
        if asked_for:
            raise InputError(f"split {name}: {why}")
        return f"not made; {why}"
    files, raw = store.official(name, root)
    found = store.write(name, root, files, raw)
    images = sum(len(rows) for file, rows in files.items() if file not in lists.EPISODES)
    what = f"{len(files)} lists, {images:,} images, sha256 {found.sha256[:10]}"
    return f"{what}, {found.path.parent}"
