"""Images shared out to training and test: every class to both, in its proportion."""

from __future__ import annotations

import random

import pytest

from benchmark.data.own.stratify import stratified
from benchmark.data.splits import lists
from tests.helpers.own_tables import alone, together


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.75])
def test_every_class_is_shared_out_in_proportion(share):
    rows = together(1500, 60)
    train, test = stratified(tuple(rows), 60, share, 0)
    assert sorted(train + test) == sorted(rows) and not set(train) & set(test)
    assert train == sorted(train) and test == sorted(test)
    assert len(test) == pytest.approx(1500 * share, abs=15)
    counts = zip(lists.counts(rows, 60), lists.counts(test, 60), strict=True)
    for whole, part in counts:
        assert abs(part - whole * share) <= max(1.5, 0.1 * whole)


def test_chance_alone_would_not_do():
    """What the proportions above are worth: a plain draw misses them."""
    rows = together(1500, 60)
    test = random.Random(0).sample(rows, 300)
    counts = zip(lists.counts(rows, 60), lists.counts(test, 60), strict=True)
    assert any(abs(part - whole * 0.2) > max(1.5, 0.1 * whole) for whole, part in counts)


def test_rare_classes_are_in_both_parts():
    train, test = stratified(tuple(alone(1, 2, 3, 4, 5, 90)), 6, 0.2, 0)
    assert lists.counts(train, 6) == [1, 1, 2, 3, 4, 72]
    assert lists.counts(test, 6) == [0, 1, 1, 1, 1, 18]


def test_an_image_changes_sides_for_a_class_that_rarer_ones_have_used_up():
    """Class 3's images are those of 0, 1 and 2: the rarer classes place them all."""
    rows = [(f"{n}.jpg", (n, 3)) for n in range(3)] + [(f"more {n}.jpg", (n,)) for n in range(2)]
    rows += [(f"only {n}.jpg", (4,)) for n in range(20)]
    for seed in range(20):
        train, test = stratified(tuple(rows), 5, 0.2, seed)
        counts = zip(lists.counts(train, 5), lists.counts(test, 5), strict=True)
        assert [bool(a and b) for a, b in counts] == [True, True, False, True, True]


def test_a_class_cannot_be_in_both_parts_at_another_classs_expense():
    rows = [("a.jpg", (0, 2)), ("b.jpg", (1, 2)), ("c.jpg", ()), ("d.jpg", ())]
    train, _ = stratified(tuple(rows), 3, 0.4, 0)
    assert lists.counts(train, 3) == [1, 1, 2]


def test_the_seed_decides_and_the_order_does_not():
    rows = together(300, 20)
    first = stratified(tuple(rows), 20, 0.2, 0)
    assert stratified(tuple(reversed(rows)), 20, 0.2, 0) == first
    assert stratified(tuple(rows), 20, 0.2, 1) != first
