"""Search spaces: what a class may declare, one line for what it may not, and the shipped ones."""

from __future__ import annotations

import dataclasses
import json

import pytest

from benchmark.common.errors import InputError
from benchmark.method import registry
from benchmark.method.discovery import discover, hyperparameters
from benchmark.method.registry import MethodInfo
from benchmark.method.search_space import Choice, Range, checked, in_setting

METHODS = discover()
# Defaults that lie outside of what is tried, and why.
OUTSIDE = {
    ("hpdval", "scale"): "1, as the text names none: cosines that hardly move the loss",
    ("hpdval", "novel_lr"): "0 stands for stage1_lr",
    ("hpdval-released", "novel_lr"): "0 stands for stage1_lr",
    ("linear_probe", "strength"): "0 stands for a cross-validation of its own",
}
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
        ([], "search_space is []; write"),
        ({"rate": Range(0, 1)}, "search_space 'rate'"),
        ({"lr": (0, 1)}, "of lr is (0, 1); write"),
        ({"lr": Range(0.0, float("inf"))}, "has inf, which no record can hold"),
        ({"lr": Range(0, 1)}, "has 0, of type int; its default 0.1 is of type float"),
        ({"epochs": Range(0.5, 2)}, "has 0.5, of type float"),
        ({"loss": Range(0, 1)}, "may be tried: Choice"),
        ({"nesterov": Range(0, 1)}, "may be tried: Choice"),
        ({"loss": Choice((1,))}, "loss has 1, of type int"),
        ({"betas": Choice((0.9,))}, "betas has 0.9"),
    ],
)
def test_a_space_that_cannot_be(space, words):
    with pytest.raises(InputError) as caught:
        checked(space, DEFAULTS, "file.py: mine")
    line = str(caught.value)
    assert line.startswith("file.py: mine: ") and words in line and "\n" not in line


def test_the_kept_description_of_a_method_has_its_space():
    info = MethodInfo("mine", 1, False, DEFAULTS, search_space=GOOD)
    text = json.dumps(dataclasses.asdict(info))
    assert MethodInfo(**json.loads(text)) == info


def test_all_shipped_spaces_are_what_a_space_may_be():
    for info in registry.methods().values():
        assert checked(info.search_space, info.defaults, info.name) == info.search_space


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Range(2.0, 1.0), r"^Range\(2.0, 1.0\): the first must be below the second$"),
        (lambda: Range(1, 1), "must be below"),
        (lambda: Range(float("nan"), 1.0), "must be below"),
        (lambda: Range(0.0, 1.0, log=True), r"0.0, 1.0, log=True\): 0.0 has no log$"),
        (lambda: Range(0.0, 1.0, setting="few shot"), "^setting 'few shot': must be one of '', "),
        (lambda: Choice(()), r"^Choice\(\(\)\): give a tuple of one value or more$"),
        (lambda: Choice(("a", "a")), "gives a value twice$"),
        (lambda: Choice("asl"), r"^Choice\('asl'\): give a tuple"),
        (lambda: Choice((1,), setting="voc"), "^setting 'voc'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_bounds_below_zero_are_fine_where_there_is_no_logarithm():
    assert Range(-1.0, 0.0).low == -1 and Choice((None,)).values == (None,)


@pytest.mark.parametrize("name", METHODS)
def test_a_shipped_methods_own_setting_is_among_what_is_tried(name):
    defaults = hyperparameters(METHODS[name])
    for searched, tried in METHODS[name].search_space.items():
        if isinstance(tried, Choice):
            inside = defaults[searched] in tried.values
        else:
            inside = tried.low <= defaults[searched] <= tried.high
        assert inside != ((name, searched) in OUTSIDE), searched


def test_every_method_with_a_choice_has_a_search_space_and_few_names_in_it():
    sizes = {name: len(cls.search_space) for name, cls in METHODS.items()}
    assert [name for name, size in sizes.items() if not size] == ["zeroshot"]
    assert max(sizes.values()) <= 9, sizes


@pytest.mark.parametrize("name", METHODS)
def test_what_only_episodes_know_is_tried_for_few_shot_tasks_alone(name):
    for searched, tried in METHODS[name].search_space.items():
        assert (tried.setting == "few-shot") == searched.startswith("novel_"), searched
