"""Which two methods are compared: every two of few; of many, each with the best and neighbours."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from benchmark.report import bootstrap, pairing, resampling
from benchmark.report.grid import gather
from benchmark.report.tables import sections, significance
from benchmark.report.tables.table import Block, Entry, Table
from tests.helpers import suite_records as fakes
from tests.helpers.large_suites import methods
from tests.report import test_bootstrap as scored

MANY = 60


def means(count: int) -> dict[str, float]:
    """Labels that the paper does not have, in no order of their means."""
    dice = np.random.default_rng(count)
    return {f"method-{n:03d}": float(mean) for n, mean in enumerate(dice.permutation(count))}


def small(label: str) -> int:
    return 1


@pytest.mark.parametrize("count", [0, 1, 2, 12, pairing.FEW])
def test_of_few_every_two_are_compared_the_better_first(count):
    given = means(count)
    found = pairing.chosen(given, small)
    assert [set(pair) for pair in found] == [set(p) for p in itertools.combinations(given, 2)]
    assert all(given[a] > given[b] for a, b in found)


def test_of_many_each_is_compared_with_the_best_and_its_neighbours():
    given = means(MANY)
    ranking = sorted(given, key=given.get, reverse=True)
    found = pairing.chosen(given, small)
    assert len(found) == len(set(map(frozenset, found))) == MANY - 1 + MANY - 2
    assert set(found) == {(ranking[0], x) for x in ranking[1:]} | set(itertools.pairwise(ranking))


def test_pairs_grow_with_the_methods_and_not_with_their_square():
    assert len(pairing.chosen(means(500), small)) == 499 + 498


def test_the_best_of_a_table_is_compared_with_its_rows():
    given = means(MANY)
    ranking = sorted(given, key=given.get, reverse=True)
    table = ranking[5::7]
    found = pairing.chosen(given, small, [given, table, ["absent"]])
    assert {(table[0], x) for x in table[1:]} <= set(found)
    assert len(found) == len(set(found)) < 2 * MANY + len(table)


def test_the_papers_methods_are_compared_with_each_other_wherever_they_rank():
    low = {"hpdval": -3.0, "zeroshot": -1.0, "coop": -2.0}
    found = pairing.chosen(means(MANY) | low, lambda label: pairing.SCORES)  # only FEW are tested
    assert {("zeroshot", "coop"), ("zeroshot", "hpdval"), ("coop", "hpdval")} <= set(found)
    tested = {label for pair in found for label in pair}
    assert len(tested) == pairing.FEW + len(low)


def test_only_as_many_are_resampled_as_have_so_many_scores():
    given = means(MANY)
    ranking = sorted(given, key=given.get, reverse=True)
    each = pairing.SCORES // (MANY - 4)
    found = pairing.chosen(given, lambda label: each)
    assert {label for pair in found for label in pair} == set(ranking[: MANY - 4])
    found = pairing.chosen(given, lambda label: pairing.SCORES)
    assert {label for pair in found for label in pair} == set(ranking[: pairing.FEW])


@pytest.fixture
def many(tmp_path):
    """(grid, folder) of MANY methods with a unit each on one task, with stored scores."""
    levels = {label: 0.5 + n / MANY for n, label in enumerate(methods(MANY))}
    _, records = scored.stock(tmp_path, levels, ("voc-lt",), seeds=1, images=24)
    units = fakes.units(levels, ("voc-lt",), seeds=1)
    return gather(units, fakes.store(tmp_path, records)), tmp_path


def test_each_unit_is_resampled_once_and_each_pair_compared_once(many, monkeypatch):
    grid, folder = many
    calls = Counter()

    def counted(module, name):
        whole = getattr(module, name)

        def one(*given):
            calls[name] += 1
            return whole(*given)

        monkeypatch.setattr(module, name, one)

    counted(resampling, "mean_ap")
    counted(bootstrap, "compared")
    pairs = bootstrap.significance(grid, folder)["voc-lt"]
    known = len(fakes.METHODS)
    most = MANY - 1 + MANY - 2 + known * (known - 1) // 2  # some of the paper's are neighbours
    assert calls["mean_ap"] == MANY and calls["compared"] == len(pairs.table) <= most
    assert pairs.selected and pairs.below == () and pairs.without == ()
    assert len([row for row in pairs.table if pairs.best in (row.a, row.b)]) == MANY - 1
    assert bootstrap.significance(grid, folder)["voc-lt"] == pairs  # from significance.json
    assert calls["mean_ap"] == MANY


def test_the_caption_says_that_not_every_two_are_compared(many):
    grid, folder = many
    pairs = bootstrap.significance(grid, folder)
    assert pairing.RULE in significance.caption(pairs, grid)
    few = {"voc-lt": pairs["voc-lt"].among(list(grid.labels)[:10])}
    assert pairing.RULE not in significance.caption(few, grid)


def test_methods_that_rank_too_low_are_not_compared_and_this_is_said(many, monkeypatch):
    grid, folder = many
    monkeypatch.setattr(pairing, "SCORES", 0)
    monkeypatch.setattr(pairing, "published", set)
    pairs = bootstrap.significance(grid, folder)["voc-lt"]
    assert len(pairs.below) == MANY - pairing.FEW and pairs.without == ()
    lowest = sorted(pairs.means, key=pairs.means.get)[: len(pairs.below)]
    assert set(pairs.below) == set(lowest)
    assert "Not compared, as they rank lower: 10." in significance.verdict(pairs, grid)


def test_a_table_marks_what_cannot_be_told_from_its_own_best(many):
    grid, folder = many
    best = bootstrap.significance(grid, folder)["voc-lt"].best
    labels = tuple(label for label in grid.labels if label != best)
    pairs = bootstrap.significance(grid, folder, [grid.labels, labels])
    entries = tuple((Entry(grid.cell("voc-lt", label).stat("total")),) for label in labels)
    block = Block("voc-lt", ("total",), entries, headlines=("voc-lt",))
    table = sections.marked(Table("t", "", labels, (block,), (), False), pairs)
    every = pairs["voc-lt"].among(labels)
    tied = [
        label for label, (entry,) in zip(labels, table.blocks[0].rows, strict=True) if entry.tied
    ]
    assert set(tied) == every.tied and every.best not in tied
    with_best = [row for row in every.table if every.best in (row.a, row.b)]
    assert len(with_best) == len(labels) - 1


@pytest.mark.parametrize("decimals", [7, 1])
def test_sums_of_small_integers_are_those_of_floats_bit_for_bit(decimals):
    dice = np.random.default_rng(3)
    scores = dice.standard_normal((90, 5)).round(decimals).astype(np.float32)
    labels = (dice.random((90, 5)) < 0.2).astype(np.uint8)
    counts = resampling.weights(90, 50)
    assert counts.dtype == np.uint16
    found = resampling.mean_ap(scores, labels, counts)
    assert (found == resampling.mean_ap(scores, labels, counts.astype(np.float32))).all()
