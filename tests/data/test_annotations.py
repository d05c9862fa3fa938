"""The readers of COCO and VOC annotations, on small files made by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmark.cli.data_root import main as check
from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.data.annotations import VOC_CLASSES, Instances, voc_boxes, voc_labels

ROOT = environment.ROOT.parent / "shared" / "real_samples"
OFFICIAL = ROOT.with_name("official_splits")


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


def test_labels_of_instances(instances):
    assert Instances(instances).labels() == {
        "000000000009.jpg": {0, 2},
        "000000000025.jpg": set(),
        "000000000030.jpg": {1},
        "000000000042.jpg": set(),
    }
    assert Instances(instances).labels(crowd="negative")["000000000009.jpg"] == {0}


def test_instances_are_read_once_for_everything(instances):
    found = Instances(instances)
    assert found.images[1:3] == [(25, "000000000025.jpg"), (30, "000000000030.jpg")]
    assert found.classes == ("c1", "c13", "c90")
    assert found.size == (4, 7)  # what is skipped counts
    assert found.labels("negative") == Instances(instances).labels("negative")
    boxes = found.boxes()
    assert boxes["000000000030.jpg"] == [(1, (1.0, 2.0, 30.0, 40.0))] * 2
    assert boxes["000000000009.jpg"] == [(0, (1.0, 2.0, 30.0, 40.0)), (2, (1.0, 2.0, 30.0, 40.0))]
    assert found.boxes("negative")["000000000009.jpg"] == [(0, (1.0, 2.0, 30.0, 40.0))]
    assert boxes["000000000042.jpg"] == []
    with pytest.raises(InputError, match="value of crowd"):
        found.labels("maybe")


def test_images_keep_the_order_of_the_file(instances):
    content = json.loads(instances.read_text())
    content["images"].reverse()
    instances.write_text(json.dumps(content))
    found = Instances(instances)
    assert [number for number, _ in found.images] == [42, 30, 25, 9]
    assert list(found.labels()) == [name for _, name in found.images]
    assert found.labels()["000000000030.jpg"] == {1}


def test_outlines_are_of_no_account(instances):
    """Polygons, or the run lengths of a crowd, are objects of their own inside an annotation."""
    content = json.loads(instances.read_text())
    before = Instances(instances).labels()
    for n, each in enumerate(content["annotations"]):
        outline = {"counts": [1, 2], "size": [3, 4]} if n % 2 else [[1, 2, 3, 4, 5, 6]]
        each["segmentation"] = outline
    instances.write_text(json.dumps(content))
    assert Instances(instances).labels() == before


@pytest.mark.parametrize("kept", [0, 1, 200, -1])
def test_an_instances_file_cut_short_is_one_line(instances, kept):
    instances.write_bytes(instances.read_bytes()[:kept])
    with pytest.raises(InputError, match="not JSON .*download it again") as caught:
        Instances(instances)
    assert "instances_val2017.json" in str(caught.value) and "\n" not in str(caught.value)


def test_an_instances_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"none.json: cannot be read .*benchmark data-root check"):
        Instances(tmp_path / "none.json")


@pytest.mark.parametrize(
    "change, named",
    [
        ({"categories": None}, "categories"),
        ({"images": [{"id": 9}]}, "images"),
        ({"images": [{"id": "9", "file_name": "9.jpg"}]}, "images"),
        ({"images": [{"id": n, "file_name": f"{n}.jpg"} for n in (9, 3, 9)]}, "images: 9 occurs"),
        ({"images": [{"id": n, "file_name": "1.jpg"} for n in (1, 2)]}, "1.jpg occurs twice"),
        ({"categories": [{"id": 1, "name": n} for n in "ab"]}, "categories: 1 occurs twice"),
        ({"annotations": [3]}, "annotations"),
        ({"annotations": [{"id": 77, "image_id": 9}]}, "id 77"),
        ({"annotations": [note(9, 2, id=8)]}, "id 8"),
        ({"annotations": [note(9, 1, id=8) | {"bbox": [1, 2]}]}, "id 8"),
    ],
)
def test_coco_errors_name_file_and_field(instances, change, named):
    instances.write_text(json.dumps(json.loads(instances.read_text()) | change))
    with pytest.raises(InputError, match=named) as caught:
        Instances(instances).labels()
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
    for name, text in objects.items():
        (tmp_path / "Annotations" / f"{name}.xml").write_text(f"<annotation>{text}</annotation>")
    return tmp_path


def test_voc_labels_with_difficult_both_ways(devkit):
    ids = ["000001", "000004", "000010"]
    sofa, car, person = (VOC_CLASSES.index(c) for c in ("sofa", "car", "person"))
    positive = {"000001": {person, sofa}, "000004": {car}, "000010": set()}
    assert voc_labels(devkit, ids) == positive
    assert voc_labels(devkit, ids, "negative") == positive | {"000001": {person}}
    boxes = voc_boxes(devkit, ids, "negative")
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
            voc_labels(devkit, ["000001"])
        assert "000001.xml" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        voc_labels(devkit, ["000999"])
    with pytest.raises(InputError, match="difficult"):
        voc_labels(devkit, [], "yes")


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
    labels = Instances(found[0]).labels()
    shared = set(labels) & set(listed)
    assert shared and all(labels[name] == listed[name] for name in shared)


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """The real samples as a data root, with the official lists restricted to them."""
    if not (ROOT.is_dir() and OFFICIAL.is_dir()):
        pytest.skip("the real samples and official lists (../shared) are not here")
    from benchmark.cli.splits import main as lists

    folder = tmp_path_factory.mktemp("real")
    for year in ("train2017", "val2017"):
        (folder / year).symlink_to(ROOT / "coco" / year)
    (folder / "annotations").mkdir()
    subset = folder / "annotations" / "instances_train2017.json"
    shutil.copy(ROOT / "coco" / "instances_train2017_subset.json", subset)
    fetch = ["fetch", "--data-root", str(folder), "--from", str(OFFICIAL), "--splits", "coco-lt"]
    assert lists(fetch) == 0 and lists(["restrict", "--data-root", str(folder)]) == 0
    return folder


def test_check_of_the_real_samples(real, capsys):
    """COCO's own boxes give the official labels; every photograph opens."""
    capsys.readouterr()
    assert check(["check", "--data-root", str(real), "--tasks", "coco-lt", "--decode"]) == 0
    out = capsys.readouterr().out
    assert "labels: all 2 lines equal annotations/instances_train2017.json" in out
    assert "val2017 has 128 of 5,000 images; all 128 listed are there" in out
    assert "decoding: 130 of 130 images" in out
    restriction = "restricted to 2 of 1,909 training and 128 of 5,000 test images"
    assert f"coco-lt: ready ({restriction}; labels not compared)" in out


def test_check_of_a_data_root_without_lists(real, capsys):
    assert check(["check", "--data-root", str(real), "--tasks", "coco-lt", "voc-lt"]) == 2
    out = capsys.readouterr().out
    assert "python -m benchmark splits fetch --data-root" in out
    assert "get VOCtrainval_11-May-2012.tar (1,999,639,040 bytes" in out
    assert "voc-lt: not ready (3 problems)" in out


def test_a_truncated_photograph_is_not_ready(real, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    for part in real.iterdir():
        (tmp_path / "data" / part.name).symlink_to(part)
    (tmp_path / "data" / "val2017").unlink()
    shutil.copytree(real / "val2017", tmp_path / "data" / "val2017")
    broken = tmp_path / "data" / "val2017" / "000000000139.jpg"
    broken.write_bytes(broken.read_bytes()[:40_000])
    flags = ["--data-root", str(tmp_path / "data"), "--tasks", "coco-lt", "--decode"]
    assert check(["check", *flags]) == 2
    out = capsys.readouterr().out
    assert "decoding: 129 of 130 images" in out and f"wrong   {broken}: cannot be read" in out
