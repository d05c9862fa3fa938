"""Search spaces: bounds that make sense, and those of the shipped methods hold their defaults."""

import pytest

from benchmark.method.discovery import discover, hyperparameters
from benchmark.method.search_space import Choice, Range

METHODS = discover()
# Defaults that lie outside of what is tried, and why.
OUTSIDE = {
    ("hpdval", "scale"): "1, as the text names none: cosines that hardly move the loss",
    ("hpdval", "novel_lr"): "0 stands for stage1_lr",
    ("hpdval-released", "novel_lr"): "0 stands for stage1_lr",
    ("linear_probe", "strength"): "0 stands for a cross-validation of its own",
}


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Range(2.0, 1.0), r"^Range\(2.0, 1.0\): the first must be below the second$"),
        (lambda: Range(1, 1), "must be below"),
        (lambda: Range(float("nan"), 1.0), "must be below"),
        (lambda: Range(0.0, 1.0, log=True), r"0.0, 1.0, log=True\): 0.0 has no log$"),
        (lambda: Range(0.0, 1.0, setting="few shot"), "^setting 'few shot': must be one of '', "),
        (lambda: Choice(()), r"^Choice\(\(\)\): give a tuple of one value or more$"),
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
