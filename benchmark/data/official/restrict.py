"""Restricts fetched splits to the images that are there, for a trial on part of the data.

Every record and table of such a run says so; `fetch` restores the full lists.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.data import splits
from benchmark.data.official import store
from benchmark.data.splits import lists, manifest
from benchmark.data.splits.lists import Row


def restrict(root: Path) -> None:
    """Restrict every fetched split and print a line for each; InputError if one is wrong."""
    problems = []
    for name in splits.names("paper"):
        if not splits.is_fetched(name, root):
            print(f"{name}: not fetched")
            continue
        try:
            print(f"{name}: {one(name, root)}")
        except InputError as error:
            problems.append(error)
    if problems:  # at the end, so that the other splits are done
        raise problems[0]


def one(name: str, root: Path) -> str:
    """Restrict one split, from its full lists whatever was done before; says what is left."""
    full, raw = store.official(name, root)
    kept = {file: _present(rows, root) for file, rows in full.items()}
    if kept == full:
        store.write(name, root, full, raw)
        return "all images are there, the lists are the full ones"
    files = {file: {"images": [len(kept[file]), len(full[file])]} for file in full}
    text = manifest.restriction_text(files)
    if _empty(kept):
        store.remove(name, root)
        return f"removed, as it would be left with {text}"
    whole = lists.sha256(manifest.text(raw))
    train, test = list(kept.values())[:2]
    raw = raw | {
        "train_counts": lists.counts(train, len(raw["classes"])),
        "test_counts": lists.counts(test, len(raw["classes"])),
        "files": {file: lists.info(rows) for file, rows in kept.items()},
        "restriction": {"of": whole, "files": files},
    }
    store.write(name, root, kept, raw)
    return f"restricted to {text}"


def _present(rows: list[Row], root: Path) -> list[Row]:
    return [row for row in rows if os.path.isfile(root / row[0])]


def _empty(kept: dict[str, list[Row]]) -> bool:
    """Whether nothing is left to train on or to test on; some episodes may be empty, not all."""
    episodes = [rows for file, rows in kept.items() if file.startswith("episodes/")]
    others = [rows for file, rows in kept.items() if not file.startswith("episodes/")]
    return not all(others) or (bool(episodes) and not any(episodes))
