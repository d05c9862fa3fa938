"""Choices that cannot be are refused by themselves, in a line that names the flag."""

from __future__ import annotations

import math
import re

import pytest

from benchmark.common.errors import InputError
from benchmark.data.own.choices import Choices, check_name

BAD = {
    "test_labels": (3, ["t.csv"]),
    "names": (3, [("a", "b")]),
    "test_share": (0, 1, -0.1, 1.5, math.nan, math.inf, "0.2", True),
    "long_tailed": ((3, 9), (5,), (9, 0), (9, 3, 1), "pareto:9:3", (9.5, 1), (), ("9", "3")),
    "groups": ((20, 100), (20, 0), (20,), "halves", (100, 20, 3), (True, True), None),
    "shots": ((), (0,), (1, 0), (1, 100), 5, ("1",), (1.0,)),
    "episodes": (0, -1, 100, 2.5, "10", None, True),
    "seed": (-1, 2**32, 1.0, "0", None),
    "template": ("", "no place", "{} {}", "{0}", "{} {x}", "{", "{}\n", 3, "{}" + "x" * 199),
}


@pytest.mark.parametrize("field, value", [(f, v) for f, values in BAD.items() for v in values])
def test_a_choice_that_cannot_be(field, value):
    flag = f"--{field.replace('_', '-')}"
    with pytest.raises(InputError, match=f"^{flag} ?.*: (each )?must (be|have) "):
        Choices(few_shot=True, novel=("a",), **{field: value})


@pytest.mark.parametrize(
    "choices, line",
    [
        ({"few_shot": True}, "--few-shot: needs the novel classes; name them with --novel"),
        ({"few_shot": True, "novel": "a"}, "--few-shot: needs the novel classes"),
        ({"novel": ("a", "b")}, "--novel a,b: is for few-shot splits; add --few-shot"),
        ({"shots": (3,)}, "--shots 3: is for few-shot splits"),
        ({"episodes": 3}, "--episodes 3: is for few-shot splits"),
        ({"test_share": 0.2, "test_labels": "t.csv"}, "--test-share 0.2: test images are named"),
    ],
)
def test_choices_that_do_not_go_together(choices, line):
    with pytest.raises(InputError, match=re.escape(line)):
        Choices(**choices)


def test_what_is_chosen_where_nothing_is_said():
    assert Choices().share == 0.2 and Choices(test_labels="t.csv").share is None
    assert Choices().grouping([300, 30, 3]) == (100, 20)
    assert Choices(groups="thirds").grouping([300, 30, 3]) == (300, 30)
    assert Choices(novel=[], shots=[1, 5]).share == 0.2  # as they are anyway
    assert Choices(template="{}", groups=[5, 5]).grouping([1]) == (5, 5)


@pytest.mark.parametrize("name", ["birds", "x", "9-lives_", "Coco2", "a" * 40])
def test_names_of_data(name):
    check_name(name)


BAD_NAMES = ["", "coco", "VOC", "a b", "-a", "_a", "ä", "a/b", "..", "a.b", "a\n", "a" * 41, None]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_cannot_be(name):
    with pytest.raises(InputError, match="^name "):
        check_name(name)
