"""A few-shot split's lists: labels masked as LaSO has it, episodes with enough of each class."""

from __future__ import annotations

import re

import pytest

from benchmark.common.errors import InputError
from benchmark.data.own import few_shot
from benchmark.data.splits import lists
from tests.helpers.own_tables import alone, names, together

GROUPS = {"base": tuple(range(15)), "novel": tuple(range(15, 20))}
TRAIN, TEST = together(900, 20), together(300, 20, seed=1)


@pytest.fixture(scope="module")
def made():
    return few_shot.files(TRAIN, TEST, GROUPS, (1, 5), 10, 0)


def test_the_files_are_those_of_the_official_splits(made):
    assert list(made)[:2] == ["base_train.txt", "novel_test.txt"]
    assert set(list(made)[2:]) == set(lists.EPISODES)


def test_the_other_groups_labels_are_masked_and_mixed_images_stay(made):
    assert made["base_train.txt"] == lists.only(TRAIN, GROUPS["base"])
    assert made["novel_test.txt"] == lists.only(TEST, GROUPS["novel"])
    assert dict(TRAIN).keys() >= dict(made["base_train.txt"]).keys()


def test_an_episode_has_at_least_so_many_of_each_class_and_little_more(made):
    pool = dict(lists.only(TRAIN, GROUPS["novel"]))
    for file, (shots, _) in lists.EPISODES.items():
        rows = made[file]
        counts = lists.counts(rows, 20)
        assert rows == sorted(set(rows)) and all(pool[path] == labels for path, labels in rows)
        assert min(counts[15:]) >= shots and len(rows) <= 5 * shots and not any(counts[:15])


def test_episodes_differ_and_do_not_depend_on_how_many_there_are(made):
    episodes = [tuple(made[file]) for file in lists.EPISODES]
    assert len(set(episodes)) == len(episodes)
    fewer = few_shot.files(list(reversed(TRAIN)), TEST, GROUPS, (5,), 3, 0)
    assert list(fewer)[2:] == [f"episodes/5-shot-0{n}.txt" for n in (1, 2, 3)]
    assert all(fewer[file] == made[file] for file in list(fewer)[2:])
    other = few_shot.files(TRAIN, TEST, GROUPS, (5,), 3, 1)
    assert all(fewer[file] != other[file] for file in list(fewer)[2:])


def test_a_novel_class_with_too_few_images():
    rows, classes = alone(9, 4, 5), names(3)
    few_shot.check_enough(rows, classes, (1, 2), (1, 4))
    with pytest.raises(
        InputError, match=re.escape("--shots 5: novel class 'class 001' has only 4 in training")
    ):
        few_shot.check_enough(rows, classes, (1, 2), (1, 5))
