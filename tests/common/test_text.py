"""Texts from elsewhere lose what would steer a terminal or cannot be encoded, and nothing else."""

from __future__ import annotations

import pytest

from benchmark.common.text import one_line, plain

ODD = {
    "\x1b[31mred\x1b[0m": "red",
    "\x9b2Jgone": "gone",
    "\x1b]0;a title\x07text": "text",
    "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
    "\x1b]unended": "]unended",
    "a\x00b\x08c\rd\x7fe\x85f": "abcdef",
    "left \u202eright": "left right",
    "caf\udce9": "caf\ufffd",
}


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_codes_and_controls_go(text):
    assert plain(text) == ODD[text]
    plain(text).encode()


@pytest.mark.parametrize("text", ["", "plain", "é ü 中 😀 †±", "two\nlines\tand a tab"])
def test_other_texts_stay(text):
    assert plain(text) == text


def test_one_line():
    assert one_line(ValueError("a\n  b\x1b[2J\tc")) == "a b c" and one_line(None) == "None"


def test_hostile_texts_take_no_longer_than_others():
    assert plain("\x1b]" * 100_000) == "]" * 100_000
    assert plain("\x1b[" * 100_000) == "[" * 100_000
