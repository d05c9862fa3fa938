"""The check of all that was fetched: official files, manifests, and lists, derived anew."""

from __future__ import annotations

import os
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.data import splits
from benchmark.data.official import sources, store
from benchmark.data.splits import lists, manifest


def verify(root: Path) -> None:
    """Print a line for each split; InputError at the end if one is wrong or none is fetched."""
    wrong, fetched = [], 0
    for name in splits.names("paper"):
        try:
            line = one(name, root)
            fetched += line is not None
            print(f"{name}: {line or 'not fetched'}")
        except InputError as error:
            wrong.append(name)
            print(f"{name}: {error}")
    if wrong:
        raise InputError(f"--data-root {root}: wrong split files of {', '.join(wrong)}, see above")
    if not fetched:
        raise InputError(f"--data-root {root}: no split is fetched; run {splits.FETCH}")


def one(name: str, root: Path) -> str | None:
    """What a split is, None if it is not fetched; InputError if something of it is not right."""
    captions = sources.captions().get(name, ())
    sources.verified([each for each in captions if os.path.exists(each.place(root))], root)
    if not splits.is_fetched(name, root):
        origins = sources.of(splits.committed(name, "paper").raw)
        if any(os.path.exists(source.place(root)) for source in origins):
            sources.verified(origins, root)
        return None
    split = splits.read(name, "paper", root)
    for file in split.files:
        splits.entries(split, file)
    full, raw = store.official(name, root)
    path, of = split.folder / "manifest.json", split.sha256
    if split.restriction:
        of = manifest.load(path, "fetch it again").raw["restriction"].get("of")
    if of != lists.sha256(manifest.text(raw)):
        field = " field restriction.of:" if split.restriction else ""
        raise InputError(f"{path}:{field} not of the official split; run {splits.FETCH}")
    for file, rows in full.items():
        kept = {path for path, _ in splits.entries(split, file)} if split.restriction else None
        expected = [row for row in rows if kept is None or row[0] in kept]
        if lists.sha256(lists.content(expected)) != split.files[file].sha256:
            raise InputError(
                f"{split.folder / file}: not what the official files give; run {splits.FETCH} "
                f"--splits {name}"
            )
    text = f"{len(full)} lists as the official files give them, sha256 {split.sha256[:10]}"
    return f"{text}, restricted to {split.restriction}" if split.restriction else text
