"""Captions of training images, read from files: the miniature's, LMPT's, COCO's own."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.data.official import sources
from benchmark.data.splits import Row, Split

COCO2014 = "annotations/captions_train2014.json"


def of(split: Split, rows: Sequence[Row], root: Path, part: str) -> tuple[str, ...] | None:
    """One text for each training image, several sentences joined; None where there are none.

    part   which rows these are: "train" of a long-tailed split, "base_train", "episodes" or
           "holdout" of a few-shot one. The miniature has a file for each, see `miniature_file`.
    At the paper's scale coco-lt and voc-lt have the files that LMPT publishes, as `fetch` puts them
    below the data root; coco-fs has COCO's own captions of train2014, if they lie there.
    InputError for a file that is not as it should be.
    """
    known = _known(split, root, part)
    if known is None:
        return None
    absent = [path for path, _ in rows if path not in known]
    if absent:
        raise InputError(
            f"{absent[0]}: no caption for this training image of split {split.name} ({len(absent)} "
            f"of {len(rows)} missing); take the captions away from below {root} or get them whole"
        )
    return tuple(known[path] for path, _ in rows)


def miniature_file(root: Path, split: str, part: str) -> Path:
    """Where the miniature's captions of the rows `part` of a split lie below its data root."""
    return Path(root) / "captions" / split / f"{part}.txt"


def _known(split: Split, root: Path, part: str) -> Mapping[str, str] | None:
    """Captions by path below the data root; None where there are none."""
    source = None
    if split.scale == "miniature":
        path = miniature_file(root, split.name, part)
    elif split.name == "coco-fs":
        path = Path(root) / COCO2014
    else:
        source = next(iter(sources.captions().get(split.name, ())), None)
        path = source.place(Path(root)) if source else None
    if path is None or not path.is_file():
        return None
    if source and not source.here(Path(root)):
        raise InputError(f"{path}: sha256 differs; run python -m benchmark splits fetch")
    found = path.stat()  # changes with the file, so that what was read of it can be kept
    read = _coco if path.name.endswith(".json") else _lines
    return read(path, (found.st_size, found.st_mtime_ns))


@lru_cache(maxsize=4)
def _lines(path: Path, stamp: tuple[int, int]) -> Mapping[str, str]:
    """LMPT's `<path> <caption>` lines."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        image, _, caption = line.strip().partition(" ")
        if not caption.strip():
            raise InputError(f"{path}:{number}: must be `<path> <caption>`; fetch it again")
        found[image] = " ".join(caption.split())
    return found


@lru_cache(maxsize=1)
def _coco(path: Path, stamp: tuple[int, int]) -> Mapping[str, str]:
    """COCO's captions of train2014 by path below the data root, those of one image joined."""
    texts: dict[int, list[str]] = defaultdict(list)
    try:
        content = json.loads(path.read_bytes())
        names = {row["id"]: row["file_name"] for row in content["images"]}
        for row in content["annotations"]:
            text = " ".join(row["caption"].split())
            texts[row["image_id"]].append(text if text.endswith((".", "!", "?")) else f"{text}.")
        return {f"train2014/{names[n]}": " ".join(parts) for n, parts in texts.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{path}: not COCO's captions ({reason}); unpack them again") from None
