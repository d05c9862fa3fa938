"""COCO's JSON, VOC's XML and YOLO's texts as people have them; one line for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.common.errors import InputError
from benchmark.data.own import labels
from benchmark.data.own.table import LabelTable
from tests.helpers import own_forms

DATA = {"1.jpg": ["cat"], "2.jpg": ["dog", "cat"], "train/3.jpg": []}
EXPECTED = (("im/1.jpg", (0,)), ("im/2.jpg", (0, 1)), ("im/train/3.jpg", ()))
BOMB = "".join(f'<!ENTITY a{k + 1} "{f"&a{k};" * 10}">' for k in range(9))


@pytest.fixture
def root(tmp_path) -> Path:
    own_forms.images(tmp_path / "im", DATA)
    return tmp_path


def read(path: Path, root: Path) -> LabelTable:
    return labels.read(path, root / "im", root)


def refused(path: Path, root: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(path, root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(root: Path, change: Callable[[dict], object]) -> Path:
    """COCO's JSON of the data after a change."""
    path = own_forms.coco(root / "instances.json", DATA)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_crowds_count_and_annotations_without_an_area_do_not(root):
    crowd = {"image_id": 2, "category_id": 10, "bbox": [0, 0, 5, 5], "iscrowd": 1}
    path = changed(root, lambda x: x["annotations"].append(crowd))
    table = read(path, root)
    assert table.classes == ("dog",) and table.rows[1:] == (("im/2.jpg", (0,)), EXPECTED[2])
    assert table.notes == ("classes that each image has, left out: 'cat'",)
    path = changed(root, lambda x: x["annotations"].append(crowd | {"area": 0}))
    table = read(path, root)
    assert table.rows == EXPECTED and table.form == "COCO's instances JSON"
    said = "1 annotation without an area, or less than a pixel wide or high, left out"
    assert table.notes == (said,)


def test_unused_categories_are_left_out(root):
    many = [{"id": 90 + k, "name": f"unused {k:02d}"} for k in range(12)]
    table = read(changed(root, lambda x: x["categories"].extend(many)), root)
    assert table.rows == EXPECTED and table.classes == ("cat", "dog")
    assert table.notes[0].startswith("classes that no image has, left out: 'unused 00', ")
    assert table.notes[0].endswith("'unused 09' and 2 more")


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda x: x.pop("images"), "field images: must be a list of objects with id and"),
        (lambda x: x["images"][0].update(id=True), "field images: must be"),
        (lambda x: x["categories"][0].update(id="3"), "field categories: must be"),
        (lambda x: x["categories"][1].update(name="dog"), "'dog' is there twice"),
        (lambda x: x["categories"][0].update(name=" "), "a class without a name"),
        (lambda x: x["categories"][0].update(name="a\tb"), "has a tab"),
        (lambda x: x["images"][0].update(file_name="9.jpg"), "no image file '9.jpg'"),
        (lambda x: x["images"][0].update(file_name="2.jpg"), "images: 2.jpg occurs twice"),
        (lambda x: x["images"][0].update(file_name="./2.jpg"), "listed with other labels"),
        (lambda x: x["annotations"][0].update(image_id=True), "an id is true or false"),
        (lambda x: x["annotations"][0].update(image_id=77), "unknown or absent 77"),
        (lambda x: x["annotations"][0].update(image_id=[]), "unhashable"),
        (lambda x: x["annotations"][0].update(area=float("nan")), "NaN is no number"),
        (lambda x: x["annotations"][0].pop("bbox"), "absent 'bbox'"),
        (lambda x: x["annotations"].clear(), "no class that some images have"),
        (lambda x: x["images"].clear() or x["annotations"].clear(), "lists no image"),
    ],
)
def test_json_that_is_not_cocos(change, said, root):
    line = refused(changed(root, change), root)
    assert "instances.json: " in line and said in line


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"a": 1', b"\xef\xbb\xbf {", b"[" * 9000])
def test_json_of_something_else(content, root):
    (root / "x.txt").write_bytes(content)
    assert "x.txt: " in refused(root / "x.txt", root)


def test_an_xml_is_of_the_image_that_it_names_or_is_called_after(root):
    path = own_forms.voc(root / "Annotations", DATA)
    one = path / "1.xml"
    for filename in ("1.jpg", "1", "C:\\pictures\\1.jpg", "", "gone.jpg"):
        text = f"<annotation><filename>{filename}</filename><object><name> cat </name></object>"
        one.write_text(f"{text}<object><name>cat</name><part/></object></annotation>")
        assert read(path, root).rows == EXPECTED
    one.write_text(one.read_text().replace("gone.jpg", "2.jpg"))
    line = refused(path, root)
    assert "1.xml: field filename says 2.jpg, the file's own name 1.jpg" in line


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "1.xml: not XML (no element found"),
        ("<annotation><object>", "1.xml: not XML"),
        ("<kml/>", "1.xml: is not Pascal VOC's"),
        ("<annotation><object/></annotation>", "1.xml: field object/name: has a class without"),
        ("<annotation><object><name>a\tb</name></object></annotation>", "has a tab"),
        ('<?xml version="1.0" encoding="none-such"?><annotation/>', "1.xml: not XML"),
        ('<?xml version="1.0" encoding="gb2312"?><annotation/>', "1.xml: not XML"),
        (
            f'<!DOCTYPE x [<!ENTITY a0 "x">{BOMB}]><annotation>&a9;</annotation>',
            "declares entities",
        ),
    ],
)
def test_xml_that_is_not_vocs(text, said, root):
    path = own_forms.voc(root / "Annotations", DATA)
    (path / "1.xml").write_text(text)
    line = refused(path, root)
    assert str(path) in line and said in line and ";" in line


def test_an_annotation_of_no_image(root):
    for path in (own_forms.voc(root / "voc", DATA), own_forms.yolo(root / "yolo", DATA)):
        (root / "im" / "2.jpg").rename(root / "im" / "9.jpg")
        assert "no image file" in refused(path, root)
        (root / "im" / "9.jpg").rename(root / "im" / "2.jpg")


LISTS = {
    "classes.txt": "dog\ncat\n\n",
    "obj.names": "dog\r\ncat",
    "data.yaml": "train: ../images\nnc: 2\nnames: [dog, cat]\n",
    "data.yml": "names:\n  0: dog\n  1: cat\n",
    "dataset.yaml": "names:\n- dog\n- 'cat'\n",
}


@pytest.mark.parametrize("name, text", LISTS.items())
@pytest.mark.parametrize("above", ["", "..", "../.."])
def test_class_lists_as_yolo_has_them(name, text, above, root):
    path = own_forms.yolo(root / "data" / "labels", DATA)
    (path / "classes.txt").unlink()
    (path / above / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    table = read(path, root)
    assert table.classes == ("cat", "dog") and table.rows == EXPECTED
    if not above:
        (path / "obj.names").write_text("cat\ndog\n")
        (path / "classes.txt").write_text("dog\ncat\n")
        assert "list other classes" in refused(path, root)


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("readme", "", "has no class list; add classes.txt"),
        ("classes.txt", "dog\n\ncat\n", "classes.txt:2: has a class without a name"),
        ("classes.txt", "dog\ncat\ndog\n", "classes.txt:3: the class 'dog' is there twice"),
        ("classes.txt", "dog\n", "2.txt:2: class index 1 is not one of the 1 classes"),
        ("classes.txt", "", "class index 0 is not one of the 0 classes"),
        ("classes.txt", b"dog\n\xe9\n", "classes.txt:2: is not UTF-8"),
        ("data.yaml", "names: [dog", "data.yaml: is not YAML"),
        ("data.yaml", "nc: 2", "data.yaml: field names: must be a list of names"),
        ("data.yaml", "names: [dog, no]", "field names: must be a list of names (in quotes)"),
        ("data.yaml", "names: {a: dog}", "field names: must be a list"),
        ("data.yaml", "names: {3: dog, 1: cat}", "2.txt:1: class index 0 is not one of the 2"),
    ],
)
def test_class_lists_that_are_none(name, text, said, root):
    path = own_forms.yolo(root / "labels", DATA | {"1.jpg": []})
    (path / "classes.txt").unlink()
    (path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    assert said in refused(path, root)


@pytest.mark.parametrize(
    "line, said",
    [
        ("1 .5 .5 .1", "1.txt:2: must be `<class index>"),
        ("1 .5 .5 .1 x", "1.txt:2: must be"),
        ("1 .5 .5 .1 nan", "1.txt:2: must be"),
        ("2 .5 .5 .1 .1", "1.txt:2: class index 2 is not one of the 2 classes"),
        ("-1 .5 .5 .1 .1", "class index -1 is not"),
        ("1.0 .5 .5 .1 .1", "class index 1.0 is not"),
        ("9" * 5000 + " .5 .5 .1 .1", "1.txt:2: "),
        (b"\xff", "1.txt:2: is not UTF-8"),
    ],
)
def test_lines_that_are_not_yolos(line, said, root):
    path = own_forms.yolo(root / "labels", DATA)
    line = line.encode() if isinstance(line, str) else line
    (path / "1.txt").write_bytes(b"1 .5 .5 .1 .1\n" + line + b"\n")
    assert said in refused(path, root)


def test_yolo_outlines_confidences_and_other_texts(root):
    path = own_forms.yolo(root / "labels", DATA)
    (path / "1.txt").write_text("1 .5 .5 .1 .1 .9\n\n1 .1 .1 .2 .2 .3 .3 .4 .4\n")
    (path / "train.txt").write_text("images/1.jpg\n")
    (path / "README.txt").write_bytes(b"caf\xe9")
    table = read(path, root)
    assert table.rows == EXPECTED
    assert table.notes == ("left out, as texts without objects: 'README.txt', 'train.txt'",)
    (root / "im" / "4.jpg").touch()
    assert table.rows == EXPECTED  # it may be of another part of the data
    assert read(path, root).notes[1] == "image files that are not listed, left out: 1"


@pytest.mark.parametrize("given", ["", "labels", "labels/train"])
def test_labels_stand_beside_images_as_yolo_has_it(given, root):
    for folder in ("train", "val"):
        own_forms.images(root / "data" / "images" / folder, {"1.jpg": ()})
        path = own_forms.yolo(root / "data" / "labels" / folder, {"1.jpg": ["cat"]})
        (path / "1.txt").write_text(f"{int(folder == 'val')} .5 .5 .1 .1\n")
        (path / "classes.txt").write_text("cat\ndog\n")
    table = labels.read(root / "data" / given, root / "data" / "images", root, part=True)
    both = (("data/images/train/1.jpg", (0,)), ("data/images/val/1.jpg", (1,)))
    assert table.rows == (both[:1] if given.endswith("train") else both)


def test_folders_that_are_neither_or_both(root):
    (root / "empty").mkdir()
    assert "has neither .xml nor .txt files" in refused(root / "empty", root)
    own_forms.voc(root / "both", DATA)
    own_forms.yolo(root / "both", DATA)
    line = refused(root / "both", root)
    assert "both Pascal VOC's 1.xml and YOLO's 1.txt; give a folder of one kind" in line
