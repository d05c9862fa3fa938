"""One check suite over every method found: contract, determinism, frozen CLIP, learning a toy."""

import inspect

import numpy as np
import pytest
import small
import torch

from benchmark import metrics
from benchmark.discovery import discover, hyperparameters
from benchmark.errors import InputError
from benchmark.method import Method

METHODS = discover()
# Enough to learn the toy in seconds; names that a method does not have are left out.
QUICK = {
    "epochs": 20, "lr": 0.02, "loss_weight": 0.3, "warmup": 0, "stage1_epochs": 3,
    "stage1_lr": 1e-4, "stage2_epochs": 3, "stage2_lr": 1e-3, "novel_epochs": 2, "scale": 20.0,
    "views": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors are small here: threads would wait for one another more than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def quick(name: str, **options) -> Method:
    cls = METHODS[name]
    known = hyperparameters(cls)
    wanted = {k: v for k, v in QUICK.items() if k in known}
    if "stage2_epochs" in wanted and not known["stage2_epochs"]:
        del wanted["stage2_epochs"]
    if name == "hpdval-released":
        del wanted["scale"]
    if name == "cocoop":
        wanted["batch_size"] = 8  # one by default: slow
    if name == "finetune":
        wanted["lr"] = 3e-4  # an image encoder's
    if name == "taidpt":
        wanted["scale"] = known["scale"]
    return cls(**wanted | options)


def fitted(name, data, folder, identity="test"):
    method, run = quick(name), small.run(folder, identity)
    method.fit(data, run)
    return method, run


def with_base(name: str) -> dict[str, bool]:
    """What switches a method's base stage on."""
    return {"base": True} if "base" in hyperparameters(METHODS[name]) else {}


def test_the_papers_methods_are_found():
    known = {"zeroshot", "coop", "cocoop", "dualcoop", "lmpt", "taidpt", "hpdval"}
    assert known | {"hpdval-released"} <= set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_init_takes_keywords_with_defaults_and_only_stores_them(name):
    cls = METHODS[name]
    method, defaults = cls(), hyperparameters(cls)
    assert {k: getattr(method, k) for k in defaults} == defaults
    assert set(vars(method)) == set(defaults)
    assert inspect.getdoc(cls) and cls.scores in ("raw", "logits", "probabilities")


@pytest.mark.parametrize("name", METHODS)
def test_scores_are_finite_of_the_right_shape_and_repeat_bit_for_bit(name, tmp_path):
    data, other = small.images(tmp_path, 12), small.images(tmp_path, 7, seed=1)
    results = []
    for _ in range(2):
        method, run = fitted(name, data, tmp_path)
        results.append(method.predict(other.images, run))
        torch.rand(3)  # global generators must not matter
    scores = results[0]
    assert scores.shape == (7, 5) and scores.is_floating_point() and torch.isfinite(scores).all()
    assert torch.equal(*results)
    assert torch.equal(scores, method.predict(other.images, run)), "predict changes the method"
    if METHODS[name].scores == "probabilities":
        assert scores.min() >= 0 and scores.max() <= 1


@pytest.mark.parametrize("name", METHODS)
def test_no_parameter_and_no_buffer_of_the_frozen_clip_changes(name, tmp_path):
    """Through base stage, fit and predict; a method trains what is its own alone."""
    clip = small.the_clip()

    def content() -> dict[str, torch.Tensor]:
        tensors = [*clip.model.named_parameters(), *clip.model.named_buffers()]
        return {k: v.detach().clone() for k, v in tensors}

    before, data = content(), small.images(tmp_path, 8)
    assert any("attn_mask" in k for k in before) and len(before) > 50
    method, run = quick(name, **with_base(name)), small.run(tmp_path)
    method.fit_base(data, run)
    method.load_state({k: v.clone() for k, v in method.state().items()})
    method.fit(data, run)
    method.predict(data.images, run)
    after = content()
    assert before.keys() == after.keys()
    assert [k for k, v in after.items() if not torch.equal(v, before[k])] == []
    assert not any(p.requires_grad or p.grad is not None for p in clip.model.parameters())
    assert not clip.model.training
    clip.check_frozen()


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"zeroshot"}))
def test_it_learns_a_toy(name, tmp_path):
    """Pictures of five concepts: the loss falls, and the labels are found again."""
    data = small.images(tmp_path, 30)
    method, run = fitted(name, data, tmp_path)
    stages = {c["stage"] for c in run.curve}
    assert stages
    for stage in stages:
        losses = [c["loss"] for c in run.curve if c["stage"] == stage]
        assert losses[-1] < losses[0], f"{stage}: {losses}"
    found = metrics.evaluate(method.predict(data.images, run).numpy(), data.labels, {})
    assert found.metrics["map"] > 80


@pytest.mark.parametrize(
    "name", [n for n, c in METHODS.items() if c.fit_base is not Method.fit_base]
)
def test_an_episode_depends_on_the_base_state_and_not_on_earlier_episodes(name, tmp_path):
    base, test = small.images(tmp_path, 10), small.images(tmp_path, 6, seed=1)
    episodes = [small.images(tmp_path, 6, seed=s) for s in (2, 3)]
    trained = quick(name, **with_base(name))
    trained.fit_base(base, small.run(tmp_path, "base"))
    state = {k: v.clone() for k, v in trained.state().items()}

    def episode(data, start):
        method, run = quick(name, **with_base(name)), small.run(tmp_path, "episode")
        if start is not None:
            method.load_state(start)
        method.fit(data, run)
        return method.predict(test.images, run)

    alone = episode(episodes[1], state)
    episode(episodes[0], state)
    assert torch.equal(episode(episodes[1], state), alone)
    assert not torch.equal(episode(episodes[1], None), alone)


@pytest.mark.parametrize("name", ["coop", "dualcoop"])
def test_prompts_see_the_support_set_only_unless_asked_otherwise(name):
    from benchmark import compute, tasks

    few, long = (
        tasks.load(task, "miniature", "data", episode)
        for task, episode in (("voc-fs-1", 1), ("voc-lt", None))
    )
    assert not compute.has_base(METHODS[name]())
    assert compute.has_base(METHODS[name](base=True)) and compute.has_base(METHODS["hpdval"]())
    assert not compute.has_base(METHODS["zeroshot"]())
    both = METHODS[name](base=True, class_specific=True)
    assert "do not fit novel ones" in both.skip(few) and both.skip(long) is None
    assert METHODS[name](base=True).skip(few) is None


def plugin(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text)
    return path


GOOD = """
import torch
from benchmark.method import Method
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
        ("x = 1", "defines no Method"),
        (GOOD.replace('name = "mine"', ""), "'name' is missing"),
        (GOOD.replace('"mine"', '"coop"'), "name 'coop' is taken by"),
    ],
)
def test_a_bad_plugin_is_named_in_one_line(tmp_path, text, message):
    path = plugin(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        discover([path])
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_labels_are_not_changed_by_training(tmp_path):
    data = small.images(tmp_path, 6)
    before = data.labels.copy()
    for name in METHODS:
        fitted(name, data, tmp_path)
    assert np.array_equal(before, data.labels)
