"""What CLIP is to read for a class: renames, and names that it could not read."""

from __future__ import annotations

import re

import pytest

from benchmark.common.errors import InputError
from benchmark.data.own import class_names

CLASSES = ("Effusion", "Mass", "a,b")


def renamed(tmp_path, content: bytes) -> dict[str, str]:
    path = tmp_path / "renames.csv"
    path.write_bytes(content)
    return class_names.renames(path, CLASSES)


def test_a_file_of_renames(tmp_path):
    wanted = {"Effusion": "pleural effusion", "a,b": "both, really"}
    plain = b'Effusion,pleural effusion\n"a,b","both, really"\n'
    assert renamed(tmp_path, plain) == wanted
    assert (
        renamed(tmp_path, b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n") + b"\r\n,\r\n") == wanted
    )
    assert renamed(tmp_path, b" Mass , tumour") == {"Mass": "tumour"}
    assert renamed(tmp_path, b"") == {} == class_names.renames(None, CLASSES)
    assert class_names.renames(wanted, CLASSES) == wanted


@pytest.mark.parametrize(
    "content, line",
    [
        (b"column,name\nMass,tumour\n", ":1: 'column' is no class of the labels; a row is"),
        (b"Mass,tumour\nmass,tumour\n", ":2: 'mass' is no class"),
        (b"Mass,tumour\n\nMass,lump\n", ":3: class 'Mass' is renamed twice"),
        (b"Mass,\n", ":1: class 'Mass' has no new name"),
        (b"Mass\n", ":1: has 1 columns, not two"),
        (b"Mass;tumour\n", ":1: has 1 columns, not two"),
        (b"Mass,a,b\n", ":1: has 3 columns, not two"),
        (b'Effusion,x\nMass,"tumour\n', ":2: no CSV"),
        (b"Effusion,x\nMass,Tum\xf6r\n", ":2: is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_file_of_renames_that_is_wrong(tmp_path, content, line):
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}/renames.csv{line}")):
        renamed(tmp_path, content)


def test_renames_that_are_no_file_or_no_texts(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(InputError, match=f"{path}: cannot be read .*; --names takes a CSV"):
            class_names.renames(path, CLASSES)
    with pytest.raises(InputError, match="names: 'x' is no class"):
        class_names.renames({"x": "y"}, CLASSES)
    with pytest.raises(InputError, match="names: 'Mass': 3: must be two texts"):
        class_names.renames({"Mass": 3}, CLASSES)


def test_the_names_that_clip_reads():
    names = class_names.check(CLASSES, {"Mass": "a tumour"})
    assert names == ("Effusion", "a tumour", "a,b")


@pytest.mark.parametrize(
    "name, problem",
    [
        ("", "is empty"),
        (" ", "is empty"),
        ("x ", "has a space at an end"),
        ("x" * 101, "has more than 100 letters"),
        ("a\tb", "has a tab"),
        ("a\u202eb", "has a tab or another character"),
        ("<b>x</b>", "has < >, which CLIP would read as text"),
        ("$x_1$ \\input{y}", "has $ \\ { }, which"),
        ("mass", "reads as class 'Mass' does"),
        ("MASS", "reads as class 'Mass' does"),
        ("effusion", None),
    ],
)
def test_a_name_that_clip_could_not_read(name, problem):
    given = {"Effusion": name}
    if problem is None:
        assert class_names.check(("Effusion",), given) == (name,)
        return
    with pytest.raises(InputError, match=re.escape(problem)) as caught:
        class_names.check(("Mass", "Effusion"), given)
    assert "class 'Effusion': its name " in str(caught.value)
    assert "--names FILE" in str(caught.value)


def test_an_underscore_reads_as_a_space():
    with pytest.raises(InputError, match="'no finding' reads as class 'No_finding' does"):
        class_names.check(("No_finding", "no finding"), {})
