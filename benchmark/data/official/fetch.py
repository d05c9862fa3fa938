"""Gets the official files, over the network or from a folder, and makes our lists of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.data import splits
from benchmark.data.official import laso, sources, store
from benchmark.data.official.sources import Source

HOST = "https://raw.githubusercontent.com"
TIMEOUT = 30  # seconds without an answer


def fetch(root: Path, folder: Path | None = None, names: list[str] | None = None) -> None:
    """Put the official files and the lists of some splits, or of all, below the data root.

    coco-fs waits for COCO's 2014 annotations: that is said, and is an error only if it was asked
    for by name. InputError for a file that cannot be had or is not the pinned one.
    """
    known = splits.names("paper")
    for name in names or ():
        splits.committed(name, "paper")  # an unknown name, before any work
    wanted = [name for name in known if names is None or name in names]
    obtain = sources.Local(folder).obtain if folder else download
    for name in wanted:
        _get(name, root, obtain)
    problems = []
    for name in wanted:
        absent = laso.missing(root) if name == "coco-fs" else []
        if absent and names is not None:
            problems.append(InputError(f"split {name}: {waits(absent, root)}"))
        elif absent:
            print(f"{name}: not made; {waits(absent, root)}")
        else:
            try:
                print(_make(name, root))
            except InputError as error:
                problems.append(error)
    for name in wanted:
        _get_captions(name, root, obtain)
    if problems:  # at the end, so that the other splits are done
        raise problems[0]


def waits(absent: list[str], root: Path) -> str:
    """What is missing for coco-fs, and how to go on."""
    return (
        f"its episodes are positions in annotation files that are not below {root}: "
        f"{', '.join(absent)}; unpack COCO's annotations_trainval2014.zip there and run "
        "`python -m benchmark splits fetch` again"
    )


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
        f"cannot download {source.whence} ({reason}); without a network, give --from FOLDER with a "
        "copy of that repository"
    )


def _get(name: str, root: Path, obtain: Callable[[Source, Path], None]) -> None:
    """Have all of a split's official files below the root; those that are there stay."""
    for source in sources.of(splits.committed(name, "paper").raw):
        if not source.here(root):
            with store.writable(root):
                obtain(source, root)


def _get_captions(name: str, root: Path, obtain: Callable[[Source, Path], None]) -> None:
    """Have the captions of a split's training images; going without them is no error.

    They are no part of a split: two methods learn from them, and say so where they are absent.
    """
    for source in sources.captions().get(name, ()):
        try:
            if not source.here(root):
                with store.writable(root):
                    obtain(source, root)
        except InputError as error:
            print(f"{name}: no captions, which lmpt and taidpt need ({error})")


def _make(name: str, root: Path) -> str:
    files, raw = store.official(name, root)
    found = store.write(name, root, files, raw)
    images = sum(len(rows) for file, rows in files.items() if not file.startswith("episodes/"))
    what = f"{len(files)} lists, {images:,} images, sha256 {found.sha256[:10]}"
    return f"{name}: {what}, {found.path.parent}"
