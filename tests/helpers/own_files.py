"""A folder of pictures and a labels file, as people bring them; the pictures are empty files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.data.splits import Row


def write(root: Path, rows: Sequence[Row], classes: Sequence[str], name: str = "all.csv") -> Path:
    """The images below the root, and a CSV file there with a column of labels; its path."""
    lines = ["image,labels"]
    for path, labels in rows:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
        lines.append(f"{path},{';'.join(classes[k] for k in labels)}")
    (root / name).write_text("\n".join(lines) + "\n")
    return root / name
