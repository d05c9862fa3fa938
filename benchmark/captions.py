"""Captions of training images: the miniature writes them, LMPT and COCO publish them."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import splits
from benchmark.errors import InputError
from benchmark.splits import Row, Split, sources

if TYPE_CHECKING:
    from benchmark.tasks import Task

COCO2014 = "annotations/captions_train2014.json"
SENTENCES = {"coco": 5, "voc": 1}  # of the miniature's captions, as in the published ones


def of(split: Split, rows: Sequence[Row], root: Path) -> tuple[str, ...] | None:
    """One text for each training image, several sentences joined; None where there are none.

    Miniature: written from the rows' labels. Paper's scale: coco-lt and voc-lt from the files that
    LMPT publishes, as `fetch` puts them below the data root; coco-fs from COCO's own captions of
    train2014, if they lie there. InputError for a file that is not as it should be.
    """
    if split.scale == "miniature":
        from benchmark.miniature import captions

        names = [[split.classes[k] for k in labels] for _, labels in rows]
        count = SENTENCES[split.dataset]
        return tuple(
            captions.describe(path, n, count) for (path, _), n in zip(rows, names, strict=True)
        )
    known = _published(split.name, root)
    if known is None:
        return None
    absent = [path for path, _ in rows if path not in known]
    if absent:
        raise InputError(
            f"{absent[0]}: no caption for this training image of split {split.name} ({len(absent)} "
            f"of {len(rows)} missing); take the captions away from below {root} or get them whole"
        )
    return tuple(known[path] for path, _ in rows)


def missing(task: Task) -> str | None:
    """Why a method that learns from captions cannot take a task, or None if it can."""
    if task.train.captions is not None:
        return None
    remedy = {
        "long-tailed": "run python -m benchmark.splits fetch, then this suite with --force",
        "few-shot": f"put COCO's {COCO2014} below the data root, then run with --force"
        if task.dataset == "coco"
        else "none are published",
    }
    return f"no captions of its training images: {remedy[task.setting]}"


def table() -> dict[str, list[sources.Source]]:
    """Where the published caption files come from, by split; not part of a split's identity."""
    path = splits.FOLDER / "paper" / "captions.tsv"
    return sources.table(path) if path.exists() else {}


def _published(name: str, root: Path) -> Mapping[str, str] | None:
    if name == "coco-fs":
        path = Path(root) / COCO2014
        return _coco(path, _stamp(path)) if path.is_file() else None
    for source in table().get(name, ()):
        path = source.place(Path(root))
        if not path.is_file():
            return None
        if not source.here(Path(root)):
            raise InputError(f"{path}: sha256 differs; run python -m benchmark.splits fetch")
        return _lines(path, _stamp(path))
    return None


def _stamp(path: Path) -> tuple[int, int]:
    """Changes with the file, so that what was read of it can be kept."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


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
    told: dict[int, list[str]] = defaultdict(list)
    try:
        content = json.loads(path.read_bytes())
        names = {row["id"]: row["file_name"] for row in content["images"]}
        for row in content["annotations"]:
            told[row["image_id"]].append(_sentence(row["caption"]))
        return {f"train2014/{names[n]}": " ".join(parts) for n, parts in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{path}: not COCO's captions ({reason}); unpack them again") from None


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."
