"""Which two methods of a task are compared: every two of few; of many, those that matter."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from benchmark.published import reading

FEW = 50  # methods; the largest suite of this repository has 49 on a task
SCORES = 10_000_000  # of one task that are resampled, if the FEW best have no more

RULE = (
    f"On a task with more than {FEW} methods not every two are compared, but each with the best, "
    "with its neighbours in rank and with the best of each table that it stands in, from the best "
    f"down to the {FEW}th, and further while all together have no more than "
    f"{SCORES / 1e6:.0f} million stored scores; the paper's methods also with each other."
)


def chosen(
    means: Mapping[str, float],
    size: Callable[[str], int],
    tables: Iterable[Collection[str]] = (),
) -> list[tuple[str, str]]:
    """The pairs of one task's labels that are compared, the better label of each first.

    Of up to FEW labels every two. Of more only the best count: FEW, and those below while all
    together have no more than SCORES. Each is compared with the best, with its neighbours in rank,
    and with the best of each table that it stands in. Besides, the labels that the paper's tables
    name are compared with each other wherever they rank, since claims are about them. So n labels
    make about 2 n pairs and not n * n / 2.

    means    {label: mean mAP} of the labels that have stored scores, in the suite's order
    size     of a label: how many scores all its units have
    tables   the labels of each table that marks what cannot be told from its best
    """
    if len(means) <= FEW:
        every = itertools.combinations(means, 2)
        return [(a, b) if means[a] >= means[b] else (b, a) for a, b in every]
    ranking = sorted(means, key=means.__getitem__, reverse=True)
    best = _best(ranking, size)
    pairs = [*_with_first(best), *itertools.pairwise(best)]
    for labels in map(set, tables):
        pairs += _with_first([label for label in best if label in labels])
    known = published()
    pairs += itertools.combinations([label for label in ranking if label in known], 2)
    return list(dict.fromkeys(pairs))


def _with_first(ranking: Sequence[str]) -> list[tuple[str, str]]:
    """The first of the labels with each of the others."""
    return [(ranking[0], other) for other in ranking[1:]]


def published() -> set[str]:
    """The labels of the paper's rows, and those that its claims are held against as well."""
    tables = reading.load().tables.values()
    rows = {label for table in tables for row in table.rows.values() for label in row.labels}
    return rows.union(*(table.baselines for table in tables))


def _best(ranking: Iterable[str], size: Callable[[str], int]) -> list[str]:
    """The labels from the best on: FEW, and more while their scores are no more than SCORES."""
    best, total = [], 0
    for label in ranking:
        total += size(label)
        if len(best) >= FEW and total > SCORES:
            break
        best.append(label)
    return best
