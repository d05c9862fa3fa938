"""Restriction of fetched splits to the images that are there, for a trial on part of the data.

Every record and table of such a run says so; `fetch` restores the full lists.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmark.data import splits
from benchmark.data.official import store
from benchmark.data.splits import lists, manifest


def restrict(root: Path) -> None:
    """Restrict every fetched split and print a line for each; InputError if one is wrong."""
    for problem in store.each(splits.names("paper"), lambda name: one(name, root)):
        raise problem


def one(name: str, root: Path) -> str:
    """Restrict one split, from its full lists whatever was done before; says what is left."""
    if not splits.is_fetched(name, root):
        return "not fetched"
    full, raw = store.official(name, root)
    kept = {file: [r for r in rows if os.path.isfile(root / r[0])] for file, rows in full.items()}
    if kept == full:
        store.write(name, root, full, raw)
        return "all images are there, the lists are the full ones"
    files = {file: {"images": [len(kept[file]), len(full[file])]} for file in full}
    text = manifest.restriction_text(files)
    episodes = [bool(rows) for file, rows in kept.items() if file in lists.EPISODES]
    others = [bool(rows) for file, rows in kept.items() if file not in lists.EPISODES]
    if not all(others) or not any(episodes or others):  # some episodes may be empty, not all
        store.remove(name, root)
        return f"removed, as it would be left with {text}"
    restriction = {"of": lists.sha256(manifest.text(raw)), "files": files}
    raw |= manifest.counted(kept, len(raw["classes"])) | {"restriction": restriction}
    store.write(name, root, kept, raw)
    return f"restricted to {text}"
