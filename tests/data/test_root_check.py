"""`python -m benchmark data-root check` on a small data root made by hand, and on the real samples.

The official numbers of images stand in PARTS; here they are replaced by those of the small root.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from benchmark.cli.data_root import main
from benchmark.common import environment
from benchmark.data import splits
from benchmark.data.root_check.archives import PARTS
from benchmark.data.root_check.check import Line, differences
from tests.helpers.data_roots import LISTS, Root, write_instances


@pytest.fixture
def root(tmp_path, monkeypatch, capsys) -> Root:
    found = Root(tmp_path, capsys)
    found.install(monkeypatch)
    return found


def test_a_whole_data_root_is_ready(root):
    code, out, _ = root.check("--tasks", "coco-lt", "coco-fs-1,coco-fs-5", "voc-fs-1")
    assert code == 0, out
    assert out.splitlines()[-4:] == [
        *("coco-lt: ready", "coco-fs-1: ready", "coco-fs-5: ready", "voc-fs-1: ready")
    ]
    assert "val2017 has 2 images; all 2 listed are there" in out
    assert "instances_val2017.json has 2 images and 1 annotations" in out
    assert "labels: all 2 lines equal annotations/instances_val2017.json (crowds positive)" in out
    assert "all 3 lines equal annotations/instances_train2014.json (crowds negative)" in out
    assert "Annotations (difficult objects negative)" in out
    assert out.count("coco-fs (tasks: coco-fs-1, coco-fs-5)") == 1


def test_a_missing_image_is_named_with_what_to_get(root):
    (root.folder / "val2017" / "4.jpg").unlink()
    code, out, _ = root.check("--tasks", "coco-lt", "voc-fs-5")
    assert code == 2 and "1 of 2 listed images, first val2017/4.jpg" in out
    assert "val2017.zip (815,585,330 bytes, md5 442b8da7639aecaf257c1dceb8ba8c80)" in out
    assert "https://cocodataset.org/#download" in out
    assert out.endswith("coco-lt: not ready (1 problem)\nvoc-fs-5: ready\n")


def test_an_archive_is_described_once(root):
    shutil.rmtree(root.folder / "VOCdevkit")
    code, out, _ = root.check("--tasks", "voc-fs-1")
    assert code == 2 and out.count("get VOCtrainval_06-Nov-2007.tar (460,032,000 bytes") == 1
    assert "Annotations: labels not compared: it is in VOCtest_06-Nov-2007.tar, see above" in out


def test_a_folder_whose_archive_lies_there_is_to_be_unpacked(root):
    shutil.rmtree(root.folder / "val2017")
    archive = root.folder / "val2017.zip"
    archive.write_bytes(b"12345")
    code, out, _ = root.check("--tasks", "coco-lt")
    assert code == 2 and "val2017.zip has 5 of 815,585,330 bytes; download it completely" in out
    os.truncate(archive, 815_585_330)  # sparse: takes no room
    assert f"unpack val2017.zip in {root.folder}" in root.check("--tasks", "coco-lt")[1]


def test_a_split_that_is_not_fetched_is_missing_and_the_rest_is_still_checked(root):
    del root.splits["coco-fs"]
    (root.folder / "annotations" / "instances_val2014.json").unlink()
    code, out, _ = root.check("--tasks", "coco-fs-1")
    assert code == 2 and "missing split: coco-fs: not fetched; run python -m benchmark" in out
    assert "ok      images: train2014 has 2 images" in out
    assert "missing annotations: annotations/instances_val2014.json: get annotations_trainv" in out
    (root.folder / "cimlic-splits" / "coco-fs").mkdir(parents=True)
    (root.folder / "cimlic-splits" / "coco-fs" / "manifest.json").write_text("{")
    assert "wrong   split: coco-fs" in root.check("--tasks", "coco-fs-1")[1]


def test_a_changed_list_is_wrong(root):
    path = root.splits["coco-lt"].folder / "test.txt"
    path.write_text("val2017/3.jpg 0\nval2017/5.jpg\n")
    code, out, _ = root.check("--tasks", "coco-lt")
    assert code == 2 and "test.txt: sha256 differs from manifest.json" in out


def test_without_annotations_a_task_runs_but_its_labels_are_not_compared(root):
    (root.folder / "annotations" / "instances_train2017.json").unlink()
    shutil.rmtree(root.folder / "VOCdevkit" / "VOC2007" / "Annotations")
    code, out, _ = root.check("--tasks", "coco-lt", "voc-fs-1")
    assert code == 0 and "coco-lt: ready (labels not compared)" in out
    assert "voc-fs-1: ready (labels not compared)" in out and "md5 c52e279531787c972589f7e" in out


def test_the_first_five_label_differences_are_listed_and_all_are_counted(root):
    labels = {str(n): {1} for n in range(10, 17)}
    lines = [Line("train.txt", f"train2017/{name}.jpg", (0, 2)) for name in labels]
    for line in lines:
        root.draw(line.path)
    write_instances(root.folder / "annotations" / "instances_train2017.json", labels)
    split = root.splits["coco-lt"]
    derived = {f"{name}.jpg": found for name, found in labels.items()}
    apart = differences(split, lines, derived)
    assert len(apart) == 7
    assert apart[0] == "train2017/10.jpg in train.txt: list ant, cat, annotations bee"
    path = split.folder / "train.txt"
    path.write_text("".join(f"{line.path} 0 2\n" for line in lines))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    split.files["train.txt"] = splits.FileInfo(digest, 7, 14)
    code, out, _ = root.check("--tasks", "coco-lt")
    assert code == 2 and "7 of 7 lines differ" in out and "the first 5" in out
    assert "14.jpg in train" in out and "15.jpg in train" not in out


def test_differences_of_images_without_labels_or_annotations(root):
    split = root.splits["coco-lt"]
    lines = [Line("test.txt", *row) for row in LISTS["coco-lt"]["test.txt"]]
    assert differences(split, lines, {"3.jpg": {0}, "4.jpg": set()}) == []
    assert differences(split, lines, {"3.jpg": set(), "4.jpg": {1}}) == [
        "val2017/3.jpg in test.txt: list ant, annotations none",
        "val2017/4.jpg in test.txt: list none, annotations bee",
    ]
    assert "no such image" in differences(split, lines, {"3.jpg": {0}})[0]


def test_only_coco_few_shot_lists_mask_the_other_group(root):
    root.xml("000002", [(7, 0), (6, 0)])  # as above, but the car is not difficult
    code, out, _ = root.check("--tasks", "coco-fs-1", "voc-fs-1")
    assert code == 2 and "coco-fs-1: ready" in out and "voc-fs-1: not ready" in out
    assert "000002.jpg in episodes/1-shot-01.txt: list cat, annotations car, cat" in out


def test_xml_files_that_are_missing_are_counted(root):
    (root.folder / "VOCdevkit" / "VOC2007" / "Annotations" / "000003.xml").unlink()
    code, out, _ = root.check("--tasks", "voc-fs-1")
    assert code == 2 and "has 2 files but not 000003.xml and 0 more" in out


def test_an_instances_file_cut_short_is_one_line(root):
    path = root.folder / "annotations" / "instances_val2017.json"
    path.write_bytes(path.read_bytes()[:-20])
    code, out, _ = root.check("--tasks", "coco-lt")
    assert code == 2 and "instances_val2017.json: not JSON" in out and "download it again" in out
    assert "ok      labels: all 2 lines equal annotations/instances_train2017.json" in out


def test_other_counts_are_wrong_but_a_note_within_a_restriction(root):
    write_instances(
        root.folder / "annotations" / "instances_val2017.json", {"3": {0}, "4": {}, "5": {}}
    )
    code, out, _ = root.check("--tasks", "coco-lt")
    assert code == 2
    assert "wrong   annotations: annotations/instances_val2017.json has 3 images and 1 ann" in out
    restriction = "2 of 1,909 training and 2 of 5,000 test images"
    root.splits["coco-lt"] = dataclasses.replace(root.splits["coco-lt"], restriction=restriction)
    code, out, _ = root.check("--tasks", "coco-lt")
    assert code == 0 and "note    annotations" in out
    assert "coco-lt: ready (restricted to 2 of 1,909 training and 2 of 5,000 test images)" in out


def test_other_categories_are_wrong(root):
    path = root.folder / "annotations" / "instances_val2017.json"
    path.write_text(path.read_text().replace("bee", "wasp"))
    code, out, _ = root.check("--tasks", "coco-lt")
    assert code == 2 and "field categories: not the split's 3 classes: get annotations_tr" in out


def test_decode_opens_every_image_and_counts_the_unusual(root):
    turned = Image.Exif()
    turned[0x0112] = 6
    root.draw("train2017/1.jpg", "L")
    root.draw("train2017/2.jpg", "CMYK", exif=turned)
    assert "2 of 2 images" not in root.check("--tasks", "coco-lt")[1]
    code, out, _ = root.check("--tasks", "coco-lt", "--decode", "--workers", "2")
    read = "decoding: 4 of 4 images, 1 grayscale, 1 CMYK, 1 turned by EXIF"
    assert code == 0 and f"ok      {read}" in out
    whole = root.draw("val2017/3.jpg").read_bytes()
    (root.folder / "val2017" / "3.jpg").write_bytes(whole[: len(whole) // 2])
    code, out, _ = root.check("--tasks", "coco-lt", "--decode")
    assert code == 2 and "decoding: 3 of 4 images" in out and "val2017/3.jpg: cannot be read" in out


def test_bad_flags_are_one_line(root, monkeypatch):
    monkeypatch.delenv("CIMLIC_DATA_ROOT", raising=False)
    for arguments, named in (
        (["check"], "--data-root"),
        (["check", "--data-root", str(root.folder / "nowhere")], "no such folder"),
        (["check", "--data-root", str(root.folder), "--tasks", "coco-tl"], "did you mean 'coco-lt"),
        (["check", "--data-root", str(root.folder), "--workers", "0"], "--workers 0"),
        (["chekc"], "check"),
    ):
        assert main(arguments) == 2
        error = root.capsys.readouterr().err
        assert error.startswith("error: ") and named in error and error.count("\n") == 1


def test_a_folder_without_read_permission_is_one_line(capsys):
    folder = Path(tempfile.mkdtemp())  # not below tmp_path, which other users may not enter
    was_root = hasattr(os, "geteuid") and os.geteuid() == 0
    try:
        (folder / "train2017").mkdir()
        main(["check", "--data-root", str(folder)])  # imports what it needs, while it may
        assert "Permission denied" not in capsys.readouterr().out
        folder.chmod(0o755)
        (folder / "train2017").chmod(0)
        if was_root:
            os.seteuid(65534)  # root may read everything
        if os.access(folder / "train2017", os.R_OK, effective_ids=True):
            pytest.skip("this system lets everybody read everything")
        assert main(["check", "--data-root", str(folder), "--tasks", "coco-lt"]) == 2
        out = capsys.readouterr().out
        assert f"wrong   {folder}/train2017: cannot be read (Permission denied); give" in out
        if was_root:
            os.seteuid(0)
        folder.chmod(0)
        if was_root:
            os.seteuid(65534)
        assert main(["check", "--data-root", str(folder)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {folder}: cannot be read (Permission denied)")
        assert error.count("\n") == 1
    finally:
        if was_root:
            os.seteuid(0)
        folder.chmod(0o755)
        (folder / "train2017").chmod(0o755)
        shutil.rmtree(folder)


def test_the_command_does_not_import_torch(tmp_path):
    code = (
        "import sys; from benchmark.data.root_check import decode; "
        "from benchmark.cli.data_root import main; "
        f"main(['check', '--data-root', {str(tmp_path)!r}]); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("voc-fs-5: not ready (3 problems)\nFalse\n"), done


def test_the_guide_names_every_archive():
    guide = (environment.ROOT / "docs" / "paper-scale.md").read_text()
    archives = {part.archive for parts in PARTS.values() for part in parts}
    archives |= {part.annotations_archive for parts in PARTS.values() for part in parts}
    for each in archives:
        assert f"| `{each.name}` | {each.size:,} | `{each.md5}` |" in guide and each.page in guide
