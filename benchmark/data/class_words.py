"""What COCO's and VOC's classes are called: names, VOC's spelling, synonyms (class_words.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

PATH = Path(__file__).with_name("class_words.yaml")


@dataclass(frozen=True)
class ClassWords:
    """One class of COCO, and of VOC where `voc` is not None."""

    name: str  # COCO's class name
    voc: str | None  # VOC's spelling
    words: tuple[str, ...]  # synonyms
    also: tuple[str, ...]  # more that names the class in a caption, such as irregular plurals


@cache
def load() -> dict[str, ClassWords]:
    """COCO's name -> its words, in COCO's class order."""
    known = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return {
        name: ClassWords(name, x.get("voc"), tuple(x.get("words", ())), tuple(x.get("also", ())))
        for name, x in known.items()
    }


@cache
def coco_names() -> dict[str, str]:
    """VOC's spelling -> COCO's name, in COCO's order, of the classes that both have."""
    return {found.voc: name for name, found in load().items() if found.voc}
