"""What tables call the entries of a suite: declared, the method's, told apart, never twice."""

from __future__ import annotations

import pytest

from benchmark.common.errors import InputError
from benchmark.method.registry import MethodInfo
from benchmark.suites import load
from benchmark.suites.suite import MethodEntry
from benchmark.suites.titles import titles

METHODS = {
    name: MethodInfo(name, 1, False, {}, title=title)
    for name, title in (
        ("finetune", "Fine-tuning"),
        ("hpdval", "HP-DVAL"),
        ("coop", "CoOp"),
        ("mine", "CoOp"),  # a subclass that does not say its own
        ("plain", ""),
    )
}


def named(*entries):
    return titles([MethodEntry(label, method, title=t) for label, method, t in entries], METHODS)


def test_a_method_that_stands_alone_has_its_own_title():
    found = named(("hpdval", "hpdval", ""), ("tuned", "coop", ""), ("plain", "plain", ""))
    assert found == {"hpdval": "HP-DVAL", "tuned": "CoOp", "plain": "plain"}


def test_several_entries_of_a_method_are_told_apart():
    found = named(
        ("hpdval", "hpdval", ""),
        ("joint", "hpdval", ""),
        ("finetune-asl", "finetune", ""),
        ("finetune-bce", "finetune", "Fine-tuning, BCE"),
    )
    assert list(found.values()) == [
        "HP-DVAL", "HP-DVAL (joint)", "Fine-tuning (asl)", "Fine-tuning, BCE",
    ]  # fmt: skip


def test_no_two_are_alike():
    found = named(("coop", "coop", ""), ("mine", "mine", ""))
    assert found == {"coop": "CoOp", "mine": "CoOp (mine)"}


def suite(tmp_path, entry):
    path = tmp_path / "s.yaml"
    text = "# S.\nname: s\ntasks: [coco-lt]\nseeds: [0]\nepisodes: 1\nmethods:\n  a: "
    path.write_text(f"{text}{entry}\n")
    return str(path)


def test_a_suite_declares_titles_as_text(tmp_path):
    (entry,) = load.load_suite(suite(tmp_path, "{method: coop, title: 'CoOp, 16 tokens'}")).methods
    assert entry.title == "CoOp, 16 tokens"
    with pytest.raises(InputError, match="title"):
        load.load_suite(suite(tmp_path, "{method: coop, title: 16}"))


def test_every_entry_of_the_suite_of_everything_has_a_title_of_its_own():
    found = titles(load.load_suite("paper").methods, METHODS)
    assert len(set(found.values())) == len(found) and found["hpdval"] == "HP-DVAL"
