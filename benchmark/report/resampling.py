"""mAP on resampled test images: average precision with repeats, exact, for all at once.

A resample is drawn with replacement, as many images as there are; it is a column of weights, how
often each image was drawn. The first column is the test images as they are.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np

RESAMPLES, SEED, LEVEL = 1000, 0, 95.0


@functools.lru_cache(maxsize=2)
def weights(images: int, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """(N, 1 + R) uint16, or uint32 for very many images: ones, then R resamples, the same for
    whatever has N test images."""
    drawn = np.random.default_rng(seed).integers(images, size=(resamples, images))
    counts = [np.bincount(rows, minlength=images) for rows in drawn]
    ones = np.ones(images, counts[0].dtype)
    small = np.uint16 if images < 1 << 16 else np.uint32  # of which a core adds up many at a time
    return np.stack([ones, *counts], axis=1).astype(small)


def mean_ap(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """mAP (1 + R,) in percent of scores and 0/1 labels (N, C).

    counts   (N, 1 + R), how often each image is there. A class without a positive in a resample is
             left out of its mean, as an absent class is.
    """
    classes = zip(scores.T, labels.T, strict=True)
    found = np.stack([average_precision(score, truth, counts) for score, truth in classes])
    total, present = np.nansum(found, axis=0), np.isfinite(found).sum(axis=0)
    return np.divide(total, present, out=np.full_like(total, np.nan), where=present > 0)


def average_precision(score: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """AP (1 + R,) in percent of one class: what scikit-learn gives for the rows as often repeated.

    AP = sum over the distinct scores s of (recall gained at s) x (precision down to s). Only scores
    that a positive has gain recall, so the images between two of them matter by their sum alone.
    """
    order = np.argsort(-score, kind="stable")
    ranked, hit = score[order], truth[order] > 0
    if not hit.any():
        return np.full(counts.shape[1], np.nan)
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each distinct score
    places = np.flatnonzero(hit)
    group, first = np.unique(np.searchsorted(last, places), return_index=True)
    ends = last[group] + 1
    seen = _cumulated(_sums(counts, order[: ends[-1]], np.append(0, ends)))
    gained = _sums(counts, order[places], np.append(first, len(places)))
    found = _cumulated(gained.copy())
    precision = found / np.maximum(seen, 1, dtype=np.float64)  # nothing seen: nothing gained
    positives = found[-1].astype(np.float64)
    area = np.einsum("ij,ij->j", gained, precision)
    return np.divide(100 * area, positives, out=np.full_like(area, np.nan), where=positives > 0)


def _sums(counts: np.ndarray, images: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """(S, 1 + R), exact: the counts of images[borders[i] : borders[i + 1]] added up."""
    from scipy.sparse import csr_array

    ones = np.ones(len(images), counts.dtype)
    return csr_array((ones, images, borders), shape=(len(borders) - 1, len(counts))) @ counts


def _cumulated(rows: np.ndarray) -> np.ndarray:
    """The rows, each with those above it added, in place; `np.cumsum` goes down the columns, which
    takes ten times as long."""
    for above, row in itertools.pairwise(rows):
        np.add(above, row, out=row)
    return rows


def interval(gaps: np.ndarray) -> tuple[float, float, float]:
    """(as it is, low, high) of differences (1 + R,): the percentile interval of the resamples."""
    tail = (100 - LEVEL) / 2
    low, high = np.nanpercentile(gaps[1:], [tail, 100 - tail])
    return float(gaps[0]), float(low), float(high)
