"""`python -m benchmark splits verify` and `restrict`, on made-up official files."""

from __future__ import annotations

import json

import pytest

from benchmark.common.errors import InputError
from benchmark.data import splits, tasks
from benchmark.data.splits import lists
from tests.helpers.official_files import Site, one_line


@pytest.fixture
def site(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("CIMLIC_DATA_ROOT", raising=False)
    return Site(tmp_path, monkeypatch.setattr, capsys)


def test_verify_finds_what_was_changed(site):
    assert "no split is fetched" in one_line(site.run("verify")[2])
    site.fetch()
    code, out, err = site.run("verify")
    assert (code, err) == (0, "") and out.count("as the official files give them") == 3
    assert "coco-fs: not fetched" in out
    folder = splits.fetched("voc-lt", site.root)
    source = site.root / "cimlic-splits/official/a/lists/data/voc/voc_lt_test.txt"
    for path, wanted in (
        (folder / "train.txt", "sha256 differs"),
        (folder / "manifest.json", "field version: not as in"),
        (source, "sha256 differs from the manifest's, field sources"),
    ):
        content = path.read_bytes()
        path.write_bytes(content.replace(b" 1", b" 2", 1).replace(b": 1", b": 2", 1))
        code, out, err = site.run("verify")
        assert code == 2 and "wrong split files of voc-lt" in one_line(err)
        assert [x for x in out.splitlines() if x.startswith("voc-lt:") and wanted in x]
        path.write_bytes(content)
    assert site.run("verify")[0] == 0


def test_verify_derives_the_lists_anew(site):
    """Lists and a manifest that agree with each other, but not with the official files."""
    site.fetch()
    site.images("coco-lt", "train.txt", 3)
    site.images("coco-lt", "test.txt", 2)
    assert site.run("restrict")[0] == 0 == site.run("verify")[0]
    folder = splits.fetched("coco-lt", site.root)
    raw = json.loads((folder / "manifest.json").read_text())
    rows = splits.entries(splits.read("coco-lt", "paper", site.root), "train.txt")
    forged = [(rows[0][0], (4,)), *rows[1:]]
    (folder / "train.txt").write_bytes(lists.content(forged))
    raw["files"]["train.txt"] = lists.info(forged)
    (folder / "manifest.json").write_text(json.dumps(raw))
    code, out, _ = site.run("verify")
    assert code == 2 and "train.txt: not what the official files give" in out
    raw["restriction"]["of"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(raw))
    code, out, _ = site.run("verify")
    assert code == 2 and "field restriction.of" in out


def test_restrict_keeps_what_is_there_and_the_official_groups(site):
    site.fetch()
    full = splits.read("coco-lt", "paper", site.root)
    kept = site.images("coco-lt", "train.txt", 3) + site.images("coco-lt", "test.txt", 2)
    code, out, err = site.run("restrict")
    assert (code, err) == (0, "")
    split = splits.read("coco-lt", "paper", site.root)
    total = full.files["train.txt"].images
    assert split.restriction == f"3 of {total} training and 2 of 30 test images"
    assert f"coco-lt: restricted to {split.restriction}" in out
    assert split.groups == full.groups and split.groups["head"] and split.sha256 != full.sha256
    assert sum(split.train_counts) == split.files["train.txt"].labels < 9
    task = tasks.load("coco-lt", "paper", site.root)
    assert [*task.train.images.paths, *task.test.images.paths] == kept
    assert task.restriction == split.restriction
    tasks.check_files(task)
    assert "voc-lt: removed" in out and not splits.is_fetched("voc-lt", site.root)
    before = site.content()
    assert site.run("restrict")[0] == 0 and site.content() == before
    code, out, _ = site.run("verify")
    assert code == 0 and f"restricted to {split.restriction}" in out
    site.images("coco-lt", "train.txt", 3)
    (site.root / kept[0]).unlink()
    assert site.run("restrict")[0] == 0
    assert splits.read("coco-lt", "paper", site.root).restriction.startswith("2 of")
    site.fetch()
    assert splits.read("coco-lt", "paper", site.root) == full


def test_restrict_with_all_images_is_no_restriction(site):
    site.fetch("voc-lt")
    for file in ("train.txt", "test.txt"):
        site.images("voc-lt", file, 100)
    before = site.content()
    code, out, _ = site.run("restrict")
    assert code == 0 and "all images are there" in out and site.content() == before


def test_restricted_few_shot_splits(site):
    site.annotate()
    site.fetch("coco-fs")
    site.images("coco-fs", "base_train.txt", 9)
    site.images("coco-fs", "novel_test.txt", 5)
    episode = site.images("coco-fs", "episodes/1-shot-01.txt", 2)
    code, out, _ = site.run("restrict")
    split = splits.read("coco-fs", "paper", site.root)
    assert code == 0 and f"coco-fs: restricted to {split.restriction}" in out
    assert " base, " in split.restriction and " of 120 episode and 5 of " in split.restriction
    task = tasks.load("coco-fs-1", "paper", site.root, 1)
    assert set(episode) <= set(task.train.images.paths)
    assert site.run("verify")[0] == 0
    empty = [f for f, info in split.files.items() if not info.images]
    assert empty  # an episode of which no image is there
    shots, _, number = empty[0].removeprefix("episodes/").removesuffix(".txt").split("-")
    with pytest.raises(InputError, match="no image left in this list") as caught:
        tasks.load(f"coco-fs-{shots}", "paper", site.root, int(number))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, wanted",
    [
        ({"restriction": {}}, "field restriction.files"),
        ({"restriction": {"files": {"train.txt": {"images": [1, 2]}}}}, "restriction.files"),
        ({"classes": ["a"]}, "field classes: not as in"),
        ({"train_counts": None}, "field train_counts"),
        ({"files": {}}, "field files"),
        ({"groups": {"head": []}}, "field groups"),
    ],
)
def test_a_manifest_that_is_not_the_committed_one_is_refused(site, change, wanted):
    site.fetch("voc-lt")
    path = splits.fetched("voc-lt", site.root) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError) as caught:
        splits.read("voc-lt", "paper", site.root)
    text = str(caught.value)
    assert wanted in text and "\n" not in text and "fetch it again" in text


def test_a_restriction_that_its_files_contradict_is_refused(site):
    site.fetch("coco-lt")
    site.images("coco-lt", "train.txt", 3)
    site.images("coco-lt", "test.txt", 2)
    site.run("restrict")
    path = splits.fetched("coco-lt", site.root) / "manifest.json"
    raw = json.loads(path.read_text())
    for pair in ([4, raw["restriction"]["files"]["train.txt"]["images"][1]], [3, 4], [3], [-1, 3]):
        raw["restriction"]["files"]["train.txt"]["images"] = pair
        path.write_text(json.dumps(raw))
        with pytest.raises(InputError, match="field restriction.files"):
            splits.read("coco-lt", "paper", site.root)
