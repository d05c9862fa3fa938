"""Random label sets with given class counts and labels per image, and about given pair counts."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from benchmark.miniature.label_statistics import LabelStatistics, label_matrix


def scaled(source: LabelStatistics, images: int, floor: int = 0) -> tuple[np.ndarray, ...]:
    """Shrink a set's statistics to `images` images.

    Returns (counts (C,), sizes (images,), pair targets (C, C)). Every class keeps at least
    min(official, floor) positives. Rounding leaves the two totals a few labels apart; images of the
    commonest sizes make up for it.
    """
    share = images / source.images
    least = np.minimum(source.counts, floor)
    counts = np.maximum(np.rint(source.counts * share).astype(int), least)
    exact = source.histogram * share
    histogram = np.floor(exact).astype(int)
    for k in np.argsort(histogram - exact, kind="stable")[: images - histogram.sum()]:
        histogram[k] += 1
    sizes = np.repeat(np.arange(len(histogram)), histogram)
    gap = int(counts.sum() - sizes.sum())
    middle = np.flatnonzero((sizes >= 2) & (sizes <= 4))
    sizes[middle[np.linspace(0, len(middle) - 1, abs(gap)).astype(int)]] += np.sign(gap)
    return counts, sizes, source.pairs * share


def sample(
    counts: np.ndarray, sizes: np.ndarray, pairs: np.ndarray, rng: Generator, proposals: int
) -> np.ndarray:
    """A random 0/1 matrix (N, C) with column sums `counts`, row sums `sizes`, pairs near `pairs`.

    Starts from any matrix with these margins, then makes checkerboard swaps (image a gives class i
    to image b for class j), which keep both margins: at first all of them, to forget the start,
    then only those that do not increase the squared deviation of the pair counts.
    """
    rows = _start(counts, sizes, rng)
    deviation = (-np.asarray(pairs, float)).tolist()
    for row in rows:
        for i in row:
            for k in row:
                deviation[i][k] += i != k
    shuffling, busy = int(counts.sum()) * 4, [row for row in rows if row]
    for first in range(0, proposals, 1 << 16):
        draws = rng.random((min(1 << 16, proposals - first), 4)).tolist()
        _swap(busy, deviation, draws, max(0, shuffling - first))
    return label_matrix(rows, len(counts))[rng.permutation(len(rows))]


def _swap(rows: list[list[int]], deviation: list, draws: list, always: int) -> None:
    """A swap for each draw of four random numbers, made if it may be; the first `always` are."""
    size = len(rows)
    for n, (first, second, third, fourth) in enumerate(draws):
        a, b = rows[int(first * size)], rows[int(second * size)]
        i, j = a[int(third * len(a))], b[int(fourth * len(b))]
        if i in b or j in a:
            continue
        only_a = [k for k in a if k not in b and k != i]
        only_b = [k for k in b if k not in a and k != j]
        at_i, at_j = deviation[i], deviation[j]
        if n >= always:
            change = len(only_a) + len(only_b)
            for k in only_a:
                change += at_j[k] - at_i[k]
            for k in only_b:
                change += at_i[k] - at_j[k]
            if change > 1e-9:
                continue
        for given, taken, others in ((i, j, only_a), (j, i, only_b)):
            for k in others:
                deviation[given][k] -= 1
                deviation[k][given] -= 1
                deviation[taken][k] += 1
                deviation[k][taken] += 1
        a[a.index(i)], b[b.index(j)] = j, i


def _start(counts: np.ndarray, sizes: np.ndarray, rng: Generator) -> list[list[int]]:
    """Rows with exactly these margins: each class, commonest first, goes where most room is."""
    rows: list[list[int]] = [[] for _ in sizes]
    room = np.array(sizes)
    for index in np.argsort(-counts, kind="stable"):
        order = np.lexsort((rng.random(len(room)), -room))[: counts[index]]
        if len(order) and room[order[-1]] < 1:
            raise ValueError("no label sets have these class counts and labels per image")
        room[order] -= 1
        for n in order:
            rows[n].append(int(index))
    return rows
