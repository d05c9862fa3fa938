"""A few-shot split's lists: base classes to prepare with, episodes of novel ones, their test.

The protocol is LaSO's (Alfassy et al., CVPR 2019), as coco-fs has it: images with base and novel
classes stay on both sides, the other group's labels masked, and an episode has at least K images of
each novel class.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.common.errors import InputError
from benchmark.data.own.shuffle import holders, shuffled
from benchmark.data.splits import Row, lists

PROTOCOL = {"source": "own data", "mixed": "kept", "shots": "at least"}


def files(
    train: Sequence[Row],
    test: Sequence[Row],
    groups: dict[str, tuple[int, ...]],
    shots: Sequence[int],
    episodes: int,
    seed: int,
) -> dict[str, list[Row]]:
    """The list files by name; groups: {"base": class indices, "novel": class indices}."""
    base, novel = groups["base"], groups["novel"]
    pool = lists.only(train, novel)
    found = {"base_train.txt": lists.only(train, base), "novel_test.txt": lists.only(test, novel)}
    for k in sorted(set(shots)):
        for number in range(1, episodes + 1):
            purpose = f"{k} shots, episode {number}"
            order = shuffled(pool, seed, purpose)
            found[f"episodes/{k}-shot-{number:02d}.txt"] = _episode(order, novel, k)
    return found


def check_enough(
    train: Sequence[Row], classes: Sequence[str], novel: Sequence[int], shots: Sequence[int]
) -> None:
    """InputError for a novel class with fewer training images than the most shots."""
    counts = lists.counts(train, len(classes))
    for k in novel:
        if counts[k] < max(shots):
            raise InputError(
                f"--shots {max(shots)}: novel class '{classes[k]}' has only {counts[k]} in "
                "training; ask for fewer shots, or name other classes with --novel"
            )


def _episode(order: list[Row], novel: Sequence[int], shots: int) -> list[Row]:
    """The first rows with at least `shots` of each class, the rarest class served first."""
    images = holders(order, max(novel) + 1)
    held, chosen = dict.fromkeys(novel, 0), set()
    for k in sorted(novel, key=lambda k: (len(images[k]), k)):
        for n in images[k]:
            if held[k] >= shots:
                break
            if n not in chosen:
                chosen.add(n)
                for j in order[n][1]:
                    held[j] += 1
    return sorted(order[n] for n in chosen)
