"""The same data in five forms are the same rows; what each form may look like."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.data.own import labels
from benchmark.data.own.table import LabelTable
from benchmark.data.splits import lists
from tests.helpers import own_forms
from tests.helpers.own_forms import FORMS

REAL = environment.ROOT.parent / "shared" / "real_samples"
DATA = {
    "b/2.jpg": ["dog", "big cat"],
    "a/1.jpg": ["cat"],
    "a/9 %20é.PNG": [],
    "c.jpeg": ["Zebra", "dog"],
    "b/d/x.v2.webp": ["big cat", "cat"],
}
ROWS = (
    ("images/a/1.jpg", (2,)),
    ("images/a/9 %20é.PNG", ()),
    ("images/b/2.jpg", (1, 3)),
    ("images/b/d/x.v2.webp", (1, 2)),
    ("images/c.jpeg", (0, 3)),
)


def written(folder: Path, form: str, data: own_forms.Labels) -> LabelTable:
    """What is read of a form that is written to a folder, images beside it."""
    images = own_forms.images(folder / "images", data)
    path = FORMS[form](folder / form, data)
    return labels.read(path, images, folder)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_sorted_classes_and_rows(form, tmp_path):
    table = written(tmp_path, form, DATA)
    assert table.classes == ("Zebra", "big cat", "cat", "dog")
    assert table.rows == ROWS
    assert table.notes == () and table.source == tmp_path / form


@pytest.mark.parametrize("seed", range(6))
def test_random_tables_are_byte_identical_in_all_forms(seed, tmp_path):
    draw = random.Random(seed)
    letters = string.ascii_letters + string.digits + " .&%'()[]äß漢" + "-_" * 5
    words = {"".join(draw.choices(letters, k=draw.randint(1, 9))).strip(" [") for _ in range(40)}
    names = sorted(words - {""})
    folders = ["", "train/", "train/x y/", "Ü/"]
    data = {
        f"{draw.choice(folders)}{n}{draw.choice('abc %')}x.{draw.choice(['jpg', 'PNG', 'tiff'])}":
            draw.sample(names, min(len(names), int(draw.expovariate(0.4))))
        for n in range(draw.choice([3, 30, 200]))
    }  # fmt: skip
    data |= {"one.jpg": names[:2], "none.jpg": [], "two.jpg": names[1:3]}
    found = {form: written(tmp_path, form, data) for form in FORMS}
    assert len({lists.content(table.rows) for table in found.values()}) == 1
    assert len({table.classes for table in found.values()}) == 1
    expected = {f"images/{path}": set(shown) for path, shown in data.items()}
    for table in found.values():
        named = {path: {table.classes[k] for k in shown} for path, shown in table.rows}
        assert named == expected
        assert table.notes == ()


@pytest.mark.parametrize("form", FORMS)
def test_the_sha256_is_of_the_content(form, tmp_path):
    first, again = written(tmp_path, form, DATA), written(tmp_path, form, DATA)
    other = written(tmp_path, form, DATA | {"c.jpeg": ["dog", "cat", "Zebra"]})
    assert first.sha256 == again.sha256 != other.sha256
    if form in ("wide", "listed", "coco"):
        assert other.sha256 == lists.sha256((tmp_path / form).read_bytes())


@pytest.mark.parametrize("delimiter, kind", [(",", "CSV"), (";", "CSV with"), ("\t", "TSV")])
@pytest.mark.parametrize("separator", [";", "|", ","])
def test_delimiters_and_separators_are_found(delimiter, kind, separator, tmp_path):
    images = own_forms.images(tmp_path / "images", DATA)
    wide = own_forms.wide(tmp_path / "wide.dat", DATA, delimiter)
    listed = own_forms.listed(tmp_path / "listed.dat", DATA, delimiter, separator)
    for path, how in ((wide, "one column a class"), (listed, f"separated by {separator!r}")):
        table = labels.read(path, images, tmp_path)
        assert table.rows == ROWS
        assert table.form.startswith(kind) and how in table.form


def test_one_label_an_image_and_commas_in_names(tmp_path):
    data = {"1.jpg": ["cat"], "2.jpg": ["dog"], "3.jpg": ["cat"]}
    images = own_forms.images(tmp_path / "images", data)
    table = labels.read(own_forms.listed(tmp_path / "x", data), images, tmp_path)
    assert table.form == "CSV, one label an image in column 'labels'"
    commas = {"1.jpg": ["cat, wild", "dog"], "2.jpg": ["dog", "cow, big"], "3.jpg": []}
    for write in (own_forms.listed, own_forms.wide):
        table = labels.read(write(tmp_path / "y", commas), images, tmp_path)
        assert table.classes == ("cat, wild", "cow, big", "dog")


def test_a_part_may_lack_a_class_that_the_rest_has(tmp_path):
    images = own_forms.images(tmp_path / "images", DATA)
    rows = [["path", "cat", "dog", "cow"], ["c.jpeg", 1, 0, 0], ["a/1.jpg", 1, 1, 0]]
    path = own_forms.table(tmp_path / "x.csv", rows)
    table = labels.read(path, images, tmp_path, part=True)
    assert table.classes == ("cat", "dog")
    assert "classes that no image has, left out: 'cow'" in table.notes


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(5))
def test_damaged_files_are_read_or_refused_in_one_line(form, seed, tmp_path):
    draw = random.Random(f"{form} {seed}")
    written(tmp_path, form, DATA)
    path = tmp_path / form
    files = sorted(path.rglob("*.*")) if path.is_dir() else [path]
    whole = {file: file.read_bytes() for file in files}
    for _ in range(40):
        file = draw.choice([file for file in files if file.is_file()])
        content = bytearray(whole[file])
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(content) + 1)
            new = draw.choice(
                [b"", b'"', b"\n", b",", b"\0", b"\xff", b"<", b"[", b"9", b"\t", b" "]
            )
            content[at : at + draw.randint(0, 3)] = new
        file.write_bytes(content)
        try:
            table = labels.read(path, tmp_path / "images", tmp_path)
            lists.content(table.rows)
        except InputError as error:
            assert "\n" not in str(error) and str(path) in str(error)
        file.write_bytes(whole[file])


def test_a_large_table(tmp_path):
    """As large as a test may be; 200,000 images and 1,000 classes take some seconds."""
    draw = random.Random(0)
    names = [f"class {k:03d}" for k in range(300)]
    data = {f"{n % 50}/{n}.jpg": draw.sample(names, n % 6) for n in range(3000)}
    found = [written(tmp_path, form, data) for form in ("wide", "listed", "coco")]
    assert len(found[0].rows) == 3000 and len(found[0].classes) == 300
    assert found[0].rows == found[1].rows == found[2].rows


def test_real_photographs_of_coco():
    """COCO's own boxes, read as anybody's instances file, give COCO's label list."""
    path = REAL / "coco" / "instances_train2017_subset.json"
    if not path.is_file():
        pytest.skip("the real samples (../shared/real_samples) are not here")
    table = labels.read(path, REAL / "coco" / "train2017", REAL)
    lines = (REAL / "coco" / "labels.txt").read_text().splitlines()
    listed = {line.split()[0]: len(line.split()) - 1 for line in lines}
    shared = [(p, shown) for p, shown in table.rows if p.removeprefix("coco/") in listed]
    assert shared and all(len(shown) == listed[p.removeprefix("coco/")] for p, shown in shared)
