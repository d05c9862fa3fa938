"""The readers of COCO and VOC annotations, on small files made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark import datasets
from benchmark.errors import InputError

ROOT = Path(__file__).parents[2] / "shared" / "real_samples"


def note(image: int, category: int, box=(1, 2, 30, 40), **more) -> dict:
    area = box[2] * box[3]
    return {"image_id": image, "category_id": category, "bbox": list(box), "area": area} | more


@pytest.fixture
def instances(tmp_path) -> Path:
    """Four images and three categories whose ids have gaps and are not in order."""
    content = {
        "images": [{"id": n, "file_name": f"{n:012d}.jpg"} for n in (9, 25, 30, 42)],
        "categories": [{"id": n, "name": f"c{n}"} for n in (90, 1, 13)],
        "annotations": [
            note(9, 1, id=1),
            note(9, 90, id=2, iscrowd=1),
            note(25, 13, box=(0, 0, 0.5, 9), id=3),
            note(25, 13, area=0, id=4),
            note(25, 1, box=(0, 0, 9, 0.9), id=5),
            note(30, 13, id=6),
            note(30, 13, id=7),
        ],
    }
    path = tmp_path / "instances_val2017.json"
    path.write_text(json.dumps(content))
    return path


def test_coco_labels(instances):
    assert datasets.coco_classes(instances) == ("c1", "c13", "c90")
    assert datasets.coco_labels(instances) == {
        "000000000009.jpg": {0, 2},
        "000000000025.jpg": set(),
        "000000000030.jpg": {1},
        "000000000042.jpg": set(),
    }
    assert datasets.coco_labels(instances, crowd="negative")["000000000009.jpg"] == {0}


def test_coco_boxes(instances):
    boxes = datasets.coco_boxes(instances)
    assert boxes["000000000030.jpg"] == [(1, (1.0, 2.0, 30.0, 40.0))] * 2
    assert boxes["000000000042.jpg"] == []


@pytest.mark.parametrize(
    "change, named",
    [
        ({"categories": None}, "categories"),
        ({"images": [{"id": 9}]}, "images"),
        ({"annotations": [3]}, "annotations"),
        ({"annotations": [{"id": 77, "image_id": 9}]}, "id 77"),
        ({"annotations": [note(9, 2, id=8)]}, "id 8"),
        ({"annotations": [note(9, 1, id=8) | {"bbox": [1, 2]}]}, "id 8"),
    ],
)
def test_coco_errors_name_file_and_field(instances, change, named):
    instances.write_text(json.dumps(json.loads(instances.read_text()) | change))
    with pytest.raises(InputError, match=named) as caught:
        datasets.coco_labels(instances)
    assert "instances_val2017.json" in str(caught.value) and "\n" not in str(caught.value)


OBJECT = """<object><name>{}</name><difficult>{}</difficult>
<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>110</xmax><ymax>70</ymax></bndbox>{}</object>"""
PART = """<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>
</bndbox></part>"""


@pytest.fixture
def devkit(tmp_path) -> Path:
    objects = {
        "000001": OBJECT.format("person", 0, PART) + OBJECT.format("sofa", 1, ""),
        "000004": OBJECT.format("car", 1, "") + OBJECT.format("car", 0, ""),
        "000010": "",
    }
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "test.txt").write_text("000001\n000004\n000010\n")
    for name, text in objects.items():
        (tmp_path / "Annotations" / f"{name}.xml").write_text(f"<annotation>{text}</annotation>")
    return tmp_path


def test_voc_labels_with_difficult_both_ways(devkit):
    ids = datasets.voc_ids(devkit, "test")
    sofa, car, person = (datasets.VOC_CLASSES.index(c) for c in ("sofa", "car", "person"))
    positive = {"000001": {person, sofa}, "000004": {car}, "000010": set()}
    assert datasets.voc_labels(devkit, ids) == positive
    assert datasets.voc_labels(devkit, ids, "negative") == positive | {"000001": {person}}
    boxes = datasets.voc_boxes(devkit, ids, "negative")
    assert boxes["000004"] == [(car, (10.0, 20.0, 100.0, 50.0))]


def test_voc_errors_are_one_line(devkit):
    path = devkit / "Annotations" / "000001.xml"
    for text, named in (
        ("<annotation>", "not XML"),
        (f"<annotation>{OBJECT.format('persn', 0, '')}</annotation>", "did you mean 'person'"),
        ("<annotation><object><name>car</name></object></annotation>", "bndbox"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=named) as caught:
            datasets.voc_labels(devkit, ["000001"])
        assert "000001.xml" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        datasets.voc_labels(devkit, ["000999"])
    with pytest.raises(InputError, match="difficult"):
        datasets.voc_labels(devkit, [], "yes")


def test_real_coco_annotations_agree_with_the_label_list():
    """The subset file has COCO's own boxes; labels.txt was made from another source."""
    found = sorted(ROOT.rglob("instances_train2017_subset.json"))
    if not found:
        pytest.skip("the real samples (../shared/real_samples) are not here")
    listed = {}
    for line in (ROOT / "coco" / "labels.txt").read_text().splitlines():
        path, *indices = line.split()
        listed[Path(path).name] = {int(k) for k in indices}
    content = json.loads(found[0].read_text())
    if len(content["categories"]) != 80:
        pytest.skip("the real samples list fewer than 80 categories: ranks are not class indices")
    labels = datasets.coco_labels(found[0])
    shared = set(labels) & set(listed)
    assert shared and all(labels[name] == listed[name] for name in shared)
