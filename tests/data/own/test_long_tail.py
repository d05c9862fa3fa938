"""The long-tailed draw: sizes as COCO-LT wanted them, classes in its order, nothing lost."""

from __future__ import annotations

import random

import numpy as np
import scipy.stats

from benchmark.data.own import long_tail
from benchmark.data.splits import lists
from tests.helpers.own_tables import alone, together


def test_the_sizes_are_those_of_coco_lt():
    """Its authors' settings are 1200 and 1, and COCO-LT's smallest classes have 6 images."""
    sizes = long_tail.sizes(80, 1200, 1)
    assert (sizes[0], sizes[-1]) == (1200, 6) and sizes == sorted(sizes, reverse=True)
    law = scipy.stats.pareto(6)
    points = np.linspace(law.ppf(0), law.ppf(0.99), 80)
    assert sizes == [int(x) for x in law.pdf(points) / 6 * 1199 + 1]
    assert long_tail.sizes(20, 800, 1)[::19] == [800, 4]  # VOC-LT's cow
    assert long_tail.sizes(1, 30, 2) == [30] and long_tail.sizes(3, 7, 7) == [7, 7, 7]


def test_classes_are_ranked_by_what_comes_along_with_them():
    rows = [*alone(9), ("a.jpg", (1, 2)), ("b.jpg", (1, 3)), ("c.jpg", (1, 2, 3)), ("d.jpg", (1,))]
    # 1: all of itself, of 2 and of 3; 2 and 3: half of each other and of 1; 0: itself; 4: nothing
    assert long_tail.ranked(rows, 5) == [1, 2, 3, 0, 4]


def test_without_common_images_the_sizes_are_exact():
    rows = alone(*[200] * 8)
    kept = long_tail.drawn(rows, 8, 150, 5, 0)
    assert lists.counts(kept, 8) == long_tail.sizes(8, 150, 5)
    assert set(kept) <= set(rows) and kept == sorted(kept)


def test_with_common_images_they_come_out_nearly():
    rows = together(4000, 40)
    kept = long_tail.drawn(rows, 40, 300, 3, 0)
    counts = lists.counts(kept, 40)
    wanted = dict(zip(long_tail.ranked(rows, 40), long_tail.sizes(40, 300, 3), strict=True))
    assert sum(abs(counts[k] - size) for k, size in wanted.items()) < 0.2 * sum(wanted.values())
    assert max(counts) / min(counts) > 60  # of the rows themselves: 20
    assert all(labels for _, labels in kept) and min(counts) >= 1


def test_a_class_that_is_too_small_gives_all_it_has():
    assert lists.counts(long_tail.drawn(alone(30, 4, 30), 3, 50, 10, 0), 3) == [30, 4, 11]


def test_no_class_loses_its_last_image():
    """All images of class 0 have class 1 too, which wants far fewer of them."""
    rows = [(f"{n}.jpg", (0, 1, 2)) for n in range(30)] + [(f"x{n}.jpg", (1, 2)) for n in range(60)]
    for seed in range(5):
        assert min(lists.counts(long_tail.drawn(rows, 3, 20, 1, seed), 3)) >= 1


def test_the_seed_decides_and_the_order_does_not():
    rows = together(500, 12)
    first = long_tail.drawn(rows, 12, 60, 2, 0)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert long_tail.drawn(sorted(shuffled), 12, 60, 2, 0) == first
    assert long_tail.drawn(rows, 12, 60, 2, 1) != first
