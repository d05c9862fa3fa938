"""Search spaces: what a class may declare, and one line for what it may not."""

from __future__ import annotations

import dataclasses
import json

import pytest

from benchmark.common.errors import InputError
from benchmark.method import registry
from benchmark.method.registry import MethodInfo
from benchmark.method.search_space import Choice, Range, checked, in_setting

DEFAULTS = {"lr": 0.1, "epochs": 5, "loss": "bce", "betas": (0.9,), "nesterov": False, "to": None}
GOOD = {
    "lr": Range(1e-4, 1.0, log=True),
    "epochs": Range(1, 9, setting="few-shot"),
    "loss": Choice(("bce", "asl")),
    "betas": Choice(((0.9,), (0.5,))),
    "nesterov": Choice((True, False)),
    "to": Range(0.0, 1.0),
}


def test_a_space_and_its_part_for_a_setting():
    assert checked(GOOD, DEFAULTS, "x") == GOOD
    assert set(in_setting(GOOD, "few-shot")) == set(GOOD)
    assert set(in_setting(GOOD, "long-tailed")) == set(GOOD) - {"epochs"}


@pytest.mark.parametrize(
    "space, words",
    [
        ([], "write a dict"),
        ({"rate": Range(0, 1)}, "unknown hyperparameter 'rate'"),
        ({"lr": (0, 1)}, "lr: (0, 1) is neither"),
        ({"lr": Range(0, 1, setting="fewshot")}, "unknown setting 'fewshot'"),
        ({"lr": Range(1, 1)}, "low must be below high"),
        ({"lr": Range(0, 1, log=True)}, "above 0"),
        ({"lr": Range(0, float("inf"))}, "not a finite number"),
        ({"epochs": Range(0.5, 2)}, "epochs: 0.5 is not a whole number"),
        ({"loss": Range(0, 1)}, "give a Choice"),
        ({"nesterov": Range(0, 1)}, "give a Choice"),
        ({"loss": Choice(())}, "at least one"),
        ({"loss": Choice(("bce", "bce"))}, "none twice"),
        ({"loss": Choice((1,))}, "loss: 1 is not text"),
        ({"betas": Choice((0.9,))}, "not a list"),
    ],
)
def test_a_space_that_cannot_be(space, words):
    with pytest.raises(InputError) as caught:
        checked(space, DEFAULTS, "file.py: Mine.search_space")
    line = str(caught.value)
    assert line.startswith("file.py: Mine.search_space: ") and words in line and "\n" not in line


def test_the_kept_description_of_a_method_has_its_space():
    info = MethodInfo("mine", 1, False, DEFAULTS, search_space=GOOD)
    text = json.dumps(dataclasses.asdict(info))
    assert MethodInfo(**json.loads(text)) == info


def test_all_shipped_spaces_are_what_a_space_may_be():
    for info in registry.methods().values():
        assert checked(info.search_space, info.defaults, info.name) == info.search_space
