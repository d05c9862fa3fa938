"""From a labels file and choices to splits that are read like the official ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmark.common.errors import InputError
from benchmark.data import splits, tasks
from benchmark.data.own import make
from benchmark.data.own.choices import Choices
from benchmark.data.splits import lists
from tests.helpers import own_files
from tests.helpers.own_tables import alone, names, together

CLASSES = ("Effusion", "Mass", "Nodule", "Edema", "Hernia", "Fibrosis")
ROWS = together(240, 6)
FEW = {"few_shot": True, "novel": ("Mass", "Edema"), "shots": (2, 1), "episodes": 3}


@pytest.fixture(scope="module")
def brought(tmp_path_factory) -> Path:
    """A folder with pictures/ and all.csv."""
    folder = tmp_path_factory.mktemp("brought")
    own_files.write(folder, ROWS, CLASSES)
    return folder


@pytest.fixture
def root(brought, tmp_path) -> Path:
    """A data root of the test's own, with those pictures and that file."""
    (tmp_path / "pictures").symlink_to(brought / "pictures")
    (tmp_path / "all.csv").write_bytes((brought / "all.csv").read_bytes())
    return tmp_path


def made(root: Path, file: str = "all.csv", name: str = "xray", **choices) -> make.Made:
    return make.make(name, root, root / file, root, Choices(**choices))


def lines(root: Path, split: str, file: str) -> dict[str, tuple[str, ...]]:
    """Path -> class names, of a list file."""
    read = splits.read(split, "paper", root)
    return {p: tuple(read.classes[k] for k in ks) for p, ks in splits.entries(read, file)}


def manifest(root: Path, split: str) -> dict:
    return json.loads((splits.fetched(split, root) / "manifest.json").read_text())


def test_two_splits_that_make_tasks(root):
    found = made(root, **FEW)
    assert found.tasks == ("xray-lt", "xray-fs-1", "xray-fs-2")
    assert found.written == tuple(found.folders) == ("xray-lt", "xray-fs")
    assert tasks.own(root) == [
        f"xray-{t}{h}" for t in ("fs-1", "fs-2", "lt") for h in ("", "-holdout")
    ]
    train, test = (lines(root, "xray-lt", f"{part}.txt") for part in ("train", "test"))
    assert {p: set(ks) for p, ks in (train | test).items()} == {
        path: {CLASSES[k] for k in labels} for path, labels in ROWS
    }
    assert len(train) + len(test) == 240 and len(test) == pytest.approx(48, abs=5)
    few = tasks.load("xray-fs-2", "paper", root, 3)
    assert few.class_names == ("Edema", "Mass") and few.train.labels.sum(0).min() >= 2
    assert set(few.train.images.paths) | set(few.base.images.paths) <= set(train)
    assert set(few.test.images.paths) <= set(test)
    for name in found.tasks:
        holdout = tasks.load(f"{name}-holdout", "paper", root, None if "lt" in name else 1)
        assert set(holdout.train.images.paths) | set(holdout.test.images.paths) <= set(train)


def test_the_manifest(root):
    made(
        root,
        **FEW,
        names={"Mass": "a tumour"},
        template="an x-ray with {}",
        groups="thirds",
        seed=7,
    )
    raw, few = manifest(root, "xray-lt"), manifest(root, "xray-fs")
    head = {"name": "xray-lt", "scale": "paper", "version": 1, "setting": "long-tailed"}
    assert list(raw.items())[:5] == [*head.items(), ("dataset", "xray")]
    assert raw["classes"] == ["Edema", "Effusion", "Fibrosis", "Hernia", "a tumour", "Nodule"]
    assert [len(group) for group in raw["groups"].values()] == [2, 2, 2]
    assert few["groups"]["novel"] == ["Edema", "a tumour"]
    assert few["protocol"] == {"source": "own data", "mixed": "kept", "shots": "at least"}
    own = raw["own"]
    assert own["template"] == few["own"]["template"] == "an x-ray with {}"
    assert own["names"] == {"Mass": "a tumour"} and own["like"]["dataset"] == "voc"
    counts = sorted(raw["train_counts"], reverse=True)
    assert own["grouping"] == [counts[1], counts[3]]
    assert own["like"]["imbalance"] == round(counts[0] / counts[-1], 1)
    told = own["made"]
    assert (told["images"], told["labels"], told["seed"]) == (".", "all.csv", 7)
    assert told["labels_sha256"] == lists.sha256((root / "all.csv").read_bytes())
    assert (told["test_share"], told["test_labels"], told["groups"]) == (0.2, None, "thirds")
    told = few["own"]["made"]
    assert (told["novel"], told["shots"], told["episodes"]) == (["Edema", "Mass"], [1, 2], 3)
    assert str(root) not in json.dumps([raw, few])


def test_what_is_chosen_for_one_split_leaves_the_other_as_it_is(root):
    made(root)
    before = manifest(root, "xray-lt")
    assert made(root, **FEW).written == ("xray-fs",)
    assert made(root, **FEW | {"novel": ("Mass",)}, replace=True).written == ("xray-fs",)
    few = manifest(root, "xray-fs")
    found = made(root, long_tailed=(40, 2), groups=(20, 5), replace=True)
    assert found.written == ("xray-lt",) and "xray-fs: is there from an earlier" in str(found.notes)
    assert manifest(root, "xray-fs") == few and manifest(root, "xray-lt") != before
    assert made(root, replace=True).written and manifest(root, "xray-lt") == before


def test_a_long_tail_is_drawn_from_the_training_part_alone(root):
    made(root, **FEW)
    whole, few = manifest(root, "xray-lt"), manifest(root, "xray-fs")
    found = made(root, long_tailed=(30, 3), replace=True, **FEW)
    raw = manifest(root, "xray-lt")
    assert raw["files"]["test.txt"] == whole["files"]["test.txt"]
    assert raw["own"]["made"]["long_tailed"] == "pareto:30:3"
    assert max(raw["train_counts"]) <= 32 < max(whole["train_counts"])
    assert manifest(root, "xray-fs") == few
    assert re.search(r"long tail: \d+ of 19\d training images are drawn", str(found.notes))


def test_a_file_of_test_images(root):
    rows = [(f"test/{n}.jpg", labels) for n, (_, labels) in enumerate(together(30, 3, 1))]
    own_files.write(root, rows, ("Nodule", "Effusion", "Mass"), "test.csv")
    found = made(root, test_labels=root / "test.csv", seed=3)
    assert [table.source.name for table in found.tables] == ["all.csv", "test.csv"]
    assert len(lines(root, "xray-lt", "train.txt")) == 240
    wanted = {p: {("Nodule", "Effusion", "Mass")[k] for k in ks} for p, ks in rows}
    assert {p: set(ks) for p, ks in lines(root, "xray-lt", "test.txt").items()} == wanted
    assert any(
        note.startswith("xray-lt: no test image has Edema, Fibrosis, Hernia: no AP, NaN")
        for note in found.notes
    )
    told = manifest(root, "xray-lt")["own"]["made"]
    assert (told["test_share"], told["test_labels"]) == (None, "test.csv")


def test_a_file_of_test_images_that_is_wrong(root):
    own_files.write(root, [("test/1.jpg", (0,)), ROWS[5]], CLASSES, "test.csv")
    said = f"{root}/test.csv:3: '{ROWS[5][0]}' is for training too ({root}/all.csv:7); take"
    with pytest.raises(InputError, match=re.escape(said)):
        made(root, test_labels=root / "test.csv")
    own_files.write(root, [("test/1.jpg", (1,)), ("test/2.jpg", ())], ("a", "mass"), "test.csv")
    with pytest.raises(InputError, match=f"{root}/test.csv: class 'mass' is not in {root}/all.csv"):
        made(root, test_labels=root / "test.csv")
    assert not (root / "cimlic-splits").exists()


@pytest.mark.parametrize(
    "choices, line",
    [
        ({"novel": ("Mas",)}, "--novel: unknown class 'Mas'; did you mean 'Mass'?"),
        ({"novel": CLASSES}, "--novel: names all classes; leave some as base classes"),
        ({"shots": (99,)}, "--shots 99: novel class 'Edema' has only"),
        ({"names": {"Mas": "x"}}, "names: 'Mas' is no class of the labels"),
        ({"names": {"Mass": "x<y"}}, "class 'Mass': its name 'x<y' has <, which CLIP"),
        ({"names": {"Mass": "edema"}}, "class 'Mass': its name 'edema' reads as class 'Edema'"),
    ],
)
def test_choices_that_the_labels_do_not_allow(root, choices, line):
    with pytest.raises(InputError, match=f"^{re.escape(line)}"):
        made(root, **FEW | choices)
    assert not (root / "cimlic-splits").exists()


def test_names_that_do_not_suit_what_is_to_read_them(root):
    def check(class_names, template):
        raise InputError(f"{class_names[0]} {template}")

    with pytest.raises(InputError, match="Edema a {}"):
        make.make("xray", root, root / "all.csv", root, Choices(template="a {}"), check)
    assert not (root / "cimlic-splits").exists()


def test_too_few_images_for_two_parts(tmp_path):
    file = own_files.write(tmp_path, [("a.jpg", (0,)), ("b.jpg", ())], ("x",))
    with pytest.raises(InputError, match="--test-share 0.01: of 2 images, 2 would be for training"):
        make.make("few", tmp_path, file, tmp_path, Choices(test_share=0.01))


def test_notes_are_of_what_is_rare_or_absent(tmp_path):
    rows = [*alone(120, 30, 3, 1), ("bare/1.jpg", ()), ("bare/2.jpg", ())]
    classes = names(4)
    own_files.write(tmp_path, rows, classes)
    notes = made(tmp_path, few_shot=True, novel=classes[2:3], shots=(2,)).notes
    assert "xray-lt: no test image has class 003: no AP, NaN in tables" in notes
    assert "xray-lt: fewer than 5 training images have class 002 (2), class 003 (1)" in notes
    assert [n for n in notes if n.endswith("have no label") and n.startswith("xray-lt")]
    assert not any(n.startswith("xray-fs") for n in notes)
    notes = made(tmp_path, "all.csv", "other", long_tailed=(60, 5), groups=(9, 1)).notes
    assert "fewer training images than wanted have class 002 (2 of 6), class 003 (1 of 5)" in str(
        notes
    )
    assert "other-lt: groups without a class: tail; --groups HEAD,TAIL or" in str(notes)


def test_a_data_root_that_may_not_be_written(root):
    (root / "cimlic-splits").write_text("a file")
    with pytest.raises(InputError, match=f"cannot be written .*--data-root {root} must be"):
        made(root)
