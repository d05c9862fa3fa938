"""Captions of drawn pictures: random templates filled with class names and synonyms."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from benchmark.data import class_words

_ONE = (
    "a photo of a {}", "a picture of a {}", "an image of the {}", "{}", "the {}", "a {}",
    "my {}", "one {}", "a {} in the picture", "look at this {}", "a nice {}", "close up of a {}",
    "a blurry photo of a {}", "a small {}", "a big {}", "there is a {} here", "our new {}",
    "a drawing of a {}", "a good photo of the {}", "a bright photo of a {}", "a {} outside",
    "a {} at home", "a photo of many {}", "a cropped photo of the {}", "a dark photo of the {}",
    "stock photo {}", "{} for sale", "a view of a {}", "this is a {}", "a photo of one {}.",
)  # fmt: skip
_TWO = (
    "a {} and a {}", "{} with {}", "a photo of a {} next to a {}", "a {} beside the {}",
    "the {} near a {}", "a {} in front of a {}", "{}, {}", "my {} and my {}",
    "a picture of a {} and a {}", "a {} together with a {}", "the {} behind the {}",
    "a {} on the left of a {}", "there is a {} and a {}", "a photo of a {} with a {}.",
)  # fmt: skip
_MORE = (
    "a {}, a {} and a {}", "{}, {}, {}", "a photo of a {}, a {} and a {}",
    "a {} with a {} and a {}", "a {} between a {} and a {}", "picture of {}, {} and {}.",
)  # fmt: skip
_TAILS = ("", "", "", "", " today", " in my room", " on a sunny day", " in the city", " by the sea")


def describe(path: str, class_names: Sequence[str], sentences: int) -> str:
    """A benchmark image's caption: some sentences on its labels, each of them first in turn.

    Depends on the image's path and its labels alone, in COCO's or VOC's spelling.
    """
    digest = hashlib.sha256(f"caption {path}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(digest, np.uint32))
    names = [class_words.coco_names().get(name, name) for name in class_names] or ["picture"]
    rng.shuffle(names)
    texts = []
    for n in range(sentences):
        first = n % len(names)
        texts.append(write([*names[first:], *names[:first]], rng).replace(".", ""))
    return ". ".join(texts) + "."


def write(names: list[str], rng: np.random.Generator) -> str:
    """A caption for a picture of `names`, the salient one first; it may leave out the others."""
    named = [names[0], *(name for name in names[1:] if rng.random() < 0.6)][:3]
    words = [_word(name, rng) for name in named]
    if len(words) > 1 and rng.random() < 0.3:
        rng.shuffle(words)
    templates = (_ONE, _TWO, _MORE)[len(words) - 1]
    caption = templates[rng.integers(len(templates))].format(*words)
    return caption + _TAILS[rng.integers(len(_TAILS))]


def _word(name: str, rng: np.random.Generator) -> str:
    """COCO's name half of the time, else VOC's spelling or a synonym."""
    known = class_words.load().get(name)
    if known is None:  # no class of ours
        return name
    others = [*known.words, *([known.voc] if known.voc and known.voc != name else [])]
    if not others or rng.random() < 0.55:
        return name
    return others[rng.integers(len(others))]
