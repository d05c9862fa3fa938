"""Random suites, as data and as text: each is read, or refused in one line."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.common.errors import InputError
from benchmark.data.tasks import TaskInfo
from benchmark.method.registry import MethodInfo
from benchmark.suites import expand, load

SUITE = {
    "name": "small",
    "tasks": ["coco-lt", "coco-fs-1"],
    "seeds": [0, 1],
    "episodes": 2,
    "methods": {
        "coop": {
            "hyperparameters": {"epochs": 3, "lr": 0.1, "sizes": [1.0, 2.0]},
            "overrides": [
                {"when": {"scale": "miniature", "task": ["coco-lt"]}, "set": {"lr": 1.0}}
            ],
            "preprocess": "clip",
            "precision": "bf16",
        },
        "slow": {"method": "coop", "title": "Slow"},
        "zeroshot": None,
    },
    "tables": {
        "one": {"title": "One", "paper": "I", "factors": ["a"], "rows": {"coop": "x", "slow": "y"}}
    },
}
DEFAULTS = {"epochs": 5, "lr": 0.1, "sizes": (1.0,), "loss": "asl", "base": False, "width": None}
WORLD = expand.Known(
    scale="miniature",
    tasks={
        "coco-lt": TaskInfo("coco-lt", "long-tailed", "coco", "aa"),
        "coco-fs-1": TaskInfo("coco-fs-1", "few-shot", "coco", "cc", episodes=10),
    },
    methods={
        "coop": MethodInfo("coop", 1, False, DEFAULTS),
        "zeroshot": MethodInfo("zeroshot", 1, True, {}),
    },
    backbone="tiny",
    weights_sha256="ff",
)
WORDS = ("coop", "slow", "coco-lt", "miniature", "clip", "bf16", "epochs", "lr", "method", "set")
MARKS = ("[", "]", "{", "}", "&a ", "*a", "<<: ", "!", "!!int ", "!!bool ", "|", ">", ": ", "- ")
MARKS += ("? ", "'", '"', "%", "@", ",", "\n", "\n  ", "\t", "~", "0x", "1e5", ".nan", "#", "---\n")
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=6),
    st.sampled_from(WORDS),
)
several = st.lists(scalars, max_size=2) | st.dictionaries(scalars, scalars, max_size=2)
values = scalars | several | st.lists(several, max_size=2)  # st.recursive takes ten times as long


@cache
def places(*at: Any) -> tuple[tuple, ...]:
    """The paths to all parts of the suite, below one."""
    part: Any = SUITE
    for key in at:
        part = part[key]
    inner = range(len(part)) if isinstance(part, list) else part if isinstance(part, dict) else ()
    return ((at,) if at else ()) + tuple(path for key in inner for path in places(*at, key))


def put(suite: Any, at: tuple, key: Any, value: Any) -> None:
    """Replace what is at a path, or with a key put the value beside it; paths may be gone."""
    *before, last = at
    for part in before:
        try:
            suite = suite[part]
        except (LookupError, TypeError):
            return
    if isinstance(suite, dict):
        suite[last if key is None else key] = value
    elif isinstance(suite, list) and suite:
        suite[-1] = value


def settle(path: Path, text: str) -> None:
    """Read and expand the suite of that text; what is wrong with it is one line."""
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        expand.expand(load.load_suite(str(path)), WORLD)
    except InputError as error:
        assert str(error).isprintable() and "small.yaml" in str(error)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("suites") / "small.yaml"


changes = st.tuples(st.sampled_from(places()), st.none() | scalars, values)
thousand = settings(max_examples=1000, deadline=None, database=None, derandomize=True)


def test_the_suite_itself_is_right(path):
    path.write_text(yaml.safe_dump(SUITE))
    assert len(expand.expand(load.load_suite(str(path)), WORLD)) == 10


@thousand
@given(changed=st.lists(changes, min_size=1, max_size=3))
def test_random_data(path, changed):
    suite = copy.deepcopy(SUITE)
    for change in changed:
        put(suite, *change)
    settle(path, yaml.safe_dump(suite, allow_unicode=True))


@thousand
@given(spots=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 9), st.sampled_from(MARKS))))
def test_random_text(path, spots):
    text = yaml.safe_dump(SUITE)
    for start, length, mark in spots:
        text = text[:start] + mark + text[start + length :]
    settle(path, text)
