"""For maintainers: writes the committed manifests of the paper's scale from the official files."""

from __future__ import annotations

from pathlib import Path

from benchmark import splits
from benchmark.records import atomic
from benchmark.splits import derive, manifest, sources


def pin(folder: Path, target: Path | None = None) -> None:
    """Write `<target>/<split>/manifest.json`; the target is splits/paper of this repository.

    The files are those of `splits/paper/sources.tsv`, found below `folder` by their sha256.
    """
    local = sources.Local(folder)
    target = target or splits.FOLDER / "paper"
    for name, origins in sources.table(splits.FOLDER / "paper" / "sources.tsv").items():
        files = {source.path: local.find(source) for source in origins}
        raw = derive.fields(name, origins, derive.lists_of(name, files, None))
        path = target / name / "manifest.json"
        with atomic(path) as temporary:
            temporary.write_bytes(manifest.text(raw))
        print(f"{name}: {path}")
