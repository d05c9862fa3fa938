"""Official files: their readers, LaSO's episodes without unpickling, committed manifests."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.data import splits
from benchmark.data.official import derive, laso, published_lists, safe_pickle, sources, store
from benchmark.data.splits import lists, manifest
from tests.helpers import official_files as fakes

SHARED = environment.ROOT.parent / "shared" / "official_splits"
needs_official = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the official lists (../shared/official_splits) are not here"
)
NAMES = ("coco-fs", "coco-lt", "voc-fs", "voc-lt")


def complaint(call, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_class_names_hold_spaces_and_lines_end_in_them(tmp_path):
    path = write(tmp_path / "labels.txt", "stop sign 1 \nperson 0\nhair drier 2")
    assert published_lists.class_names(path) == ("person", "stop sign", "hair drier")
    write(path, "person 0\ncat 2\n")
    assert "without a gap" in complaint(published_lists.class_names, path)
    write(path, "person\n")
    assert "labels.txt:1" in complaint(published_lists.class_names, path)


def test_text_lists_keep_images_without_labels(tmp_path):
    path = write(tmp_path / "list.txt", "a/1.jpg 3 1 \na/2.jpg\na/3.jpg 0")
    found = published_lists.text_list(path, r"a/\d\.jpg", 4)
    assert found == [("a/1.jpg", (1, 3)), ("a/2.jpg", ()), ("a/3.jpg", (0,))]
    for text, wanted in (
        ("a/1.jpg 4\n", "list.txt:1: class indices must be integers from 0 to 3"),
        ("a/1.jpg 1\nb/1.jpg 1\n", "list.txt:2: 'b/1.jpg' is not of the form"),
        ("a/1.jpg 1\na/1.jpg 2\n", "'a/1.jpg' occurs twice"),
        ("a/1.jpg 1\n\n", "list.txt:2: empty line"),
        ("", "empty"),
        (b"\xff\xfe", "cannot be read"),
    ):
        assert wanted in complaint(published_lists.text_list, write(path, text), r"a/\d\.jpg", 4)
    assert "cannot be read" in complaint(published_lists.text_list, tmp_path / "no.txt", ".*", 4)


def test_tables_pad_the_numbers_of_images(tmp_path):
    path = write(tmp_path / "table.csv", "name,cat,dog\n5,0,1\n12,1,1\n")
    names, rows = published_lists.table(path, derive.VOC2007)
    assert names == ("cat", "dog")
    stem = "VOCdevkit/VOC2007/JPEGImages/"
    assert rows == [(f"{stem}000005.jpg", (1,)), (f"{stem}000012.jpg", (0, 1))]
    for text, wanted in (
        ("id,cat\n5,1\n", "table.csv:1: the header"),
        ("name,cat,dog\n5,1\n", "table.csv:2"),
        ("name,cat,dog\n5,2,0\n", "table.csv:2"),
        ("name,cat,dog\n5,1,0\n6,0,0\n", "table.csv:3"),
        ("name,cat,dog\nx,1,0\n", "table.csv:2"),
    ):
        assert wanted in complaint(published_lists.table, write(path, text), derive.VOC2007)


@pytest.mark.parametrize(
    "value", [[1], [], {}, [300, 70000, 0], {1: [2, 3], 79: [80000]}, {1: [], 2: [5]}]
)
def test_plain_pickles_are_read_without_unpickling(tmp_path, value, monkeypatch):
    path = write(tmp_path / "some.pkl", pickle.dumps(value, protocol=4))
    monkeypatch.setattr(pickle, "loads", None)
    monkeypatch.setattr(pickle, "load", None)
    assert safe_pickle.read(path) == value


class Evil:
    """Unpickling it would make a file."""

    def __reduce__(self):
        return Path.touch, (Path("evil"),)


@pytest.mark.parametrize(
    "value", [Evil(), [Evil()], {1: Evil()}, [1.5], ["text"], (1, 2), {1, 2}, [2**40], [True], None]
)
def test_other_pickles_are_refused_and_run_nothing(tmp_path, value, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "some.pkl", pickle.dumps(value, protocol=4))
    text = complaint(safe_pickle.read, path)
    assert "some.pkl: opcode" in text and "only lists of integers" in text
    assert not (tmp_path / "evil").exists()


def test_broken_pickles_are_bad_input(tmp_path):
    whole = pickle.dumps({1: [2, 3], 4: [5, 6]}, protocol=4)
    dice = random.Random(0)
    for cut in range(0, len(whole), 3):
        assert complaint(safe_pickle.read, write(tmp_path / "cut.pkl", whole[:cut]))
    for _ in range(100):
        broken = bytearray(whole)
        broken[dice.randrange(len(whole))] = dice.randrange(256)
        path = write(tmp_path / "broken.pkl", bytes(broken))
        try:
            assert isinstance(safe_pickle.read(path), (list, dict))
        except InputError as error:
            assert "broken.pkl" in str(error)
    assert "cannot be read" in complaint(safe_pickle.read, tmp_path / "none.pkl")


@pytest.fixture
def world(tmp_path, monkeypatch, capsys):
    """Made-up official files, pinned; (folder with them, a data root with annotations)."""
    made = fakes.install(tmp_path, monkeypatch.setattr)
    capsys.readouterr()
    return made, fakes.data_root(tmp_path)


def coco_files(made: Path) -> dict[str, Path]:
    table = sources.table(splits.FOLDER / "paper" / "sources.tsv")["coco-fs"]
    return {source.path: sources.Local(made).find(source) for source in table}


def test_episodes_are_decoded_with_the_annotations(world):
    made, root = world
    found = derive.lists_of("coco-fs", coco_files(made), root)
    content = fakes.instances("train2014")
    names = [f"train2014/{image['file_name']}" for image in content["images"]]
    for file, stem in laso.EPISODES.items():
        used = safe_pickle.read(made / "a/laso" / f"{stem}UsedIndices.pkl")
        rows = [(names[n], fakes.labels(n)) for n in used]
        expected = [(p, tuple(k for k in ks if k in fakes.NOVEL)) for p, ks in rows]
        assert found.files[file] == expected
    base = dict(found.files["base_train.txt"])
    assert set(k for ks in base.values() for k in ks) == {0, 2, 4}
    everything = [fakes.labels(n) for n in range(fakes.TRAIN2014)]
    assert len(base) == sum(bool(set(ks) & {0, 2, 4}) for ks in everything)
    test = found.files["novel_test.txt"]
    assert [ks for _, ks in test] == [
        kept for ks in everything if (kept := tuple(k for k in ks if k in fakes.NOVEL))
    ]
    numbers = [int(path[-8:-4]) for path, _ in test]
    assert numbers == sorted(numbers, reverse=True)  # the file's order, not that of the ids


def test_another_order_of_images_is_noticed(world):
    made, root = world
    content = json.loads((root / laso.TRAIN).read_text())
    content["images"].sort(key=lambda image: image["id"])
    (root / laso.TRAIN).write_text(json.dumps(content))
    text = complaint(derive.lists_of, "coco-fs", coco_files(made), root)
    assert "not the one that LaSO used" in text and "field images: position" in text


def test_wrong_annotations_are_named(world):
    made, root = world
    files, path = coco_files(made), root / laso.TEST
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole | {"annotations": whole["annotations"][1:]}))
    assert "40 images and" in complaint(derive.lists_of, "coco-fs", files, root)
    renamed = [c | {"name": c["name"] + "s"} for c in whole["categories"]]
    path.write_text(json.dumps(whole | {"categories": renamed}))
    assert "field categories" in complaint(derive.lists_of, "coco-fs", files, root)
    path.write_text(json.dumps(whole)[:500])
    assert "instances_val2014.json: not JSON" in complaint(derive.lists_of, "coco-fs", files, root)


def test_files_that_do_not_fit_together_are_refused(world):
    made, _ = world
    files = coco_files(made)
    stem = laso.EPISODES["episodes/1-shot-03.txt"]
    used = files[f"{stem}UsedIndices.pkl"]
    whole = safe_pickle.read(used)
    for content, wanted in (
        (whole[1:], "is not in"),
        ([*whole, 999], "has no class"),
        (whole * 2, "must be lists of positions"),
        ({1: [2], 2: [3]}, "must be lists of positions"),
    ):
        used.write_bytes(pickle.dumps(content, protocol=4))
        assert wanted in complaint(laso.episodes, files, 5)


def test_manifests_know_what_needs_no_annotations(world):
    raw = splits.committed("coco-fs", "paper").raw
    assert raw["train_counts"] is raw["test_counts"] is None
    assert raw["files"]["base_train.txt"] == dict.fromkeys(("sha256", "images", "labels"))
    assert raw["files"]["episodes/5-shot-10.txt"]["images"] == 6
    assert raw["annotations"] == laso.SIZES
    raw = splits.committed("voc-lt", "paper").raw
    assert raw["groups"]["tail"] == raw["classes"] and sum(raw["train_counts"]) == 80


@needs_official
def test_committed_manifests_follow_from_the_official_files(tmp_path):
    store.pin(SHARED, tmp_path)
    for name in NAMES:
        committed = splits.FOLDER / "paper" / name / "manifest.json"
        assert (tmp_path / name / "manifest.json").read_bytes() == committed.read_bytes()


def test_committed_manifests_go_with_the_miniature():
    """The same classes, groups, protocol and list files; the training counts where known."""
    assert splits.names("paper") == list(NAMES)
    for name in NAMES:
        small = splits.committed(name, "miniature").raw
        large = splits.committed(name, "paper").raw
        for field in ("classes", "groups", "setting", "dataset"):
            assert large[field] == small[field], (name, field)
        development = [lists.DEVELOPMENT[small["setting"]]]  # the miniature alone has them
        if small["setting"] == "few-shot":
            development += [f"dev-{name}" for name in lists.EPISODES]
        assert set(development) <= set(small["files"])
        shared = [name for name in small["files"] if name not in development]
        assert list(large["files"]) == shared
        assert small["protocol"].items() <= large["protocol"].items()
        if name.endswith("-lt"):
            assert large["train_counts"] == small["train_counts"]
        for source in sources.of(large):
            assert len(source.sha256) == 64 and len(source.commit) == 40 and source.bytes > 0
            assert source.licence and source.repository.count("/") == 1
    assert sorted(p.name for p in (splits.FOLDER / "paper").rglob("*") if p.is_file()) == [
        "captions.tsv",
        *["manifest.json"] * 4,
        "sources.tsv",
    ]  # no list of others is committed


def test_committed_numbers_are_the_published_ones():
    facts = {
        "coco-lt": {"train.txt": (1909, 8316), "test.txt": (5000, 14631)},
        "voc-lt": {"train.txt": (1142, 2346), "test.txt": (4952, 7632)},
        "voc-fs": {"base_train.txt": (3575, 5038), "novel_test.txt": (926, 994)},
    }
    for name, files in facts.items():
        raw = splits.committed(name, "paper").raw
        found = {f: (raw["files"][f]["images"], raw["files"][f]["labels"]) for f in files}
        assert found == files
    files = splits.committed("coco-fs", "paper").raw["files"]
    images = [files[f"episodes/1-shot-{run:02d}.txt"]["images"] for run in range(1, 11)]
    assert images == [12, 14, 12, 12, 12, 14, 14, 16, 14, 16]
    images = [files[f"episodes/5-shot-{run:02d}.txt"]["images"] for run in range(1, 11)]
    assert images == [64, 60, 60, 64, 58, 56, 56, 62, 58, 64]


def official_lists(name: str) -> derive.Lists:
    """A split's lists from ../shared, without annotations."""
    origins, local = sources.of(splits.committed(name, "paper").raw), sources.Local(SHARED)
    return derive.lists_of(name, {s.path: local.find(s) for s in origins}, None)


@needs_official
@pytest.mark.parametrize("name", ["coco-lt", "voc-lt"])
def test_lists_agree_with_the_authors_own_labels_and_groups(name):
    """LMPT's labels are DistributionBalancedLoss's, joined by id, and so are the groups."""
    found = official_lists(name)
    theirs = (SHARED / name / "derived" / "train_labels_dbl_order.txt").read_text().splitlines()
    expected = {line.split()[0]: tuple(map(int, line.split()[1:])) for line in theirs}
    ours = {Path(path).stem: labels for path, labels in found.files["train.txt"]}
    ours = {key.lstrip("0") if name == "coco-lt" else key: v for key, v in ours.items()}
    assert ours == expected
    groups = json.loads((SHARED / name / "derived" / "class_split.json").read_text())
    assert {g: sorted(ks) for g, ks in found.groups.items()} == {
        g: sorted(groups[g]) for g in ("head", "medium", "tail")
    }
    unlabelled = sum(not labels for _, labels in found.files["test.txt"])
    assert unlabelled == (48 if name == "coco-lt" else 0)


@needs_official
def test_voc_few_shot_follows_its_rule():
    """Exactly k positives of each novel class; images with classes of both groups are dropped."""
    found = official_lists("voc-fs")
    novel = set(found.groups["novel"])
    truth = {}
    for part in ("trainval", "test"):
        path = SHARED / "voc2007-labels" / "derived" / f"voc2007_{part}_labels_nodifficult.txt"
        lines = [line.split() for line in path.read_text().splitlines()]
        truth[part] = {
            f"VOCdevkit/VOC2007/JPEGImages/{number}.jpg": tuple(map(int, labels))
            for number, *labels in lines
        }
    assert dict(found.files["base_train.txt"]) == {
        path: labels for path, labels in truth["trainval"].items() if not set(labels) & novel
    }
    assert dict(found.files["novel_test.txt"]) == {
        path: labels for path, labels in truth["test"].items() if set(labels) <= novel
    }
    for file, rows in found.files.items():
        if file.startswith("episodes/"):
            assert all(truth["trainval"][path] == labels for path, labels in rows)
            counts = np.array(lists.counts(rows, 20))[sorted(novel)]
            assert (counts == int(file.split("/")[1][0])).all()


@needs_official
def test_laso_episodes_are_those_decoded_elsewhere(tmp_path, monkeypatch):
    """All 20 episodes, with an annotation file of 82,783 images made so that they hold."""
    origins, local = sources.of(splits.committed("coco-fs", "paper").raw), sources.Local(SHARED)
    files = {source.path: local.find(source) for source in origins}
    classes = published_lists.class_names(files["data/coco/coco_labels.txt"])
    episodes = laso.episodes(files, 80)
    expected = json.loads((SHARED / "laso" / "derived" / "episodes.json").read_text())
    labels: dict[int, set[int]] = {}
    for file, stem in laso.EPISODES.items():
        theirs = expected[Path(stem).name]
        assert list(episodes[file]) == theirs["used_positions"]
        for k, positions in theirs["class_to_positions"].items():
            for n in positions:
                labels.setdefault(n, set()).add(int(k))
        by_class = [(int(k), n) for k, ns in theirs["class_to_positions"].items() for n in ns]
        ours = [(k, n) for n, ks in episodes[file].items() for k in ks]
        assert sorted(ours) == sorted(by_class)
    dice = random.Random(0)
    base = dice.sample(range(80), 64)  # LaSO's own rule for the classes
    assert laso.novel(episodes) == tuple(k for k in range(80) if k not in base)

    content = {"categories": [{"id": k + 1, "name": name} for k, name in enumerate(classes)]}
    box = {"bbox": [0, 0, 9, 9], "area": 81}
    content["images"] = [{"id": n, "file_name": f"{n}.jpg"} for n in range(82783)]
    content["annotations"] = [
        box | {"image_id": n, "category_id": k + 1} for n, ks in labels.items() for k in sorted(ks)
    ]
    size = {"images": 82783, "annotations": len(content["annotations"])}
    monkeypatch.setattr(laso, "SIZES", {laso.TRAIN: size, laso.TEST: size})
    for name in (laso.TRAIN, laso.TEST):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    found = laso.rows(tmp_path, episodes, classes)
    raw = splits.committed("coco-fs", "paper").raw
    for file, episode in episodes.items():
        assert [path for path, _ in found[file]] == [f"train2014/{n}.jpg" for n in episode]
        info = lists.info(found[file])
        assert manifest.difference(info, raw["files"][file]) is None
