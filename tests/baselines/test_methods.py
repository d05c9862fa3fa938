"""One check suite over every method found: contract, determinism, frozen CLIP, learning a toy."""

import dataclasses
import re

import pytest
import torch

from benchmark.common.errors import InputError
from benchmark.data import tasks
from benchmark.diagnostics.check import examine
from benchmark.diagnostics.check.findings import OK, listing
from benchmark.diagnostics.check.toy import Toy
from benchmark.method import base
from benchmark.method.base import Method
from benchmark.method.discovery import discover, hyperparameters
from tests.helpers import drawn_images

METHODS = discover()
# Enough to learn the toy in seconds; names that a method does not have are left out.
QUICK = {
    "epochs": 20, "lr": 0.02, "loss_weight": 0.3, "warmup": 0, "stage1_epochs": 3,
    "stage1_lr": 1e-4, "stage2_epochs": 3, "stage2_lr": 1e-3, "novel_epochs": 2, "scale": 20.0,
    "views": 2, "iterations": 60, "folds": 2, "ema": 0.0,
}  # fmt: skip


def quick(name: str) -> dict:
    """Settings with which a method learns the toy soon."""
    known = hyperparameters(METHODS[name])
    wanted = {k: v for k, v in QUICK.items() if k in known}
    if "stage2_epochs" in wanted and not known["stage2_epochs"]:
        del wanted["stage2_epochs"]
    if name == "dualcoop":
        wanted["augment"] = "none"
    if name == "hpdval":
        wanted |= {"augment": "none", "offset": "learned"}
    if name == "hpdval-released":
        del wanted["scale"]
    if name == "cocoop":
        wanted |= {"batch_size": 8, "lr": 0.005}  # one image by default: slow
    if name == "finetune":
        wanted |= {"epochs": 8, "lr": 3e-4, "augment": "none"}  # an image encoder's
    if name == "lmclip":
        wanted |= {"epochs": 8, "lr": 5e-5, "augment": "none"}  # a whole CLIP's
    if name == "cprfl":
        wanted |= {"epochs": 8, "lr": 1e-3, "batch_size": 6, "trunk_rate": 0.1, "augment": "none"}
    if name == "taidpt":
        wanted["scale"] = known["scale"]
    return wanted


def test_the_papers_methods_are_found():
    known = {"zeroshot", "coop", "cocoop", "dualcoop", "lmpt", "taidpt", "lmclip", "cprfl"}
    assert known | {"hpdval", "hpdval-released"} <= set(METHODS)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The toy, drawn once."""
    return Toy(tmp_path_factory.mktemp("toy"))


@pytest.mark.parametrize("name", METHODS)
def test_it_passes_every_check(name, world):
    cls = METHODS[name]
    found = examine.examine(cls, world, quick(name))
    assert {f.verdict for f in found} == {OK}, listing(found)
    named = {f.check: f.text for f in found}
    assert {"learns", "same seed", "each image alone", "episodes", "frozen CLIP"} <= set(named)
    assert ("base stage" in named) == (cls.fit_base is not Method.fit_base)
    # A higher bar than the check's own, which must do for any method.
    assert float(re.search(r"mAP ([\d.]+) on training", named["learns"])[1]) > 80
    assert named["loss curve"].startswith("none") == cls.deterministic


@pytest.mark.parametrize("name", ["coop", "dualcoop"])
def test_prompts_see_the_support_set_only_unless_asked_otherwise(name):
    few, long = (
        tasks.load(task, "miniature", "data", episode)
        for task, episode in (("voc-fs-1", 1), ("voc-lt", None))
    )
    assert not base.has_base(METHODS[name]())
    assert base.has_base(METHODS[name](base=True)) and base.has_base(METHODS["hpdval"]())
    assert not base.has_base(METHODS["zeroshot"]())
    both = METHODS[name](base=True, class_specific=True)
    assert "do not fit novel ones" in both.skip(few) and both.skip(long) is None
    assert METHODS[name](base=True).skip(few) is None


@pytest.mark.parametrize("name", ["coop", "lmpt"])
def test_a_context_of_words_is_zero_shot_at_step_0(name, tmp_path):
    """The offset is the loss's alone: what softmax over an image's classes reads is CLIP's."""
    data, run = drawn_images.images(tmp_path, 8), drawn_images.run(tmp_path)
    data = dataclasses.replace(data, captions=["a dog and a cat"] * 8)
    method = METHODS[name](epochs=0, augment="none", init="a photo of a")
    zeroshot = METHODS["zeroshot"](template="a photo of a {}.")
    scores = []
    for each in (method, zeroshot):
        each.fit(data, run)
        scores.append(each.predict(data.images, run))
    torch.testing.assert_close(*scores, rtol=1e-4, atol=1e-3)


def plugin(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text)
    return path


GOOD = """
import torch
from benchmark.method.base import Method
class Mine(Method):
    "Mine."
    name = "mine"
    def fit(self, train, run): pass
    def predict(self, images, run): return torch.zeros(len(images), 1)
"""


def test_a_plugin_file_is_found(tmp_path):
    assert "mine" in discover([plugin(tmp_path, GOOD)])


@pytest.mark.parametrize(
    "text, message",
    [
        ("import nothing_like_this", "does not import .ModuleNotFoundError"),
        ("x = 1", "defines no Method; `run_all.py --new-method NAME`"),
        (GOOD.replace('name = "mine"', ""), "'name' is missing"),
        (GOOD.replace("predict", "score"), "Mine: predict is missing; add it"),
        (GOOD.replace('"mine"', '"coop"'), "name 'coop' is taken by"),
    ],
)
def test_a_bad_plugin_is_named_in_one_line(tmp_path, text, message):
    path = plugin(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        discover([path])
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
