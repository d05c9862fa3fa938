"""Random list files and manifests: each is read, or refused in one line."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.common.errors import InputError
from benchmark.data import splits
from benchmark.data.splits import lists, manifest

CLASSES = ("ant", "bee", "cat")
ROWS = [("a.jpg", (0, 2)), ("b.jpg", ()), ("c.jpg", (1,))]
LISTS = {"train.txt": ROWS, "test.txt": ROWS[:2]}
OFFICIAL = {
    "name": "toy-lt",
    "scale": "miniature",
    "version": 1,
    "setting": "long-tailed",
    "dataset": "toy",
    "protocol": {},
    "classes": list(CLASSES),
    "groups": {"head": [], "medium": [], "tail": list(CLASSES)},
    **manifest.counted(LISTS, len(CLASSES)),
}
words = st.sampled_from(
    ("a.jpg", "0", "2", "3", "-1", "1.0", "x", "²", " ", "\t", "\n", "\r\n", "\0")
)
plain = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    st.sampled_from((*CLASSES, "head", "train.txt", "images", "few-shot", "coco")),
)
keys = st.sampled_from(("head", "tail", "base", "train.txt", "sha256"))
several = st.lists(plain, max_size=4) | st.dictionaries(keys, plain, max_size=3)
values = plain | several | st.dictionaries(keys, several, max_size=3)
thousand = settings(max_examples=1000, deadline=None, database=None, derandomize=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("toy-lt")
    manifest.write(made, LISTS, OFFICIAL)
    return made


def parsed(folder: Path, official: manifest.Document | None = None) -> manifest.Split:
    found = manifest.load(folder / "manifest.json", "restore it")
    return manifest.parse(found, "toy-lt", "miniature", official)


def test_the_split_itself_is_right(folder):
    manifest.write(folder, LISTS, OFFICIAL)
    assert splits.entries(parsed(folder), "train.txt") == ROWS


@thousand
@given(content=st.binary(max_size=60) | st.lists(words, max_size=12).map(" ".join).map(str.encode))
def test_random_lists(content):
    try:
        rows = lists.parse(content, Path("train.txt"), len(CLASSES))
    except InputError as error:
        assert str(error).isprintable() and "train.txt" in str(error)
    else:
        assert all(path and set(labels) <= {0, 1, 2} for path, labels in rows)


@thousand
@given(
    fields=st.dictionaries(st.sampled_from((*OFFICIAL, "restriction")), values, max_size=3),
    inside=st.none() | st.tuples(st.sampled_from(("groups", "files", "protocol")), plain, values),
    fetched=st.booleans(),
)
def test_random_manifests(folder, fields, inside, fetched):
    raw = copy.deepcopy(OFFICIAL) | fields
    if inside and isinstance(raw[inside[0]], dict):
        raw[inside[0]][str(inside[1])] = inside[2]
    path = folder / "manifest.json"
    known = manifest.Document(path, b"", OFFICIAL, "fetch it again") if fetched else None
    path.write_bytes(manifest.text(raw))
    try:
        splits.entries(parsed(folder, known), "train.txt")
    except InputError as error:
        assert str(error).isprintable() and "toy-lt" in str(error)


@thousand
@given(content=st.binary(max_size=40) | st.text(max_size=40).map(lambda text: json.dumps(text)))
def test_random_bytes_for_a_manifest(folder, content):
    path = folder / "random.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        manifest.parse(manifest.load(path, "restore it"), "toy-lt", "miniature")
    assert str(caught.value).isprintable()
