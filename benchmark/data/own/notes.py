"""What people should know of the splits that were made of their images: one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.data.own import long_tail
from benchmark.data.own.found import some
from benchmark.data.own.store import Drawn
from benchmark.data.own.table import FEW
from benchmark.data.splits import Row, lists


def of_split(drawn: Drawn) -> Iterator[str]:
    """Of a split's lists: classes without images where they need some, images without a label."""
    raw, few_shot = drawn.raw, drawn.raw["setting"] == "few-shot"
    name, groups = raw["name"], raw["groups"]
    tested = groups["novel"] if few_shot else raw["classes"]
    trained = groups["base"] if few_shot else raw["classes"]
    train = dict(zip(raw["classes"], raw["train_counts"], strict=True))
    test = dict(zip(raw["classes"], raw["test_counts"], strict=True))
    untested = [c for c in tested if not test[c]]
    if untested:
        yield f"{name}: no test image has {some(untested)}: no AP, NaN in tables"
    untrained = [c for c in trained if not train[c]]
    if untrained:
        yield f"{name}: no training image has {some(untrained)}"
    rare = [f"{c} ({train[c]})" for c in trained if 0 < train[c] < FEW]
    if rare and not few_shot:  # the long-tailed split has said it
        yield f"{name}: fewer than {FEW} training images have {some(rare)}"
    for file, rows in list(drawn.files.items())[:2]:
        bare = sum(not labels for _, labels in rows)
        if bare:
            yield f"{name}: {bare:,} of {len(rows):,} images in {file} have no label"
    empty = [group for group, members in groups.items() if not members]
    if empty:
        remedy = "--groups HEAD,TAIL or --groups thirds sets the bounds"
        yield f"{name}: groups without a class: {some(empty)}; {remedy}"


def of_draw(
    rows: Sequence[Row], classes: Sequence[str], most: int, least: int, kept: Sequence[Row]
) -> Iterator[str]:
    """Of a long-tailed draw: what it left away, and the classes too small for their size in it."""
    yield f"long tail: {len(kept):,} of {len(rows):,} training images are drawn"
    counts = lists.counts(rows, len(classes))
    wanted = zip(
        long_tail.ranked(rows, len(classes)),
        long_tail.sizes(len(classes), most, least),
        strict=True,
    )
    short = [f"{classes[k]} ({counts[k]} of {size})" for k, size in wanted if counts[k] < size]
    if short:
        yield f"long tail: fewer training images than wanted have {some(short)}"
