"""HP-DVAL's presets against its README, few-shot episodes, the shared first stage."""

import dataclasses
import json
import re

import pytest
import torch

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.method import losses
from benchmark.method.discovery import hyperparameters
from benchmark.runner.executor import execute
from hpdval import equations, settings
from hpdval.hpdval import HPDVAL
from hpdval.released import HPDVALReleased
from tests.helpers import drawn_images, workspaces
from tests.helpers.plain_training import PLAIN

README = (environment.ROOT / "hpdval" / "README.md").read_text()
QUICK = {"stage1_epochs": 1, "stage1_lr": 1e-4, "stage2_epochs": 2, "stage2_lr": 1e-3}
QUICK |= {"batch_size": 6, "scale": 20.0, "novel_epochs": 1} | PLAIN


def table(title):
    """The rows below a heading of the README, without the head."""
    part = README.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows][1:]


def test_the_readme_says_what_each_preset_sets():
    text, code = hyperparameters(HPDVAL), hyperparameters(HPDVALReleased)
    said = {name.strip("`"): cells for name, *cells in table("What each preset sets")}
    assert set(said) == set(text) == set(code)
    for name, (first, second) in said.items():
        assert json.loads(first.strip("`")) == text[name], name
        expected = text[name] if second == "the same" else json.loads(second.strip("`"))
        assert expected == code[name] and (second != "the same") == (text[name] != code[name]), name


def test_the_readme_and_settings_know_every_hyperparameter():
    choices = " ".join(
        cell for row in table("Paper text, released code, this suite") for cell in row
    )
    for name in hyperparameters(HPDVAL):
        assert re.search(rf"`{name}\b", choices), f"{name}: not in the README's table of choices"
        assert re.search(rf"\b{name}\b", settings.Settings.__doc__), name


def test_every_equation_from_2_to_17_has_its_function():
    homes = {"equations": equations, "benchmark.method.losses": losses}
    seen = []
    for numbers, _, where, known in table("Equations"):
        for number in map(int, numbers.split(", ")):
            seen.append(number)
            for name in re.findall(r"`([\w.]+)`", where):
                home, _, function = name.rpartition(".")
                words = re.sub(
                    r"eq\. (\d+) (to|and) (?:eq\. )?(\d+)", _span, _doc(homes[home], function)
                )
                assert re.search(rf"\beq\. {number}\b", words), f"{name}: eq. {number}"
                placed = re.search(r"by (its|their) place", words)
                assert bool(placed) == (known == "by its place"), name
    assert seen == list(range(2, 18))


def _doc(home, function):
    return " ".join((getattr(home, function).__doc__ or "").replace("Eq.", "eq.").split())


def _span(match):
    first, word, last = match.groups()
    numbers = range(int(first), int(last) + 1) if word == "to" else (int(first), int(last))
    return " ".join(f"eq. {n}" for n in numbers)


def test_the_presets_say_what_the_text_and_the_code_say():
    text, code = hyperparameters(HPDVAL), hyperparameters(HPDVALReleased)
    assert (text["alpha"], text["k"], text["context"]) == (0.4, 32, 4)
    assert (text["stage1_lr"], text["stage1_epochs"], text["stage2_lr"]) == (1e-5, 20, 5e-6)
    assert (text["similarity"], text["tied"], text["positive"]) == ("cosine", "global", "frequency")
    assert (code["alpha"], code["k"], code["batch_size"], code["ema"]) == (0.5, 16, 16, 0.998)
    assert (code["similarity"], code["tied"], code["positive"]) == ("released", "local", "5.0")
    assert code["focal_on"] == "batch" and code["distillation"] == 0.0
    assert (text["scale"], text["offset"], text["template"]) == (1.0, "none", "a photo of a {}")
    assert (code["few_shot_loss"], code["novel_batch"], code["novel_cycle"]) == ("asl", 64, 150)


SILENT = ("schedule", "ema", "augment", "novel_augment", "novel_beta2", "novel_ema")


def test_where_the_text_is_silent_the_code_decides():
    """Both presets are the same there, and the README says why."""
    text, code = hyperparameters(HPDVAL), hyperparameters(HPDVALReleased)
    values = ("onecycle", 0.998, "cutout+randaugment", "randaugment", 0.9, 0.0)
    assert tuple(text[n] for n in SILENT) == tuple(code[n] for n in SILENT) == values
    silent = [row for row in table("Paper text, released code, this suite") if "silent" in row[3]]
    named = " ".join(row[3] for row in silent)
    assert all(row[1].startswith("not stated") for row in silent), silent
    assert all(f"`{name}: " in named for name in SILENT), named


@pytest.mark.parametrize(
    "setting",
    [
        {"student": "imagnet"}, {"similarity": "dot"}, {"tied": "both"}, {"learned": "none"},
        {"loss": "dbl"}, {"few_shot_loss": "dbl"}, {"positive": "five"}, {"focal_on": "image"},
        {"offset": "best"},
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_line(setting, tmp_path):
    (name,) = setting
    with pytest.raises(InputError, match=name) as caught:
        HPDVAL(**setting).fit(drawn_images.images(tmp_path, 4), drawn_images.run(tmp_path))
    assert "\n" not in str(caught.value)


def test_episodes_come_in_any_order_and_carrying_over_would_not(tmp_path):
    """As the paper: each starts from the one base state. The released code goes on instead."""
    base, test = drawn_images.images(tmp_path, 6), drawn_images.images(tmp_path, 5, seed=9)
    episodes = {n: drawn_images.images(tmp_path, 5, seed=n) for n in (1, 2, 3)}
    options = QUICK | {"stage2_epochs": 1}
    trained = HPDVAL(**options)
    trained.fit_base(base, drawn_images.run(tmp_path, "base"))
    state = {name: value.clone() for name, value in trained.state().items()}

    def play(order, carry):
        found, start = {}, state
        for n in order:
            method, run = HPDVAL(**options), drawn_images.run(tmp_path, f"episode {n}")
            method.load_state(start)
            method.fit(episodes[n], run)
            found[n] = method.predict(test.images, run)
            start = {k: v.clone() for k, v in method.state().items()} if carry else start
        return found

    forth, back = play((1, 2, 3), False), play((3, 2, 1), False)
    assert all(torch.equal(forth[n], back[n]) for n in episodes)
    carried, other = play((1, 2, 3), True), play((3, 2, 1), True)
    assert torch.equal(carried[1], forth[1])  # the only clean start
    assert not any(torch.equal(carried[n], forth[n]) for n in (2, 3))
    assert not any(torch.equal(carried[n], other[n]) for n in episodes)


def test_an_episode_has_its_own_recipe_and_loss():
    code = HPDVALReleased()
    recipe, augment = code._first_recipe()
    assert (recipe.batch_size, recipe.cycle, recipe.beta2, recipe.ema) == (16, 0, 0.999, 0.998)
    assert augment == "cutout+randaugment"
    code.load_state({})
    recipe, augment = code._first_recipe()
    assert (recipe.epochs, recipe.batch_size, recipe.cycle, recipe.beta2) == (81, 64, 150, 0.9)
    assert (recipe.lr, recipe.ema) == (code.stage1_lr, 0.0)
    assert augment == "randaugment"
    labels = torch.eye(3)
    assert code._criterion(labels, few_shot=True) is losses.asymmetric
    assert isinstance(code._criterion(labels, few_shot=False), losses.DistributionBalanced)
    text = HPDVAL()
    text.load_state({})
    recipe, augment = text._first_recipe()
    assert (recipe.epochs, recipe.batch_size, recipe.cycle, augment) == (20, 32, 0, "randaugment")
    assert isinstance(text._criterion(labels, few_shot=True), losses.DistributionBalanced)


def test_the_novel_stages_rate_and_average_are_those_of_episodes_alone(tmp_path):
    data, found = drawn_images.images(tmp_path, 5), {}
    based = HPDVAL(**QUICK)
    based.fit_base(data, drawn_images.run(tmp_path, "base"))
    settings = {"as before": {}, "rate": {"novel_lr": 1e-3}, "average": {"novel_ema": 0.9}}
    for name, given in settings.items():
        other, whole = HPDVAL(**QUICK | given), HPDVAL(**QUICK | given | {"stage2_epochs": 0})
        other.load_state(based.state())
        for method in (other, whole):
            method.fit(data, drawn_images.run(tmp_path, "episode"))
        found[name] = other.state(), whole.state(), dict(other.contexts)
    plain = found.pop("as before")
    for name, (episode, whole, contexts) in found.items():
        assert all(torch.equal(whole[k], plain[1][k]) for k in whole), name
        assert any(not torch.equal(episode[k], plain[0][k]) for k in episode), name
        assert not torch.equal(contexts["global"], plain[2]["global"]), name
    assert HPDVAL(**QUICK, novel_lr=1e-3).of_stage_1(QUICK) == HPDVAL(**QUICK).of_stage_1(QUICK)


# One other value of each; of the rest, stage 1 depends on all.
LATER = {
    "consistency": 0.5, "tied": "local", "context": 2, "init": "a photo", "learned": "local",
    "stage2_epochs": 1, "stage2_lr": 1e-4,
}  # fmt: skip
EPISODES = {name for name in settings.NOT_STAGE_1 if name.startswith(("novel", "few"))}


def test_units_that_differ_after_stage_1_share_it_bit_for_bit(tmp_path, monkeypatch):
    assert set(LATER) | EPISODES | {"joint"} == set(settings.NOT_STAGE_1)
    workspace = workspaces.make(tmp_path, monkeypatch, {"hpdval": HPDVAL})
    aligned, real = [], HPDVAL._align
    monkeypatch.setattr(HPDVAL, "_align", lambda *a: aligned.append(1) or real(*a))

    def compute(**given):
        wanted = tuple(sorted((QUICK | given).items()))
        unit = dataclasses.replace(workspaces.UNIT, method="hpdval", hyperparameters=wanted)
        return execute(workspace, unit), unit

    plain, unit = compute()
    task, alone = workspace.task(unit), HPDVAL(**QUICK)
    run = drawn_images.run(tmp_path, unit.seed_identity)
    alone.fit(task.train, run)
    assert run.curve == plain["curve"] and len(aligned) == 2
    for name, value in LATER.items():
        record, _ = compute(**{name: value})
        assert record["curve"][0] == plain["curve"][0], name
        assert record["seconds"]["shared"] == plain["seconds"]["shared"] > 0, name
        assert record["curve"] != plain["curve"], name
    assert len(aligned) == 2
    compute(alpha=0.5)
    assert len(aligned) == 3
    compute(offset="fixed")
    assert len(aligned) == 4
    assert compute(joint=True)[0]["seconds"]["shared"] is None


def test_where_stage_1_is_the_last_the_harness_may_watch_it(tmp_path):
    data, looked = drawn_images.images(tmp_path, 6), []
    found = []
    for watch in (None, lambda stage, epoch: looked.append((stage, epoch))):
        method, run = HPDVAL(**QUICK | {"stage2_epochs": 0}), drawn_images.run(tmp_path)
        run.after_epoch = watch
        method.fit(data, run)
        found.append(method.predict(data.images, run))
    assert looked == [("stage 1", 1)] and torch.equal(*found)
    method = HPDVAL(**QUICK)
    method.fit(data, run)
    assert looked[1:] == [("stage 2", 1), ("stage 2", 2)]
