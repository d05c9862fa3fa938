"""Suites are read strictly; a unit's key says what it is and nothing else; seeds by purpose."""

from __future__ import annotations

import dataclasses

import pytest

from benchmark.common.errors import InputError
from benchmark.common.identity import seed_of
from benchmark.data.tasks import TaskInfo
from benchmark.method.registry import MethodInfo
from benchmark.suites import expand as expanding
from benchmark.suites import load
from benchmark.suites.expand import Known

TEXT = """\
# Two tasks, one method.
name: small
tasks: [coco-lt, coco-fs-1]
seeds: [0, 1, 2]
episodes: 10
methods:
  coop:
    hyperparameters: {epochs: 3}
    overrides:
      - when: {scale: miniature, setting: long-tailed}
        set: {lr: 0.01}
      - when: {task: [coco-lt, voc-lt]}
        set: {epochs: 7}
  slow:
    method: coop
    hyperparameters: {lr: 2}
  zeroshot:
"""
WORLD = Known(
    scale="miniature",
    tasks={
        "coco-lt": TaskInfo("coco-lt", "long-tailed", "coco", "aa"),
        "voc-lt": TaskInfo("voc-lt", "long-tailed", "voc", "bb"),
        "coco-fs-1": TaskInfo("coco-fs-1", "few-shot", "coco", "cc", episodes=10),
    },
    methods={
        "coop": MethodInfo(
            "coop",
            1,
            False,
            {
                "lr": 0.002,
                "epochs": 10,
                "nesterov": False,
                "loss": "asl",
                "width": None,
                "g": (1.0,),
            },
        ),
        "zeroshot": MethodInfo("zeroshot", 1, True, {}),
    },
    backbone="tiny",
    weights_sha256="ff",
)


def expand(tmp_path, text=TEXT, **changes):
    path = tmp_path / "small.yaml"
    path.write_text(text)
    return expanding.expand(load.load_suite(str(path)), dataclasses.replace(WORLD, **changes))


def settings(units, task, label):
    return dict(next(u for u in units if (u.task, u.label) == (task, label)).hyperparameters)


def test_expansion(tmp_path):
    units = expand(tmp_path)
    count = {}
    for unit in units:
        count[unit.task, unit.label] = count.get((unit.task, unit.label), 0) + 1
    assert count == {
        ("coco-lt", "coop"): 3,
        ("coco-lt", "slow"): 3,
        ("coco-lt", "zeroshot"): 1,  # deterministic
        ("coco-fs-1", "coop"): 10,
        ("coco-fs-1", "slow"): 10,
        ("coco-fs-1", "zeroshot"): 1,
    }
    assert len({unit.key for unit in units}) == len(units)
    long_tailed = [u for u in units if u.task == "coco-lt" and u.label == "coop"]
    assert [(u.seed, u.episode) for u in long_tailed] == [(0, None), (1, None), (2, None)]
    few = [u for u in units if u.task == "coco-fs-1" and u.label == "coop"]
    assert [(u.seed, u.episode) for u in few] == [(0, n) for n in range(1, 11)]


def test_later_settings_win_where_their_condition_holds(tmp_path):
    units = expand(tmp_path)
    assert settings(units, "coco-lt", "coop") == {
        **WORLD.methods["coop"].defaults,
        "lr": 0.01,
        "epochs": 7,
    }
    assert settings(units, "coco-fs-1", "coop")["lr"] == 0.002
    assert settings(units, "coco-fs-1", "coop")["epochs"] == 3
    lr = settings(units, "coco-lt", "slow")["lr"]
    assert lr == 2.0 and isinstance(lr, float)  # a whole number serves, with one spelling
    assert settings(expand(tmp_path, scale="paper"), "coco-lt", "coop")["lr"] == 0.002


def preprocesses(units):
    return {(u.task, u.label): u.preprocess for u in units}


def test_a_backbone_is_a_condition_with_any_weights_and_activation(tmp_path):
    text = TEXT.replace("{task: [coco-lt, voc-lt]}", "{backbone: RN50}")
    found = {
        name: settings(expand(tmp_path, text, backbone=name), "coco-lt", "coop")
        for name in ("RN50:openai", "RN50-quickgelu:/weights", "RN101:openai", "tiny")
    }
    assert found["RN50:openai"] == found["RN50-quickgelu:/weights"] != found["tiny"]
    assert found["RN101:openai"] == found["tiny"]
    with pytest.raises(InputError, match=r"overrides\[1\].when: unknown backbone 'RN5'"):
        expand(tmp_path, text.replace("RN50", "RN5"))


def test_preprocessing_by_entry_override_and_flag(tmp_path):
    assert set(preprocesses(expand(tmp_path)).values()) == {"clip"}
    text = TEXT.replace("method: coop\n", "method: coop\n    preprocess: square-448-raw\n")
    text = text.replace("set: {epochs: 7}", "preprocess: square")
    found = preprocesses(expand(tmp_path, text))
    assert found["coco-lt", "slow"] == found["coco-fs-1", "slow"] == "square-raw-448"
    assert (found["coco-lt", "coop"], found["coco-fs-1", "coop"]) == ("square", "clip")
    assert found["coco-lt", "zeroshot"] == "clip"
    both = TEXT.replace("set: {epochs: 7}", "set: {epochs: 7}\n        preprocess: square")
    units = expand(tmp_path, both)
    assert preprocesses(units)["coco-lt", "coop"] == "square"
    assert settings(units, "coco-lt", "coop")["epochs"] == 7
    whole = load.load_suite(str(tmp_path / "small.yaml"))
    flag = expanding.expand(whole, WORLD, preprocess="clip-448")
    assert set(preprocesses(flag).values()) == {"clip-448"}
    plain = expanding.expand(whole, WORLD, preprocess="clip")
    assert [u.key for u in plain] == [u.key for u in expand(tmp_path)]
    bits = {u.precision for u in expanding.expand(whole, WORLD, bits="half-features+bf16")}
    assert bits == {"bf16+half-features"}
    with pytest.raises(InputError, match="unknown precision 'bf15'"):
        expanding.expand(whole, WORLD, bits="bf15")
    with pytest.raises(InputError, match="unknown preprocessing 'clop'"):
        expanding.expand(whole, WORLD, preprocess="clop")


@pytest.mark.parametrize(
    "old, new, parts",
    [
        ("seeds:", "seed:", ["unknown key 'seed'", "did you mean 'seeds'"]),
        ("name: small\n", "", ["'name' is missing"]),
        ("name: small", "name: a/b", ["name: 'a/b'"]),
        ("name: small", "name: reference", ["name: 'reference'"]),
        ("seeds: [0, 1, 2]", "seeds: [0, '1']", ["seeds[1]", "whole number"]),
        ("seeds: [0, 1, 2]", "seeds: [0, true]", ["seeds[1]", "whole number"]),
        ("seeds: [0, 1, 2]", "seeds: [0, 0]", ["seeds", "none twice"]),
        ("seeds: [0, 1, 2]", "seeds: []", ["seeds", "at least one"]),
        ("seeds: [0, 1, 2]", "seeds: 3", ["seeds", "a list"]),
        ("episodes: 10", "episodes: ten", ["episodes", "the text 'ten'", "whole number"]),
        ("episodes: 10", "episodes: 11", ["episodes", "coco-fs-1 has 10"]),
        ("[coco-lt,", "[coco-ld,", ["tasks", "unknown task 'coco-ld'", "'coco-lt'"]),
        ("method: coop", "method: coup", ["methods.slow", "unknown method 'coup'", "'coop'"]),
        ("method: coop", "methods: coop", ["methods.slow", "unknown key", "'method'"]),
        ("lr: 2", "lr: 1e-5", ["methods.slow.hyperparameters.lr", "text '1e-5'", "1.0e-5"]),
        ("lr: 2", "lr: 1E3", ["lr", "write 1.0e+3"]),
        ("lr: 2", "lr: .inf", ["lr", "finite"]),
        ("lr: 2", "lr: true", ["lr", "a number"]),
        ("lr: 2", "lr:", ["lr", "nothing is not a number"]),
        ("lr: 2", "rl: 2", ["unknown hyperparameter of coop 'rl'", "'lr'"]),
        ("lr: 2", "epochs: 2.5", ["epochs", "whole number"]),
        ("lr: 2", "nesterov: 1", ["nesterov", "true or false"]),
        ("lr: 2", "loss: no", ["loss", "text"]),
        ("lr: 2", "width: 1e-5", ["width", "1.0e-5"]),
        ("lr: 2", "g: [1e-5]", ["g", "1.0e-5"]),
        ("lr: 2", "g: 1.0", ["g", "a list"]),
        ("set: {lr: 0.01}", "set: {lr: big}", ["methods.coop.overrides[0].set.lr", "'big'"]),
        ("setting: long-tailed", "setting: long-tail", ["overrides[0].when", "'long-tailed'"]),
        ("{scale: miniature,", "{scales: miniature,", ["overrides[0].when", "'scale'"]),
        ("[coco-lt, voc-lt]", "[coco-lt, voc-ld]", ["overrides[1].when", "'voc-lt'"]),
        ("  zeroshot:", "  coop:", ["'coop' twice"]),
        (
            "method: coop",
            "preprocess: sqare",
            ["methods.slow: preprocess", "preprocessing 'sqare'", "'square'"],
        ),
        ("method: coop", "precision: bf15", ["methods.slow: precision", "'bf16'"]),
        ("method: coop", "preprocess: 448", ["methods.slow: preprocess", "text"]),
        (
            "set: {lr: 0.01}",
            "preprocess: clop",
            ["coop.overrides[0]: preprocess", "did you mean 'clip'"],
        ),
        ("        set: {lr: 0.01}\n", "", ["coop.overrides[0]", "'set' is missing"]),
        ("  zeroshot:", "  a b:", ["methods.a b", "label"]),
        ("methods:", "methods: [", ["cannot be read as YAML"]),
    ],
)
def test_an_error_is_one_line_that_names_file_field_and_remedy(tmp_path, old, new, parts):
    assert old in TEXT
    with pytest.raises(InputError) as caught:
        expand(tmp_path, TEXT.replace(old, new, 1))
    message = str(caught.value)
    assert "small.yaml" in message and "\n" not in message
    for part in parts:
        assert part in message


def test_an_override_is_checked_even_where_it_does_not_apply(tmp_path):
    with pytest.raises(InputError, match="lr"):
        expand(tmp_path, TEXT.replace("lr: 0.01", "lr: text"), scale="paper")


def test_suites_by_name_and_by_path(tmp_path):
    (tmp_path / "small.yaml").write_text(TEXT)
    found = load.load_suite("small", tmp_path)
    assert found.name == "small" and found.summary == "Two tasks, one method."
    assert load.names(tmp_path) == ["small"]
    with pytest.raises(InputError, match="unknown suite 'smal'; did you mean 'small'"):
        load.load_suite("smal", tmp_path)
    with pytest.raises(InputError, match="unknown suite 'gone.yaml'"):
        load.load_suite("gone.yaml", tmp_path)


def test_every_shipped_suite_is_well_formed():
    for name in load.names():
        assert load.load_suite(name).name == name


CHANGES = {
    "task": "voc-lt",
    "method": "dualcoop",
    "method_version": 2,
    "hyperparameters": (("lr", 0.3),),
    "scale": "paper",
    "seed": 5,
    "episode": 1,
    "split_sha256": "ab",
    "backbone": "ViT",
    "weights_sha256": "00",
    "preprocess": "square",
    "precision": "bf16",
}


def test_the_key_changes_with_what_the_unit_is_and_not_with_its_label(tmp_path):
    unit = expand(tmp_path)[0]
    assert {field.name for field in dataclasses.fields(unit)} == {"label", *CHANGES}
    for name, value in CHANGES.items():
        assert dataclasses.replace(unit, **{name: value}).key != unit.key, name
    assert dataclasses.replace(unit, label="other").key == unit.key
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    assert expand(moved)[0].key == unit.key
    assert expand(moved, TEXT.replace("small", "large"))[0].key == unit.key  # nor with the suite


def test_the_key_is_the_same_in_any_process_and_release(tmp_path):
    """Stored records are found by it: change what is hashed only with a new schema."""
    assert expand(tmp_path)[0].key.startswith("cf4608f0c8aa6d7a")


def test_seeds_by_purpose(tmp_path):
    seeds = {seed_of(who, why) for who in ("a", "b") for why in ("init", "batches")}
    assert len(seeds) == 4 and all(0 <= seed < 2**32 for seed in seeds)
    assert seed_of("a", "init") == seed_of("a", "init")
    units = expand(tmp_path)
    coop, slow = (next(u for u in units if u.label == name) for name in ("coop", "slow"))
    assert coop.seed_identity == slow.seed_identity  # all methods see the same batches
    assert len({u.seed_identity for u in units if u.label == "coop"}) == 13
