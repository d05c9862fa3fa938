"""Which classes a caption names: class names, their synonyms and plurals, found in plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmark.data import class_words


def labels(captions: Sequence[str], class_names: Sequence[str]) -> np.ndarray:
    """Which of C classes each of N captions names, (N, C) float32 zeros and ones.

    Longer names win: "teddy bear" is no bear. The names of all known classes are looked for, so
    that "hot dog" is not taken for a dog where there is no class for it. Class names are COCO's or
    VOC's spelling, or any other, which then has no synonyms.
    """
    column = {_concept(name): k for k, name in enumerate(class_names)}
    pattern, meaning = _phrases(tuple(column))
    found = np.zeros((len(captions), len(class_names)), np.float32)
    for row, caption in zip(found, captions, strict=True):
        for match in pattern.finditer(caption.lower()):
            k = column.get(meaning[match.group(1)])
            if k is not None:
                row[k] = 1
    return found


@cache
def _phrases(names: tuple[str, ...]) -> tuple[re.Pattern, dict[str, str]]:
    """A pattern of all phrases, the longest first, and what class each means."""
    meaning: dict[str, str] = {}
    known = class_words.load()
    for found in known.values():
        for phrase in [*found.words, found.voc or "", *found.also]:
            meaning.setdefault(phrase, found.name)
    for name in [*known, *names]:  # a class's own name is never another's synonym
        meaning[name] = name
    meaning.pop("", None)
    longest = sorted(meaning, key=lambda phrase: (-len(phrase), phrase))
    return re.compile(rf"\b({'|'.join(map(re.escape, longest))})(?:s|es)?\b"), meaning


@cache
def _concept(class_name: str) -> str:
    """COCO's name of the class, in lower case; a foreign class's own."""
    spoken = class_name.replace("_", " ").lower()
    if spoken in class_words.load():
        return spoken
    return class_words.coco_names().get(class_name, spoken)
