"""The training loop: order of batches, schedules, averages and the curve."""

import types

import pytest
import torch
from torch import nn

from benchmark.method.run import Run
from benchmark.method.training import Recipe, train


def go(recipe, count=10, identity="unit", start=0.0, target=3.0):
    """Train one number towards the target; returns it, the batches seen, and the run."""
    run = Run(clip=None, store=None, device="cpu", identity=identity)
    value, seen = nn.Parameter(torch.tensor([start])), []

    def loss_of(indices):
        seen.append(indices.tolist())
        return ((value - target) ** 2).sum()

    train([value], loss_of, count, recipe, run, "fit")
    return value.item(), seen, run


def test_a_recipe_takes_a_methods_hyperparameters_by_name_and_others_before_them():
    method = types.SimpleNamespace(epochs=3, lr=0.1, ema=0.9, schedule="cosine", alpha=0.4)
    recipe = Recipe.of(method, schedule="onecycle", cycle=5)
    assert recipe == Recipe(3, 0.1, ema=0.9, schedule="onecycle", cycle=5)


@pytest.mark.parametrize("optimiser, lr", [("sgd", 0.02), ("adamw", 0.1)])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle"])
def test_it_learns(optimiser, lr, schedule):
    recipe = Recipe(60, lr, 4, optimiser, weight_decay=0.0, schedule=schedule)
    assert go(recipe)[0] == pytest.approx(3.0, abs=0.05)


def test_batches_cover_all_images_once_an_epoch_and_depend_on_unit_and_stage_only():
    recipe = Recipe(2, 0.1, 4)
    seen = go(recipe)[1]
    assert [len(b) for b in seen] == [4, 4, 2] * 2
    assert sorted(sum(seen[:3], [])) == list(range(10)) and seen[:3] != seen[3:]
    assert seen == go(Recipe(2, 0.5, 4, "sgd"), start=7.0)[1]
    assert seen != go(recipe, identity="other unit")[1]


def test_the_curve_has_each_epochs_mean_loss():
    curve = go(Recipe(3, 0.1, 4))[2].curve
    assert [(c["stage"], c["epoch"]) for c in curve] == [("fit", 1), ("fit", 2), ("fit", 3)]
    assert curve[0]["loss"] > curve[1]["loss"] > curve[2]["loss"]


def test_warm_up_epochs_hardly_move():
    moved = go(Recipe(1, 0.1, 4, "sgd", 0.0, "cosine", warmup=1))[0]
    assert 0 < moved < 1e-3


def test_ema_lags_behind_the_last_value():
    last = go(Recipe(5, 0.05, 4, "sgd", 0.0))[0]
    average = go(Recipe(5, 0.05, 4, "sgd", 0.0, ema=0.9))[0]
    assert 0 < average < last


@pytest.mark.parametrize("steps", range(1, 13))
def test_one_cycle_of_few_steps(steps):
    assert 0 < go(Recipe(steps, 0.1, 10, schedule="onecycle", rise=0.1))[0] < 2


def test_no_epochs_change_nothing():
    value, seen, run = go(Recipe(0, 0.1), start=1.5)
    assert value == 1.5 and not seen and not run.curve


def test_unknown_names_are_named():
    with pytest.raises(ValueError, match="optimiser: unknown 'adam'"):
        go(Recipe(1, 0.1, optimiser="adam"))
    with pytest.raises(ValueError, match="schedule: unknown 'step'"):
        go(Recipe(1, 0.1, schedule="step"))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_parameters_must_be_float32(kind):
    values = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, dtype=kind))]
    with pytest.raises(TypeError, match="make them float32"):
        train(values, lambda indices: values[1].sum(), 2, Recipe(1, 0.1), None, "fit")


def listened(recipe):
    """What the parameter is after each epoch as the harness sees it, what it ends as, the run."""
    run = Run(clip=None, store=None, device="cpu", identity="unit")
    value, seen = nn.Parameter(torch.zeros(3)), []
    run.after_epoch = lambda stage, epoch: seen.append((stage, epoch, value.detach().clone()))
    train([value], lambda i: (value - 3).square().sum(), 10, recipe, run, "fit")
    return seen, value.detach(), run


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_harness_sees_each_epoch_as_it_would_end(ema):
    recipe = Recipe(3, 0.05, 4, schedule="constant", ema=ema)
    seen, final, run = listened(recipe)
    assert [at[:2] for at in seen] == [("fit", 1), ("fit", 2), ("fit", 3)]
    assert torch.equal(seen[-1][2], final)
    shorter = listened(Recipe(2, 0.05, 4, schedule="constant", ema=ema))[1]
    assert torch.equal(seen[1][2], shorter)
    value, _, alone = go(recipe)
    assert torch.tensor([value]).equal(final[:1]) and alone.curve[0]["epoch"] == 1


def test_averaged_weights_are_taken_out_again_when_the_harness_fails():
    run = Run(clip=None, store=None, device="cpu", identity="unit")
    value, seen = nn.Parameter(torch.zeros(1)), []

    def fails(stage, epoch):
        seen.append(value.item())
        raise RuntimeError("test set is gone")

    run.after_epoch = fails
    with pytest.raises(RuntimeError, match="gone"):
        train([value], lambda i: -value.sum(), 4, Recipe(1, 0.1, 4, ema=0.9), run, "fit")
    assert 0 < seen[0] < value.item()


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_buffers_that_the_loss_changes_are_averaged_like_parameters(ema):
    run = Run(clip=None, store=None, device="cpu", identity="unit")
    value, steps, seen = nn.Parameter(torch.zeros(1)), torch.zeros(1), []
    run.after_epoch = lambda stage, epoch: seen.append(steps.item())

    def loss_of(indices):
        steps.add_(1)
        return value.sum()

    train([value], loss_of, 10, Recipe(2, 0.1, 4, ema=ema), run, "fit", buffers=[steps])
    expected, average = [], 0.0
    for step in range(1, 7):
        average = ema * average + (1 - ema) * step
        expected.append(average)
    assert seen == pytest.approx([expected[2], expected[5]])
    assert steps.item() == pytest.approx(expected[5])


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle"])
def test_a_single_parameter_may_have_a_lower_rate(optimiser, schedule):
    """Under a constant gradient its path is that of the others, so many times as short."""
    run = Run(clip=None, store=None, device="cpu", identity="unit")
    values = [nn.Parameter(torch.zeros(shape)) for shape in ((2, 2), (2, 2), (3,), (3,))]
    recipe = Recipe(3, 0.01, 4, optimiser, weight_decay=0.0, schedule=schedule)
    rates = {values[1]: 0.1, values[2]: 0.0}
    train(values, lambda i: sum(map(torch.sum, values)), 10, recipe, run, "fit", rates=rates)
    usual = values[0].detach()[0, 0].item()
    assert usual < 0
    for value, rate in zip(values, (1.0, 0.1, 0.0, 1.0), strict=True):
        torch.testing.assert_close(value.detach(), torch.full_like(value, rate * usual))
