"""Reader of COCO's instances JSON with any categories; crowds are positive."""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchmark.common import files
from benchmark.data.annotations import Instances
from benchmark.data.own.found import Classes, Found, Image
from benchmark.data.own.image_files import ImageFiles


def read(path: Path, images: ImageFiles) -> Found:
    """The file's images, also those without an annotation."""
    with files.opened(path) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    content = Instances(path)
    classes = Classes()
    for name in content.classes:
        classes.new(name, f"{path}: field categories")
    place = f"{path}: field images"
    labels = content.labels()
    found = [Image(place, images.one(name, place), labels[name]) for _, name in content.images]
    notes = []
    if content.skipped:
        number = f"{content.skipped:,} annotation{'s' if content.skipped > 1 else ''}"
        notes.append(f"{number} without an area, or less than a pixel wide or high, left out")
    return Found("COCO's instances JSON", sha256, [*classes], found, notes)
