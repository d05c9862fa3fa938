"""Class names that are too long for CLIP's context are refused before anything is computed."""

from __future__ import annotations

import pytest

from benchmark.clip import name_length
from benchmark.common.errors import InputError


def test_names_that_fit():
    name_length.check(["cat", "a_b", " ".join(["word"] * 58)], None)
    name_length.check([" ".join(["word"] * 30)], "a picture of a {}, drawn by hand")


@pytest.mark.parametrize(
    "name, template, words",
    [
        (" ".join(["word"] * 59), None, "has 60 of CLIP's tokens, and 59 fit"),
        ("漢字" * 30, None, "tokens, and"),
        ("cat", "so " * 75 + "{}", "has 76 of CLIP's tokens, and 75 fit"),
    ],
)
def test_names_and_templates_that_do_not(name, template, words):
    with pytest.raises(InputError, match=f"^class '{name}': .*{words}.* --names FILE"):
        name_length.check(["cat", name], template)
