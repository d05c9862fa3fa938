"""The split files: official counts and statistics, verified hashes, one-line errors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.data import splits
from benchmark.data.splits import lists
from benchmark.miniature import label_sets, label_statistics, sampling, split_lists

OFFICIAL = environment.ROOT.parent / "shared" / "official_splits"
# Training positives of COCO-LT and VOC-LT, in class order (DistributionBalancedLoss, class_freq).
COCO_LT = """1128 37 276 32 9 41 18 87 20 50 11 13 8 97 19 49 70 17 7 10 8 6 7 7 100 39 189 31 24 11
12 8 35 10 25 21 17 10 20 460 84 498 126 207 173 366 39 35 44 36 29 25 14 45 16 73 585 153 164 44
624 25 200 137 70 89 73 127 91 175 9 237 119 292 87 113 15 21 6 11"""
VOC_LT = "6 34 8 14 154 17 249 29 479 4 240 48 11 20 775 100 5 82 7 64"


def matrix(rows: list, classes: int) -> np.ndarray:
    found = np.zeros((len(rows), classes), int)
    for n, (_, indices) in enumerate(rows):
        found[n, list(indices)] = 1
    return found


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    def ranks(x: np.ndarray) -> np.ndarray:
        _, inverse, count = np.unique(x, return_inverse=True, return_counts=True)
        return (np.cumsum(count) - count / 2)[inverse]

    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


@pytest.mark.parametrize(
    "name, counts, images, sizes",
    [("coco-lt", COCO_LT, 1909, (22, 33, 25)), ("voc-lt", VOC_LT, 1142, (6, 6, 8))],
)
def test_long_tailed_counts_are_the_official_ones(name, counts, images, sizes):
    split = splits.read(name, "miniature")
    rows = splits.entries(split, "train.txt")
    counts = np.array(counts.split(), int)
    assert len(rows) == images
    assert (matrix(rows, len(split.classes)).sum(0) == counts).all()
    assert split.train_counts == tuple(counts)
    assert tuple(map(len, split.groups.values())) == sizes
    assert (counts[list(split.groups["head"])] >= 100).all()
    assert (counts[list(split.groups["tail"])] < 20).all()


def test_every_list_file_is_that_of_its_manifest():
    assert splits.names("miniature") == ["coco-fs", "coco-lt", "voc-fs", "voc-lt"]
    for name in splits.names("miniature"):
        split = splits.read(name, "miniature")
        on_disk = {str(p.relative_to(split.folder)) for p in split.folder.rglob("*.txt")}
        assert on_disk == set(split.files)
        lists = list(split.files)[:2]
        for file, counts in zip(lists, (split.train_counts, split.test_counts), strict=True):
            rows = splits.entries(split, file)
            assert tuple(matrix(rows, len(split.classes)).sum(0)) == counts
            assert len({path for path, _ in rows}) == len(rows)
        for file in split.files:
            splits.entries(split, file)


def test_labels_per_image_and_pairs_follow_the_official_statistics():
    facts = label_statistics.read()
    for name, source in (("coco-lt", "coco-lt-train"), ("voc-lt", "voc-lt-train")):
        split, official = (
            splits.read(name, "miniature"),
            label_statistics.statistics_of(facts, source),
        )
        labels_ = matrix(splits.entries(split, "train.txt"), len(split.classes))
        found = label_statistics.measure(labels_)
        upper = np.triu_indices(len(split.classes), 1)
        assert (found.histogram == official.histogram).all()
        assert abs(found.pairs - official.pairs).max() <= 2
        assert spearman(found.pairs[upper], official.pairs[upper]) > 0.9
        with_tail = labels_[labels_[:, split.groups["tail"]].any(1)]
        assert with_tail[:, split.groups["head"]].any(1).mean() > 0.95


def test_test_sets_follow_the_official_statistics():
    facts = label_statistics.read()
    for name, source in (("coco-lt", "coco-val2017"), ("voc-lt", "voc2007-test")):
        split, official = (
            splits.read(name, "miniature"),
            label_statistics.statistics_of(facts, source),
        )
        found = matrix(splits.entries(split, "test.txt"), len(split.classes))
        expected = np.maximum(official.counts / 2, np.minimum(official.counts, 10))
        assert len(found) == official.images // 2
        assert abs(found.sum(0) - expected).max() <= 1
    coco = splits.entries(splits.read("coco-lt", "miniature"), "test.txt")
    assert sum(not indices for _, indices in coco) == 24


@pytest.mark.parametrize("name, dropped", [("coco-fs", False), ("voc-fs", True)])
def test_few_shot_lists_follow_the_protocol(name, dropped):
    split = splits.read(name, "miniature")
    base, novel = (set(split.groups[g]) for g in ("base", "novel"))
    assert (len(base), len(novel)) == {"coco-fs": (64, 16), "voc-fs": (14, 6)}[name]
    train, test = (splits.entries(split, f) for f in ("base_train.txt", "novel_test.txt"))
    assert all(indices and set(indices) <= base for _, indices in train)
    assert all(indices and set(indices) <= novel for _, indices in test)
    base_paths = {path for path, _ in train}
    for k in (1, 5):
        for n in range(1, 11):
            rows = splits.entries(split, f"episodes/{k}-shot-{n:02d}.txt")
            counts = matrix(rows, len(split.classes)).sum(0)[sorted(novel)]
            assert set(i for _, indices in rows for i in indices) == novel
            assert (counts == k).all() if dropped else (counts >= k).all()
            if dropped:
                assert not base_paths & {path for path, _ in rows}
            else:
                fewest, most = split_lists.LASO_IMAGES[k]
                assert fewest <= len(rows) <= most


def test_voc_lists_read_difficult_their_own_way():
    """The same VOC2007 test image may have more labels long-tailed than few-shot."""
    lt = dict(splits.entries(splits.read("voc-lt", "miniature"), "test.txt"))
    fs = splits.entries(splits.read("voc-fs", "miniature"), "novel_test.txt")
    assert all(set(indices) <= set(lt[path]) for path, indices in fs)
    assert any(set(indices) < set(lt[path]) for path, indices in fs)


def test_world_files_hold_the_splits():
    for name, file, world in (
        ("coco-lt", "train", "train2017"),
        ("voc-lt", "test", "VOC2007_test"),
    ):
        rows = splits.entries(splits.read(name, "miniature"), f"{file}.txt")
        found = label_sets.read_world(world)
        assert rows == [(path, tuple(sorted(sure + hard))) for path, sure, hard in found]


def test_sampling_keeps_margins_and_is_deterministic():
    source = label_statistics.statistics_of(label_statistics.read(), "voc-lt-train")
    counts, sizes, pairs = sampling.scaled(source, 300, floor=2)
    first, again = (
        sampling.sample(counts, sizes, pairs, np.random.default_rng(7), 30_000) for _ in range(2)
    )
    assert (first == again).all()
    assert (first.sum(0) == counts).all() and (counts >= 2).all()
    assert sorted(first.sum(1)) == sorted(sizes)


def test_split_files_follow_from_the_world_files(tmp_path):
    images = {
        path.stem: label_sets.read_world(path.stem) for path in label_sets.IMAGES.glob("*.txt")
    }
    classes = label_statistics.read()["classes"]
    split_lists.write(images, classes, tmp_path, label_sets.VERSION, label_sets.rng)
    for name in splits.names("miniature"):
        folder = splits.FOLDER / "miniature" / name
        for file in (*splits.read(name, "miniature").files, "manifest.json"):
            assert (tmp_path / name / file).read_text() == (folder / file).read_text()


def test_world_files_follow_from_the_statistics():
    for name, rows in label_sets.voc(label_statistics.read()).items():
        assert rows == label_sets.read_world(name)


def test_statistics_come_from_the_official_lists():
    if not OFFICIAL.is_dir():
        pytest.skip("the official lists (../shared/official_splits) are not here")
    assert json.loads(json.dumps(label_statistics.derive(OFFICIAL))) == label_statistics.read()


@pytest.fixture
def copied(tmp_path, monkeypatch) -> Path:
    """A writable copy of voc-lt, which splits.py reads instead of the real one."""
    folder = tmp_path / "splits" / "miniature" / "voc-lt"
    shutil.copytree(splits.FOLDER / "miniature" / "voc-lt", folder)
    monkeypatch.setattr(splits, "FOLDER", tmp_path / "splits")
    return folder


def complaint(call, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_tampered_list_is_refused(copied):
    path = copied / "train.txt"
    path.write_text(path.read_text().replace(" 14", " 13", 1))
    text = complaint(splits.entries, splits.read("voc-lt", "miniature"), "train.txt")
    assert "train.txt: sha256 differs" in text and "restore it from git" in text
    path.unlink()
    assert "cannot be read" in complaint(
        splits.entries, splits.read("voc-lt", "miniature"), "train.txt"
    )


@pytest.mark.parametrize(
    "field, value",
    [
        ("version", "1"),
        ("setting", "long"),
        ("classes", ["a", "a"]),
        ("train_counts", [1, 2]),
        ("groups", {"head": []}),
        ("groups", 3),
        ("files", {"train.txt": {"sha256": 1}}),
        ("protocol", None),
        ("dataset", ["coco"]),
    ],
)
def test_a_bad_manifest_field_is_named(copied, field, value):
    path = copied / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    text = complaint(splits.read, "voc-lt", "miniature")
    assert f"field {field}" in text and "manifest.json" in text


def test_groups_that_contradict_the_counts_are_refused(copied):
    path = copied / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["groups"]["head"].append(manifest["groups"]["tail"].pop())
    path.write_text(json.dumps(manifest))
    assert "is tail, not head" in complaint(splits.read, "voc-lt", "miniature")


def test_broken_json_and_unknown_names(copied):
    assert "did you mean 'voc-lt'" in complaint(splits.read, "voc-tl", "miniature")
    assert "unknown scale" in complaint(splits.names, "minature")
    assert "unknown file" in complaint(
        splits.entries, splits.read("voc-lt", "miniature"), "training.txt"
    )
    assert "known: none" in complaint(splits.read, "voc-lt", "paper")
    (copied / "manifest.json").write_text("{")
    assert "not readable as JSON" in complaint(splits.read, "voc-lt", "miniature")


def test_the_papers_scale_reads_what_was_fetched_below_the_data_root(tmp_path):
    for name in splits.names("paper"):
        assert "give --data-root" in complaint(splits.read, name, "paper")
        text = complaint(splits.read, name, "paper", tmp_path)
        assert "is not fetched; run python -m benchmark splits fetch --data-root" in text
    folder = splits.fetched("voc-lt", tmp_path)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(splits.committed("voc-lt", "paper").content)
    split = splits.read("voc-lt", "paper", tmp_path)
    assert split.folder == folder and split.files["train.txt"].images == 1142
    assert split.train_counts == tuple(map(int, VOC_LT.split()))
    (folder / "train.txt").write_text("VOCdevkit/VOC2012/JPEGImages/2008_000023.jpg 14\n")
    text = complaint(splits.entries, split, "train.txt")
    assert "sha256 differs" in text and "fetch --data-root DIR --splits voc-lt" in text
    small = splits.FOLDER / "miniature" / "voc-lt" / "manifest.json"
    shutil.copy(small, folder)  # nothing takes the miniature's lists for the official ones
    assert "field scale: not as in" in complaint(splits.read, "voc-lt", "paper", tmp_path)


@pytest.mark.parametrize(
    "line, wanted",
    [("a.jpg 20", "train.txt:2: class indices"), ("a.jpg x", "indices"), ("", "empty line")],
)
def test_a_bad_line_is_named(copied, line, wanted):
    """With a manifest that pins the bad file, as if it had been made wrong."""
    lines = (copied / "train.txt").read_text().splitlines()
    content = "\n".join([lines[0], line, *lines[2:]]).encode()
    (copied / "train.txt").write_bytes(content)
    raw = json.loads((copied / "manifest.json").read_text())
    raw["files"]["train.txt"]["sha256"] = lists.sha256(content)
    (copied / "manifest.json").write_text(json.dumps(raw))
    split = splits.read("voc-lt", "miniature")
    assert wanted in complaint(splits.entries, split, "train.txt")
