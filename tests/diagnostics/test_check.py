"""The checks of a method: each passes a right one, and tells of what is wrong with others."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmark.cli.check import main
from benchmark.clip.prompts import template_features
from benchmark.common import environment, processes
from benchmark.diagnostics.check import examine, findings, guards, toy
from benchmark.diagnostics.check.findings import NOTE, OK, WRONG
from benchmark.method.base import Method
from benchmark.method.search_space import Choice, Range

ROOT = environment.ROOT


class Right(Method):
    """Class means blended with text features, and an offset drawn from the unit's seed."""

    name, scores = "right", "logits"

    def __init__(self, *, share: float = 0.5, loud: bool = False) -> None:
        self.share, self.loud = share, loud

    def fit(self, train, run) -> None:
        text = template_features(run.clip, train.class_names, "a photo of a {}.")
        means = F.normalize(torch.tensor(train.labels).T @ self.image(train.images, run), dim=1)
        self.heads = self.share * text + (1 - self.share) * means
        self.heads = self.heads + 1e-3 * torch.randn(text.shape, generator=run.generator("heads"))

    def predict(self, images, run):
        return 100 * self.image(images, run) @ self.heads.T

    def image(self, images, run):
        return F.normalize(torch.from_numpy(np.array(run.features(images))), dim=1)


class Based(Right):
    """As right, with a base stage that learns how to scale features."""

    name = "based"

    def fit_base(self, base, run) -> None:
        self.scale = self.image(base.images, run).std(0) + 0.1

    def state(self):
        return {"scale": self.scale}

    def load_state(self, state) -> None:
        self.scale = state["scale"].clone()

    def image(self, images, run):
        found = super().image(images, run)
        return F.normalize(found / self.scale, dim=1) if hasattr(self, "scale") else found


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """What is examined in a process of its own is examined in this one."""
    monkeypatch.setattr(processes, "apart", lambda function, *arguments: function(*arguments))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The toy, drawn once."""
    return toy.Toy(tmp_path_factory.mktemp("toy"))


def checked(cls, world, **settings) -> dict[str, findings.Finding]:
    """Check -> its worst finding."""
    found = examine.examine(cls, world, settings)
    rank = {OK: 0, NOTE: 1, WRONG: 2}
    return {f.check: f for f in sorted(found, key=lambda f: rank.get(f.verdict, 0))}


def variant(base=Right, **attributes) -> type[Method]:
    """A method as `base`, but for these attributes."""
    return type("Variant", (base,), {"__doc__": "Another.", "__module__": __name__, **attributes})


@pytest.mark.parametrize("cls", [Right, Based])
def test_a_right_method_passes_every_check(cls, world):
    found = examine.examine(cls, world)
    assert {f.verdict for f in found} == {OK}, findings.listing(found)
    names = {f.check for f in found}
    assert {"each image alone", "same seed", "episodes", "frozen CLIP", "learns"} <= names
    assert ("base stage" in names) == (cls is Based)


def keep(self, *, share: float = 0.5) -> None:
    self.share = share


def halved(self, *, share: float = 0.5) -> None:
    self.share = share / 2


def constant(self, *, share: float = 0.5) -> None:
    self.share = 0.5


def and_more(self, *, share: float = 0.5) -> None:
    self.share, self.heads = share, None


def without_default(self, *, share) -> None:
    self.share = share


def unrecordable(self, *, share=np.float64) -> None:
    self.share = share


STATIC = {
    "name": ({"name": "a/b"}, "declarations", "name is 'a/b'"),
    "version": ({"version": 0}, "declarations", "version is 0"),
    "kind": ({"scores": "logit"}, "declarations", "scores is 'logit'"),
    "docstring": ({"__doc__": ""}, "declarations", "no docstring"),
    "arguments": ({"predict": lambda self, images: 0}, "declarations", "predict cannot be called"),
    "half a state": ({"state": lambda self: {}}, "declarations", "state without fit_base"),
    "halved": ({"__init__": halved}, "hyperparameters", "given share=0.5, it stores 0.25"),
    "constant": ({"__init__": constant}, "hyperparameters", "given share=2.0, it stores 0.5"),
    "and more": ({"__init__": and_more}, "hyperparameters", "also sets heads"),
    "no default": ({"__init__": without_default}, "hyperparameters", "share needs a default"),
    "a type": ({"__init__": unrecordable}, "hyperparameters", "a default"),
    "title": ({"title": 7}, "declarations", "title is 7"),
    "two lines": ({"title": "A\nB"}, "declarations", "title is 'A\\nB'"),
    "space": ({"search_space": ["share"]}, "search space", "search_space is ['share']"),
    "unknown": (
        {"search_space": {"shares": Range(0.1, 1.0)}},
        *("search space", "search_space 'shares'; did you mean 'share'"),
    ),
    "no space": (
        {"search_space": {"share": (0.1, 1.0)}},
        *("search space", "search_space of share is (0.1, 1.0)"),
    ),
    "whole": (
        {"search_space": {"share": Range(1, 2)}},
        *("search space", "of type int; its default 0.5 is of type float"),
    ),
    "mixed": (
        {"search_space": {"share": Choice((0.5, "half"))}},
        *("search space", "share has 'half', of type str"),
    ),
    "no number": (
        {"search_space": {"loud": Range(0, 1)}},
        *("search space", "loud is a Range, and its default False no number"),
    ),
    "nan": (
        {"search_space": {"share": Choice((float("nan"),))}},
        *("search space", "share has nan, which no record can hold"),
    ),
    "skip": ({"skip": lambda self, task: True}, "skip", "skip returned True"),
    "refuses": ({"skip": lambda self, task: "no"}, "skip", "refuses every task"),
}


@pytest.mark.parametrize("case", STATIC)
def test_what_a_class_declares(case, world, monkeypatch):
    attributes, check, text = STATIC[case]
    monkeypatch.setattr(examine._Examination, "trained", lambda self: iter(()))
    found = checked(variant(**attributes), world)[check]
    assert found.verdict == WRONG and text in found.text and found.remedy, found


def test_a_right_search_space_is_told_and_an_empty_one_is_not(world, monkeypatch):
    monkeypatch.setattr(examine._Examination, "trained", lambda self: iter(()))
    space = {"share": Range(0.1, 1.0, log=True), "loud": Choice((False, True))}
    found = checked(variant(search_space=space), world)["search space"]
    assert found == findings.Finding("search space", OK, "of share, loud")
    assert "search space" not in checked(Right, world)


def test_every_entry_that_is_wrong_is_told(world, monkeypatch):
    monkeypatch.setattr(examine._Examination, "trained", lambda self: iter(()))
    space = {"share": Choice((1, 2)), "size": Choice((3,))}
    found = examine.examine(variant(search_space=space), world)
    told = [f.text for f in found if f.check == "search space" and f.verdict == WRONG]
    assert len(told) == 3 and "has 2" in told[1] and "'size'" in told[2], told


def test_nothing_is_fitted_where_the_settings_are_not_stored(world):
    found = checked(variant(__init__=halved), world)
    assert "fit" not in found and found["training"].verdict == findings.LEFT_OUT


def predicting(change) -> dict:
    """A predict that passes its scores, the images and the method through `change`."""

    def predict(self, images, run):
        return change(Right.predict(self, images, run), self)

    return {"predict": predict}


def fitting(change) -> dict:
    """A fit that calls `change` with the method, the data and the run afterwards."""

    def fit(self, train, run):
        Right.fit(self, train, run)
        change(self, train, run)

    return {"fit": fit}


def count_up(scores, method):
    method.calls = getattr(method, "calls", 0) + 1
    return scores + method.calls


def swap_columns(self, train, run):
    self.heads = self.heads.roll(1, dims=0)


def noisy(self, train, run):
    self.heads = self.heads + 0.01 * torch.randn(self.heads.shape)


def remembering(self, train, run):
    type(self).seen = getattr(type(self), "seen", 0) + 1
    self.heads = self.heads * (1 + 0.1 * type(self).seen)


def train_clip(self, train, run):
    with torch.no_grad():
        run.clip.model.text_projection.mul_(1.01)


def unfreeze(self, train, run):
    next(run.clip.model.parameters()).requires_grad_()


def peek(self, train, run):
    (train.images.root.parent / "test" / "1-000.png").read_bytes()


def relabel(self, train, run):
    train.labels.base[0] = 1 - train.labels[0]  # past the lock


def write_labels(self, train, run):
    train.labels[0] = 1 - train.labels[0]


def rising(self, train, run):
    run.curve += [{"stage": "a", "epoch": n, "loss": float(n)} for n in (1, 2)]


def broken_curve(self, train, run):
    run.curve.append({"stage": "a", "epoch": 1, "loss": float("nan")})


def fail(self, train, run):
    raise ValueError("two lines\nof reason")


DYNAMIC = {
    "raises": (fitting(fail), "fit", WRONG, "fit raised ValueError: two lines of reason (line "),
    "array": (predicting(lambda s, _: s.numpy()), "scores", WRONG, "expected a torch.Tensor"),
    "shape": (predicting(lambda s, _: s[:, 1:]), "scores", WRONG, "expected (N, C) = (15, 5)"),
    "integers": (predicting(lambda s, _: s.int()), "scores", WRONG, "floating point"),
    "infinite": (predicting(lambda s, _: s / 0), "scores", WRONG, "NaN or infinite"),
    "constant": (predicting(lambda s, _: s * 0), "scores", WRONG, "every image has the same"),
    "probabilities": ({"scores": "probabilities"}, "scores", WRONG, "but lie in"),
    "ranks": (predicting(lambda s, _: s - s.mean(0)), "each image alone", WRONG, "without the"),
    "squeeze": (predicting(lambda s, _: s.squeeze()), "each image alone", WRONG, "shape (5,)"),
    "order": (predicting(lambda s, _: s.cumsum(0)), "each image alone", WRONG, "another order"),
    "dice": (
        predicting(lambda s, _: s + torch.rand(5)),
        *("predict again", WRONG, "gives other scores, the largest difference"),
    ),
    "state": (predicting(count_up), "predict again", WRONG, "gives other scores"),
    "global": (fitting(noisy), "same seed", NOTE, "the global random generators"),
    "class": (fitting(remembering), "same seed", WRONG, "another fit gives other scores"),
    "columns": (fitting(swap_columns), "learns", WRONG, "chance is 29"),
    "deterministic": ({"deterministic": True}, "deterministic", WRONG, "change the scores"),
    "trains CLIP": (fitting(train_clip), "frozen CLIP", WRONG, "changed text_projection"),
    "unfreezes": (fitting(unfreeze), "frozen CLIP", WRONG, "is not frozen"),
    "test files": (fitting(peek), "training data only", WRONG, "1-000.png"),
    "writes": (fitting(write_labels), "fit", WRONG, "read-only"),
    "labels": (fitting(relabel), "training data only", WRONG, "changes train.labels"),
    "rising": (fitting(rising), "loss curve", NOTE, "does not fall: a 1 to 2"),
    "nan loss": (fitting(broken_curve), "loss curve", WRONG, "'loss': nan"),
}


@pytest.mark.parametrize("case", DYNAMIC)
def test_what_a_method_does(case, world):
    attributes, check, verdict, text = DYNAMIC[case]
    found = checked(variant(**attributes), world)[check]
    assert found.verdict == verdict and text in found.text and found.remedy, found
    assert not guards.Frozen(toy.miniature_clip()).changes()
    toy.miniature_clip().check_frozen()


def test_a_changed_clip_is_put_back(world):
    before = toy.miniature_clip().model.text_projection.clone()
    examine.examine(variant(**fitting(train_clip)), world)
    assert torch.equal(before, toy.miniature_clip().model.text_projection)


def in_place(self, state) -> None:
    self.scale = state["scale"].mul_(1.5)


EPISODES = {
    "empty": ({"state": lambda self: {}}, "base stage", WRONG, "is empty"),
    "nan": ({"state": lambda self: {"a": torch.tensor(torch.nan)}}, "base stage", WRONG, "finite"),
    "no tensors": ({"state": lambda self: {"a": [1]}}, "base stage", WRONG, "storing what state"),
    "in place": ({"load_state": in_place}, "episodes", WRONG, "after another one"),
    "unused": ({"load_state": lambda self, state: None}, "episodes", NOTE, "with and without"),
    "raises": ({"fit_base": fail}, "base stage", WRONG, "fit_base raised ValueError"),
}


@pytest.mark.parametrize("case", EPISODES)
def test_few_shot(case, world):
    attributes, check, verdict, text = EPISODES[case]
    found = checked(variant(Based, **attributes), world)[check]
    assert found.verdict == verdict and text in found.text and found.remedy, found


def test_a_method_that_refuses_few_shot_tasks_is_not_given_episodes(world):
    def skip(self, task):
        return "needs many images" if task.setting == "few-shot" else None

    found = checked(variant(Based, skip=skip), world)
    assert found["skip"].text == "refuses few-shot tasks: needs many images"
    assert not {"episodes", "base stage"} & set(found)
    assert found["learns"].verdict == OK


@pytest.mark.parametrize(
    "shape, verdict, text", [((2, 9, 5), OK, "9 places"), ((2, 5, 9), WRONG, "has shape (2, 5, 9)")]
)
def test_local_scores(shape, verdict, text, world):
    offered = variant(local_scores=lambda self, images, run: torch.zeros(shape))
    found = checked(offered, world)["local scores"]
    assert found.verdict == verdict and text in found.text


PLUGIN = '''
"""A method in a file."""
import torch
from benchmark.method.base import Method


class Mine(Method):
    """Mine."""

    name = "mine"

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def fit(self, train, run):
        self.count = len(train.class_names)

    def predict(self, images, run):
        return self.gain * torch.from_numpy(run.features(images)[:, : self.count].copy())
'''


def test_the_command_prints_what_is_wrong_and_exits_with_1(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    assert main([str(path), "--set", "gain=3"]) == 1
    out = capsys.readouterr().out
    assert f"mine: class Mine of {path}, with gain=3.0\n" in out
    assert re.search(r"^  wrong +learns +mAP .* chance is 29$\n +mend: columns in the", out, re.M)
    assert re.search(r"^\d+ checks: 1 wrong, \d+ ok$", out, re.M)


def test_the_command_shows_tracebacks_when_asked(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.replace("self.count = len", "self.count = size"))
    assert main([str(path), "--traceback"]) == 1
    out = capsys.readouterr().out
    assert f"fit raised NameError: name 'size' is not defined (line 16 of {path})" in out
    assert "left out  predict" in out and "Traceback (most recent call last)" in out


def test_the_command_passes_a_shipped_method_by_name_and_by_file(capsys):
    assert main(["zeroshot"]) == 0
    by_name = capsys.readouterr().out
    assert re.search(r"^\d+ checks: \d+ ok$", by_name, re.M)
    assert main([str(ROOT / "baselines" / "zeroshot.py")]) == 0
    assert capsys.readouterr().out.partition("fit")[0] == by_name.partition("fit")[0]


BAD = {
    ("gone.py",): "gone.py: no such file",
    ("zeroshto",): "unknown method 'zeroshto'; did you mean 'zeroshot'",
    ("coop", "--set", "epoch=3"): "unknown hyperparameter of coop 'epoch'; did you mean 'epochs'",
    ("coop", "--set", "epochs=few"): "--set epochs: the text 'few' is not a whole number",
    ("coop", "--set", "epochs"): "--set epochs: write NAME=VALUE",
    ("coop", "--device", "tpu"): "unknown device 'tpu'",
    ("coop", "--device", "cuda:99"): "--device cuda:99: there is no such CUDA device",
    ("coop", "--sett", "a=1"): "--sett",
    (): "FILE.py|NAME",
}


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_input_is_one_line_and_exit_code_2(arguments, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert BAD[arguments] in err


@pytest.mark.parametrize(
    "text, message",
    [
        ("import nothing_like_this", "does not import (ModuleNotFoundError"),
        ("x = 1", "defines no Method"),
        (PLUGIN.replace('name = "mine"', ""), "'name' is missing"),
        (PLUGIN.replace('"mine"', '"coop"'), "name 'coop' is taken by"),
        (PLUGIN.replace("def predict", "def predcit"), "Mine: predict is missing"),
    ],
)
def test_a_file_without_a_method_is_bad_input(text, message, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(text)
    assert main([str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {path}: ") and message in err and err.count("\n") == 1


def test_help_needs_no_torch():
    code = (
        "import sys; from benchmark.cli.check import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('HEAVY', [n for n in ('torch', 'open_clip', 'sklearn') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "HEAVY []" in done.stdout and "--traceback" in done.stdout, done
