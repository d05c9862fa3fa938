"""An exact CLIP: the name that open_clip knows, and the bytes of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOCAL = "local-dir:"


@dataclass(frozen=True)
class Backbone:
    """An exact model: what open_clip calls it, and the bytes of its weights."""

    name: str  # for records and captions; says nothing of where files lie
    model: str  # open_clip's model name, or local-dir:FOLDER
    weights: Path | None  # None: drawn at random with a fixed seed
    weights_sha256: str
    mean: tuple[float, ...] | None = None  # of the pixels it was trained on; None: open_clip's
    std: tuple[float, ...] | None = None
