"""HP-DVAL's offset: what it does to the loss, and that no score of predict has it."""

import pytest
import torch

from benchmark.method import losses
from hpdval import hpdval, settings
from hpdval.hpdval import HPDVAL
from hpdval.released import HPDVALReleased
from tests.helpers import drawn_images
from tests.helpers.plain_training import PLAIN

STILL = PLAIN | {"stage1_epochs": 1, "stage1_lr": 0.0, "stage2_epochs": 1, "stage2_lr": 0.0}
QUICK = PLAIN | {"stage1_epochs": 2, "stage1_lr": 1e-3, "stage2_epochs": 2, "stage2_lr": 1e-3}
QUICK |= {"batch_size": 4, "scale": 20.0, "novel_epochs": 2}


@pytest.fixture
def trained(monkeypatch):
    """(stage, its parameters, copies of how they started) of each stage that is trained."""
    seen, real = [], hpdval.train

    def spy(parameters, loss_of, count, recipe, run, stage):
        parameters = list(parameters)
        seen.append((stage, parameters, [p.detach().clone() for p in parameters]))
        return real(parameters, loss_of, count, recipe, run, stage)

    monkeypatch.setattr(hpdval, "train", spy)
    return seen


@pytest.fixture
def computed(monkeypatch):
    """(scores, offset) of each computation of the best one."""
    seen, real = [], losses.best_offset

    def spy(logits, labels, loss):
        seen.append((logits, real(logits, labels, loss)))
        return seen[-1][1]

    monkeypatch.setattr(losses, "best_offset", spy)
    return seen


def started(folder, **options):
    """A method before its first step, with its scaled scores, labels, criterion and offset."""
    data, run = drawn_images.images(folder, 12), drawn_images.run(folder)
    method = HPDVAL(offset="fixed", **options)
    method._start(data, run)
    labels = torch.tensor(data.labels)
    loss, plain = method._criterion(labels, False), list(method._features(data.images, run))
    scores = method.scale * method._scores(plain)
    return scores, labels, loss, method.scale * method._class_offset(plain, labels, loss)


@pytest.mark.parametrize("scale", [1.0, 20.0])
@pytest.mark.parametrize("loss", ["bce", "db", "db*"])
def test_it_is_each_classs_best_constant(loss, scale, tmp_path):
    scores, labels, criterion, offset = started(tmp_path, loss=loss, scale=scale)
    without, least = criterion(scores, labels), criterion(scores + offset, labels)
    assert least < 0.8 * without
    for n in range(len(offset)):
        one = torch.zeros_like(offset)
        one[n] = offset[n]
        assert criterion(scores + one, labels) <= without, n
        for step in (-0.3, 0.3):  # the loss is flat near its least
            other = offset.clone()
            other[n] += step
            assert criterion(scores + other, labels) >= least - 1e-5, (n, step)


@pytest.mark.parametrize("loss", ["bce", "asl", "db", "db*"])
def test_no_class_is_drawn_up_or_down_as_a_whole(loss, tmp_path):
    """The gradient vanishes there; asl's, which leaves the focusing weight out, as well."""
    scores, labels, criterion, offset = started(tmp_path, loss=loss, scale=20.0)
    slopes = []
    for start in (torch.zeros_like(offset), offset):
        level = start.clone().requires_grad_()
        criterion(scores + level, labels).backward()
        slopes.append(level.grad.abs())
    assert (slopes[1] < 0.05 * slopes[0]).all(), slopes


@pytest.mark.parametrize("cls", [HPDVAL, HPDVALReleased])
def test_the_loss_starts_lower_and_scores_do_not_have_it(cls, tmp_path):
    data, found = drawn_images.images(tmp_path, 8), {}
    for offset in settings.OFFSETS:
        method, run = cls(offset=offset, **STILL | {"loss": "bce"}), drawn_images.run(tmp_path)
        method.fit(data, run)
        found[offset] = method.predict(data.images, run), [c["loss"] for c in run.curve]
    scores, curve = found.pop("none")
    for other, lower in found.values():
        assert torch.equal(other, scores)
        assert all(a < 0.9 * b for a, b in zip(lower, curve, strict=True))
    assert scores.abs().max() <= run.clip.logit_scale * 1.001  # as they are: cosines, scaled


def test_none_is_the_equations_alone(tmp_path, computed):
    """The first epoch's loss by hand, at a rate of zero."""
    data, run = drawn_images.images(tmp_path, 8), drawn_images.run(tmp_path)
    method = HPDVAL(**STILL, batch_size=8, scale=7.0)
    method.fit(data, run)
    assert not computed
    labels = torch.tensor(data.labels)
    method.contexts = {}
    scores = method._scores(method._features(data.images, run))
    by_hand = method._criterion(labels, False)(7.0 * scores, labels)
    assert run.curve[0]["loss"] == pytest.approx(by_hand.item(), rel=1e-5)


def test_a_learned_one_starts_at_the_constant_and_moves(tmp_path, trained, computed):
    data = drawn_images.images(tmp_path, 8)
    HPDVAL(offset="learned", **QUICK).fit(data, drawn_images.run(tmp_path))
    assert [stage for stage, *_ in trained] == ["stage 1", "stage 2"]
    for (_, parameters, start), (_, best) in zip(trained, computed, strict=True):
        torch.testing.assert_close(20.0 * start[-1], best)
        moved = (parameters[-1] - start[-1]).abs()
        assert moved.min() > 0 and moved.max() < 0.1
    fixed = len(trained[0][1]) - 1
    HPDVAL(offset="fixed", **QUICK).fit(data, drawn_images.run(tmp_path))
    assert len(trained[2][1]) == fixed


def test_each_stage_computes_it_of_the_scores_that_it_starts_from(tmp_path, trained, computed):
    data, run = drawn_images.images(tmp_path, 8), drawn_images.run(tmp_path)
    method = HPDVAL(offset="fixed", **QUICK)
    method.fit(data, run)
    (first, one), (second, two) = computed
    assert first.shape == second.shape == (8, 5) and not torch.equal(one, two)
    contexts = trained[1][2]  # as stage 2 drew them, under the student that stage 1 left
    method.contexts = dict(zip(("global", "local"), contexts, strict=True))
    with torch.no_grad():
        again = 20.0 * method._scores(method._features(data.images, run))
    torch.testing.assert_close(second, again, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "options, stages",
    [
        ({}, ["stage 1", "stage 2"]),
        ({"joint": True}, ["joint"]),
        ({"stage2_epochs": 0}, ["stage 1"]),
    ],
)
def test_base_and_novel_and_joint_stages_have_it_too(options, stages, tmp_path, trained, computed):
    data = drawn_images.images(tmp_path, 5)
    based, method = (HPDVAL(offset="learned", **QUICK | options) for _ in range(2))
    based.fit_base(data, drawn_images.run(tmp_path, "base"))
    assert set(based.state()) == set(drawn_images.miniature_clip().visual.state_dict())
    method.load_state(based.state())
    method.fit(data, drawn_images.run(tmp_path, "episode"))
    assert [stage for stage, *_ in trained] == ["base", *stages]
    assert len(computed) == len(trained)
    for _, parameters, start in trained:
        assert parameters[-1].shape == (5,) and not torch.equal(parameters[-1], start[-1])
