"""Names by which images are found, and those by which none is."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import pytest

from benchmark.common.errors import InputError
from benchmark.data.own import labels, walk
from benchmark.data.own.image_files import ImageFiles
from tests.helpers import own_forms

NAMES = ("a.jpg", "train/b 1.JPG", "train/c%20.png", "test/d.jpg", "train/d.jpg", "x/é.v1.jpg")


@pytest.fixture
def folder(tmp_path) -> Path:
    images = own_forms.images(tmp_path / "root" / "im ages", dict.fromkeys(NAMES, ()))
    (images / "notes.txt").touch()
    (images / ".hidden.jpg").touch()
    return images


@pytest.fixture
def known(folder) -> ImageFiles:
    return ImageFiles(folder, folder.parent)


@pytest.mark.parametrize(
    "text, path",
    [
        *((name, name) for name in NAMES),
        ("./train/../a.jpg", "a.jpg"),
        ("train\\b 1.JPG", "train/b 1.JPG"),
        (" a.jpg ", "a.jpg"),
        ("a.JPG", "a.jpg"),
        ("train/b 1.jpg", "train/b 1.JPG"),
        ("a", "a.jpg"),
        ("é.v1", "x/é.v1.jpg"),
        (unicodedata.normalize("NFD", "x/é.v1.jpg"), "x/é.v1.jpg"),
        ("b 1.JPG", "train/b 1.JPG"),
        ("train/d", "train/d.jpg"),
        ("im ages/test/d.jpg", "test/d.jpg"),
        ("root\\im ages\\test\\d.jpg", "test/d.jpg"),
    ],
)
def test_a_name_of_one_image(text, path, known):
    assert known.one(text, "here") == f"im ages/{path}"


def test_an_absolute_path_of_the_folder_or_of_what_it_is_a_link_to(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder.parent)
    linked = ImageFiles(tmp_path / "link" / "im ages", tmp_path / "link")
    for text in (folder / "a.jpg", tmp_path / "link" / "im ages" / "a.jpg"):
        assert linked.one(str(text), "here") == "im ages/a.jpg"


@pytest.mark.parametrize(
    "text", ["b.jpg", "../a.jpg", "../im ages/../a.jpg", "x/../../a.jpg", "/a.jpg", "C:\\a.jpg"]
)
def test_a_name_of_no_image(text, known):
    with pytest.raises(InputError, match=r"^here: there is no image file .* below .*; correct it"):
        known.one(text, "here")


@pytest.mark.parametrize(
    "text, said",
    [
        ("d.jpg", "'d.jpg' may be test/d.jpg and train/d.jpg below"),
        ("notes.txt", "no image file"),
        (".hidden.jpg", "no image file"),
        ("valid/a.jpg", "no image file"),  # train/a.jpg could as well be another's
        ("test/a.jpg", "no image file"),
        (" ", "names no image"),
        ("\x1b[31m\n\ud800", r"no image file '.x1b"),
    ],
)
def test_a_name_of_none_or_several(text, said, known):
    with pytest.raises(InputError, match=said) as caught:
        known.one(text, "here")
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_images_lie_below_the_root(folder, tmp_path):
    assert ImageFiles(folder, folder).one("a.jpg", "") == "a.jpg"
    assert ImageFiles(folder, tmp_path).one("a.jpg", "") == "root/im ages/a.jpg"
    with pytest.raises(InputError, match=r"--images .*root/im ages: .* below --data-root .*test;"):
        ImageFiles(folder, folder / "test")


@pytest.mark.parametrize("name", ["absent", "im ages/a.jpg", "empty"])
def test_a_folder_without_images(name, folder):
    (folder.parent / "empty").mkdir()
    with pytest.raises(InputError, match=f"{name}.*; name a"):
        ImageFiles(folder.parent / name, folder.parent)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode here")
def test_names_that_are_not_utf_8_are_left_out_and_said(folder):
    os.close(os.open(os.fsencode(folder) + b"/\xff.jpg", os.O_CREAT))
    path = own_forms.table(folder / "x.csv", [("p", "cat"), ("a.jpg", 1), ("train/d.jpg", 0)])
    notes = labels.read(path, folder, folder).notes
    assert notes[-1] == "image files whose names are not UTF-8, left out: 1"


def test_links_are_followed_and_circles_are_not(tmp_path):
    (tmp_path / "here" / "sub").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for path in ("here/1.jpg", "here/sub/2.jpg", "other/3.jpg"):
        (tmp_path / path).touch()
    links = {"a": "sub", "b": "../here", "sub/c": "..", "d": "d", "e": "../other", "f": "../other"}
    for link, target in (links | {"g.jpg": "1.jpg", "h.jpg": "none.jpg"}).items():
        (tmp_path / "here" / link).symlink_to(target)
    found = walk.files(tmp_path / "here")
    assert sorted(found) == ["1.jpg", "e/3.jpg", "g.jpg", "sub/2.jpg"]
