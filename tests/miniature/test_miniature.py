"""The miniature world: drawn as described, in the real layouts, agreeing with its split files."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from benchmark import metrics
from benchmark.clip import feature_cache, model, resolve
from benchmark.clip.prompts import template_features
from benchmark.common import environment
from benchmark.data import annotations, class_words, splits, tasks
from benchmark.miniature import banks, build, captions, concepts, scenes, sprites


@pytest.fixture(scope="module")
def root():
    """The built miniature, shared with the main job through the cache folder."""
    return build.ensure(environment.cache(), development=True)


def test_there_are_80_concepts_and_20_classes_have_vocs_spelling():
    known = concepts.load()
    coco = splits.read("coco-lt", "miniature").classes
    assert tuple(known) == coco and len(known) == 80
    assert tuple(class_words.load()) == coco
    assert sorted(class_words.coco_names()) == list(annotations.VOC_CLASSES)
    assert len({c.group for c in known.values()}) == 12


@pytest.mark.parametrize("line", ["poly body 1 2 3", "circle body 1 2 3", "ellipse sky 1 2 3 4"])
def test_a_bad_shape_is_named(line, tmp_path):
    concept = f"dog: {{group: animal, size: 1, turn: 1, colours: {{}}, poses: [['{line}']]}}"
    text = "common: {body: ['#ffffff']}\n" + concept
    path = tmp_path / "concepts.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="concepts.yaml: dog: "):
        concepts.load(path)


def test_every_pose_of_every_concept_can_be_drawn_and_instances_differ():
    for concept in concepts.load().values():
        one, two = (sprites.draw(concept, np.random.default_rng(seed)) for seed in (0, 1))
        assert one.mode == "RGBA" and max(one.size) <= sprites.SIDE
        assert np.asarray(one)[..., 3].mean() > 20, f"{concept.name} is nearly empty"
        assert one.tobytes() != two.tobytes()


def test_the_readmes_overview_is_drawn_by_the_code():
    stored = Image.open(environment.ROOT / "docs" / "concepts.png").convert("RGB")
    apart = np.abs(np.asarray(sprites.overview(), int) - np.asarray(stored, int))
    assert apart.mean() < 1  # grey levels; other versions of Pillow may round otherwise


def test_a_scene_holds_each_named_object_in_its_frame():
    names = ["dog", "cup", "car", "person"]
    known = concepts.load()
    bank = {n: [sprites.draw(known[n], np.random.default_rng(3))] for n in names}
    rng = np.random.default_rng(0)
    image, placed = scenes.compose(names, scenes.BENCHMARK, bank, rng, frozenset({"car"}))
    assert image.size == (96, 96) and {p.name for p in placed} == set(names)
    for item in placed:
        x, y, width, height = item.box
        assert min(x, y) >= 0 and x + width <= 97 and y + height <= 97 and item.area > 0
    hard = [p for p in placed if p.difficult]
    assert [p.name for p in hard] == ["car"] and max(hard[0].box[2:]) < 0.3 * 96


def test_captions_name_some_object_and_leave_some_out():
    rng = np.random.default_rng(0)
    known = class_words.load()
    names = ["hair drier", "tv", "dog"]
    texts = [captions.write(names, rng) for _ in range(200)]
    words = {n: (n, known[n].voc or n, *known[n].words) for n in names}
    named = [[any(w in text for w in words[n]) for n in names] for text in texts]
    assert all(n[0] for n in named)
    assert 20 < sum(n[2] for n in named) < 180
    assert any("tvmonitor" in text for text in texts)


def test_the_images_are_there_small_and_few(root):
    files = [path for path in root.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 100e6
    assert len([path for path in files if path.suffix == ".jpg"]) == 17_577
    for name in splits.names("miniature"):
        split = splits.read(name, "miniature")
        for file in split.files:
            for path, _ in splits.entries(split, file):
                assert (root / path).is_file()
    with Image.open(
        root / splits.entries(splits.read("coco-lt", "miniature"), "train.txt")[0][0]
    ) as image:
        assert image.size == (96, 96) and image.mode == "RGB"


@pytest.mark.parametrize("year", ["train2017", "val2017", "dev2017"])
def test_coco_annotations_give_the_long_tailed_lists(root, year):
    file = {"train2017": "train.txt", "val2017": "test.txt", "dev2017": "dev.txt"}[year]
    read = annotations.Instances(root / "annotations" / f"instances_{year}.json").labels()
    listed = splits.entries(splits.read("coco-lt", "miniature"), file)
    assert len(read) == len(listed)
    assert all(read[os.path.basename(path)] == set(labels) for path, labels in listed)


def test_coco_annotations_give_the_few_shot_lists(root):
    split = splits.read("coco-fs", "miniature")
    for file, year, group in (
        ("base_train.txt", "train2014", "base"),
        ("novel_test.txt", "val2014", "novel"),
        ("novel_dev.txt", "dev2014", "novel"),
        ("episodes/5-shot-03.txt", "train2014", "novel"),
        ("dev-episodes/1-shot-10.txt", "train2014", "novel"),
    ):
        source = root / "annotations" / f"instances_{year}.json"
        read = annotations.Instances(source).labels("negative")
        kept = set(split.groups[group])
        for path, labels in splits.entries(split, file):
            assert read[os.path.basename(path)] & kept == set(labels)


@pytest.mark.parametrize(
    "name, file, year, difficult",
    [
        ("voc-lt", "train.txt", "VOC2012", "positive"),
        ("voc-lt", "test.txt", "VOC2007", "positive"),
        ("voc-lt", "dev.txt", "VOC2007", "positive"),
        ("voc-fs", "base_train.txt", "VOC2007", "negative"),
        ("voc-fs", "novel_test.txt", "VOC2007", "negative"),
        ("voc-fs", "novel_dev.txt", "VOC2007", "negative"),
    ],
)
def test_voc_annotations_give_the_lists_of_each_protocol(root, name, file, year, difficult):
    listed = splits.entries(splits.read(name, "miniature"), file)
    ids = [Path(path).stem for path, _ in listed]
    read = annotations.voc_labels(root / "VOCdevkit" / year, ids, difficult)
    assert all(read[Path(path).stem] == set(labels) for path, labels in listed)


def test_an_image_is_a_function_of_version_and_path(root, tmp_path):
    split = splits.read("voc-lt", "miniature")
    path = splits.entries(split, "test.txt")[5][0]
    row = next(r for r in build._read("VOC2007_test") if r[0] == path)
    (tmp_path / path).parent.mkdir(parents=True)
    seed = (banks.WORLD["test"],)
    sprites_of = {n: banks.instances(n, banks.INSTANCES["test"], seed) for n in row[1]}
    build._start_worker(sprites_of)
    build._render_one(tmp_path, *row)
    assert (tmp_path / path).read_bytes() == (root / path).read_bytes()


def test_no_two_parts_of_the_world_share_an_instance():
    seeds = [*((seed,) for seed in banks.WORLD.values()), (banks.PROBE,)]
    seeds += [(banks.PRETRAINING, shard) for shard in range(3)]
    for name in ("person", "toothbrush"):
        drawn = [s.tobytes() for seed in seeds for s in banks.instances(name, 5, seed)]
        assert len(set(drawn)) == len(drawn) == 5 * len(seeds)
    assert min(banks.INSTANCES["training"], banks.INSTANCES["test"]) >= 100
    assert {build.part_of(path.stem) for path in build._world_files()} == set(banks.WORLD)


def test_vocs_pictures_show_what_its_annotations_do_not_name(root, tmp_path, monkeypatch):
    row = next(r for r in build._read("VOC2007_test") if len(r[1]) == 1)
    name = row[1][0]
    voc = set(class_words.coco_names().values())
    alone = [n for n in concepts.load() if n not in voc][:2]
    seed = (banks.WORLD["test"],)
    build._start_worker({n: banks.instances(n, 1, seed) for n in (name, *alone)})
    (tmp_path / row[0]).parent.mkdir(parents=True)
    shown = []
    for others in ([], alone):
        monkeypatch.setattr(build, "_bystanders", lambda rng, others=others: others)
        placed = build._render_one(tmp_path, *row)
        assert {item.name for item in placed} == {name}
        shown.append((tmp_path / row[0]).read_bytes())
    assert shown[0] != shown[1]
    monkeypatch.undo()
    drawn = [build._bystanders(np.random.default_rng(n)) for n in range(200)]
    assert 0.15 < np.mean([len(others) for others in drawn]) < 0.5
    assert not {name for others in drawn for name in others} & voc


def test_tasks_of_the_miniature_load_with_official_counts(root):
    task = tasks.load("coco-lt", "miniature", root)
    counts = dict(zip(task.class_names, task.train.class_counts, strict=True))
    assert len(task.train.images) == 1909 and counts["person"] == 1128 and counts["bear"] == 6
    assert [len(task.groups[g]) for g in ("head", "medium", "tail")] == [22, 33, 25]
    tasks.check_files(task)


@pytest.mark.parametrize(
    "name, low, high, card",
    [("coco-lt", 35, 65, (45.7, 46.8)), ("voc-lt", 55, 85, (72.8, 73.3))],
)
def test_its_clip_is_as_good_as_its_card_says_and_as_hard_as_meant(root, name, low, high, card):
    frozen = model.load(resolve.resolve(None, "miniature"))
    store = feature_cache.FeatureStore(frozen, environment.cache())
    task = tasks.load(name, "miniature", root)
    text = template_features(frozen, task.class_names, "a photo of a {}.").T

    def total(scores):
        return metrics.average_precision(scores.numpy(), task.test.labels).mean()

    patches = np.array(store.features(task.test.images, "tokens"))
    whole = np.array(store.features(task.test.images, "global"))
    total_global = total(F.normalize(torch.from_numpy(whole), dim=-1) @ text)
    cosines = F.normalize(torch.from_numpy(patches), dim=-1) @ text
    total_local = total(cosines.topk(6, dim=1).values.mean(dim=1))
    assert low <= total_global <= high
    assert total_local >= 0.6 * total_global
    assert (total_global, total_local) == pytest.approx(card, abs=0.3)
