"""Captions: what the miniature writes, what is read at the paper's scale, what is said without."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.data import caption_labels, captions, splits, tasks
from benchmark.data.official import sources
from benchmark.data.splits import lists
from benchmark.miniature import captions as writer
from tests.helpers import official_files as fakes
from tests.helpers.official_files import Site, one_line

ROOT = environment.ROOT
REAL = ROOT.parent / "shared" / "official_splits"
REASON = "the official files are not at hand"


@pytest.fixture
def site(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("CIMLIC_DATA_ROOT", raising=False)
    return Site(tmp_path, monkeypatch.setattr, capsys)


def caption_lists(site: Site, content: dict[str, str]) -> None:
    """Make official caption files and pin them."""
    rows = ["\t".join(sources.COLUMNS)]
    for split, text in content.items():
        path = f"data/{split[:-3]}/captions.txt"
        (site.made / "a/lists" / path).write_text(text)
        digest, size = lists.sha256(text.encode()), len(text.encode())
        rows.append("\t".join([split, "a/lists", "c0ffee", path, "MIT", digest, str(size)]))
    (splits.FOLDER / "paper" / "captions.tsv").write_text("\n".join(rows) + "\n")


def lines(site: Site, name: str) -> str:
    site.fetch(name)
    rows = splits.entries(splits.read(name, "paper", site.root), "train.txt")
    return "\n".join(f"{path}  a  caption of image {n}. " for n, (path, _) in enumerate(rows))


def test_the_miniatures_are_the_same_in_another_process(captioned, tmp_path):
    code = (
        "from pathlib import Path\nfrom benchmark.data import tasks\n"
        f"from benchmark.miniature import build\nr = Path({str(tmp_path)!r})\n"
        "build.write_captions(r)\n"
        "t = tasks.load('voc-lt', 'miniature', r)\n"
        "import sys; print(*t.train.captions[:40], sep='|'); assert 'torch' not in sys.modules"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert found.split("|") == list(
        tasks.load("voc-lt", "miniature", captioned).train.captions[:40]
    )


@pytest.mark.parametrize("name, sentences, recall", [("coco-lt", 5, 0.9), ("voc-lt", 1, 0.6)])
def test_the_miniatures_speak_of_the_labels_and_of_nothing_else(name, sentences, recall, captioned):
    train = tasks.load(name, "miniature", captioned).train
    assert {text.count(". ") + 1 for text in train.captions} == {sentences}
    assert len(set(train.captions)) > 0.5 * len(train.captions)
    said = caption_labels.labels(train.captions, train.class_names)
    assert not (said * (1 - train.labels)).any()
    assert recall < (said * train.labels).sum() / train.labels.sum() < 1


def test_a_caption_depends_on_path_and_labels_alone():
    first = writer.describe("a.jpg", ["dog", "tvmonitor"], 5)
    assert first == writer.describe("a.jpg", ["dog", "tvmonitor"], 5)
    others = [("b.jpg", ["dog", "tvmonitor"]), ("a.jpg", ["dog", "cat"])]
    assert first not in [writer.describe(path, names, 5) for path, names in others]
    assert "zork" in writer.describe("a.jpg", ["zork"], 1)  # a class of no world
    assert writer.describe("a.jpg", [], 1).endswith(".")


def test_what_the_miniatures_clip_was_trained_on_is_as_it_was():
    rng = np.random.default_rng(5)
    assert [writer.write(["dog", "cup", "car"], rng) for _ in range(3)] == PAIRS


PAIRS = [
    "a good photo of the dog",
    "dog, cup, car in my room",
    "a puppy with a beverage cup and a car on a sunny day",
]


def test_captions_are_fetched_verified_and_no_part_of_a_split(site):
    text = lines(site, "voc-lt")
    before = tasks.info("voc-lt", "paper", site.root).split_sha256
    bare = tasks.load("voc-lt", "paper", site.root)
    assert bare.train.captions is None and "no captions" in bare.captions_missing()
    caption_lists(site, {"voc-lt": text})
    site.fetch("voc-lt")
    task = tasks.load("voc-lt", "paper", site.root)
    assert tasks.info("voc-lt", "paper", site.root).split_sha256 == before == task.split_sha256
    assert task.train.captions[1] == "a caption of image 1." and task.test.captions is None
    assert len(task.train.captions) == len(task.train.images) and task.captions_missing() is None
    assert site.run("verify")[0] == 0
    place = sources.captions()["voc-lt"][0].place(site.root)
    place.write_text(place.read_text() + "x")
    with pytest.raises(InputError, match="sha256 differs") as caught:
        tasks.load("voc-lt", "paper", site.root)
    assert str(place) in str(caught.value) and "\n" not in str(caught.value)
    assert site.run("verify")[0] == 2


def test_fetch_goes_on_without_captions_and_says_who_needs_them(site):
    caption_lists(site, {"voc-lt": lines(site, "voc-lt")})
    (site.made / "a/lists/data/voc/captions.txt").unlink()
    code, out, err = site.run("fetch", "--from", str(site.made), "--splits", "voc-lt")
    assert (code, err) == (0, "")
    assert "voc-lt: no captions, which lmpt and taidpt need" in out and "c0ffee" in out
    assert tasks.load("voc-lt", "paper", site.root).train.captions is None


@pytest.mark.parametrize(
    "change, wanted",
    [
        (lambda text: text.rsplit("\n", 1)[0], "no caption for this training image"),
        (lambda text: text + "\nlonely.jpg", "must be `<path> <caption>`"),
    ],
)
def test_caption_files_that_do_not_fit_are_named(site, change, wanted):
    caption_lists(site, {"voc-lt": change(lines(site, "voc-lt"))})
    site.fetch("voc-lt")
    with pytest.raises(InputError, match=wanted) as caught:
        tasks.load("voc-lt", "paper", site.root)
    assert "\n" not in str(caught.value)


def test_coco_few_shot_reads_cocos_own_captions_where_they_are(site):
    site.fetch()
    site.annotate()
    assert site.run("fetch")[0] == 0
    assert tasks.load("coco-fs-1", "paper", site.root, 1).train.captions is None
    instances = json.loads((site.root / "annotations/instances_train2014.json").read_text())
    notes = [
        {"image_id": image["id"], "caption": f" {n} {image['file_name']}\n"}
        for image in instances["images"]
        for n in ("one", "two.")
    ]
    path = site.root / captions.COCO2014
    path.write_text(json.dumps({"images": instances["images"], "annotations": notes}))
    task = tasks.load("coco-fs-1", "paper", site.root, 1)
    name = Path(task.train.images.paths[0]).name
    assert task.train.captions[0] == f"one {name}. two. {name}."
    assert len(task.base.captions) == len(task.base.images)
    path.write_text("{}")
    with pytest.raises(InputError, match="not COCO's captions") as caught:
        tasks.load("coco-fs-1", "paper", site.root, 1)
    assert one_line(f"error: {caught.value}\n") and fakes.COCO


@pytest.mark.skipif(not REAL.is_dir(), reason=REASON)
@pytest.mark.parametrize("name", ["coco-lt", "voc-lt"])
def test_the_published_files_are_those_pinned_and_tell_of_every_training_image(name, tmp_path):
    local = sources.Local(REAL / name / "lmpt")
    (source,) = sources.captions()[name]
    local.obtain(source, tmp_path)
    for each in sources.of(splits.committed(name, "paper").raw):
        local.obtain(each, tmp_path)
    from benchmark.data.official import store

    store.write(name, tmp_path, *store.official(name, tmp_path))
    train = tasks.load(name, "paper", tmp_path).train
    assert len(train.captions) == len(train.images) in (1909, 1142)
    said = caption_labels.labels(train.captions, train.class_names)
    right = (said * train.labels).sum()
    assert right / said.sum() > 0.7 and right / train.labels.sum() > 0.3
