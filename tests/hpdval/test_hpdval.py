"""HP-DVAL's equations by hand, its stages alone and jointly, a toy whose answer is known."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from benchmark import metrics
from benchmark.data import images
from hpdval import equations
from hpdval.hpdval import HPDVAL
from tests.helpers import drawn_images
from tests.helpers.plain_training import PLAIN


def views(seed=0, patches=36):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((2, 8), (2, patches, 8), (3, 8), (3, 8))
    return [torch.randn(*shape, generator=generator) for shape in shapes]


def test_k_is_the_same_share_of_fewer_patches():
    assert equations.top_k(32, 196) == 32
    assert equations.top_k(32, 36) == 6
    assert equations.top_k(1, 36) == 1


def test_dual_view_score_by_hand():
    whole, patches, text_global, text_local = views()
    score = equations.cosine_scores(whole, patches, text_global, text_local, 0.4, 32)
    for n in range(2):
        for c in range(3):
            local = [F.cosine_similarity(p, text_local[c], dim=0).item() for p in patches[n]]
            best = sum(sorted(local)[-6:]) / 6
            expected = 0.4 * F.cosine_similarity(whole[n], text_global[c], dim=0) + 0.6 * best
            assert score[n, c].item() == pytest.approx(expected.item(), rel=1e-5)


def test_alpha_weighs_the_global_view_in_the_paper_and_the_local_one_in_the_code():
    whole, patches, text_global, text_local = views()
    other = patches.flip(2)
    paper = [
        equations.cosine_scores(whole, p, text_global, text_local, 1.0, 16)
        for p in (patches, other)
    ]
    code = [
        equations.released_scores(whole, p, text_global, text_local, 0.0, 16)
        for p in (patches, other)
    ]
    assert torch.equal(*paper) and torch.equal(*code)


def test_the_released_score_forgets_every_scale():
    whole, patches, text_global, text_local = views()
    one = equations.released_scores(whole, patches, text_global, text_local, 0.5, 16)
    many = equations.released_scores(7 * whole, 3 * patches, 5 * text_global, text_local, 0.5, 16)
    torch.testing.assert_close(one, many)


def test_distillation_is_zero_at_the_first_step_and_grows(tmp_path, monkeypatch):
    seen = []
    real = equations.distillation

    def spy(student, teacher):
        seen.append(real(student, teacher).item())
        return real(student, teacher)

    monkeypatch.setattr(equations, "distillation", spy)
    method = HPDVAL(
        stage1_epochs=4, stage1_lr=1e-4, stage2_epochs=0, batch_size=8, scale=20.0, **PLAIN
    )
    method.fit(drawn_images.images(tmp_path, 8), drawn_images.run(tmp_path))
    assert seen[0] == pytest.approx(0, abs=1e-5)
    assert seen[1] > 100 * max(seen[0], 1e-7) and seen[-1] > seen[1]


def test_stage_1_trains_the_student_and_stage_2_the_contexts_alone(tmp_path):
    data, clip = drawn_images.images(tmp_path, 10), drawn_images.miniature_clip()
    options = PLAIN | {"stage1_lr": 1e-4, "stage2_lr": 1e-3, "batch_size": 5, "scale": 20.0}
    one = HPDVAL(stage1_epochs=2, stage2_epochs=0, **options)
    both = HPDVAL(stage1_epochs=2, stage2_epochs=3, **options)
    for method in (one, both):
        method.fit(data, drawn_images.run(tmp_path))
    after_one, after_both = one.image_tower.state_dict(), both.image_tower.state_dict()
    frozen = clip.visual.state_dict()
    assert all(torch.equal(after_one[k], after_both[k]) for k in frozen)
    assert any(not torch.equal(after_one[k], frozen[k]) for k in frozen)
    assert not one.contexts and set(both.contexts) == {"global", "local"}
    assert both.contexts["global"].shape == (4, 128)
    assert not torch.equal(both.contexts["global"], both.contexts["local"])


def test_with_an_augmentation_the_teacher_sees_the_view_that_the_student_sees(
    tmp_path, monkeypatch
):
    """At the first step both are the same network, so their features agree on any view."""
    seen = []
    real = equations.distillation

    def spy(student, teacher):
        seen.append((student.detach().clone(), teacher.clone()))
        return real(student, teacher)

    monkeypatch.setattr(equations, "distillation", spy)
    data, run = drawn_images.images(tmp_path, 8), drawn_images.run(tmp_path)
    options = {"stage1_epochs": 1, "stage2_epochs": 0, "batch_size": 8}
    HPDVAL(augment="crop+cutout", **options).fit(data, run)
    HPDVAL(augment="none", **options).fit(data, run)
    (student, teacher), (plain, plain_teacher) = seen
    torch.testing.assert_close(student, teacher, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(plain, plain_teacher, rtol=1e-4, atol=1e-5)
    assert (student - plain).abs().mean() > 1e-2
    assert not any(p.grad is not None for p in run.clip.model.parameters())


def test_semantic_consistency_holds_the_tied_context_near_the_template(tmp_path):
    data = drawn_images.images(tmp_path, 10)
    distances = {}
    for weight in (0.0, 50.0):
        method = HPDVAL(
            stage1_epochs=0,
            stage2_epochs=30,
            stage2_lr=5e-3,
            scale=20.0,
            consistency=weight,
            **PLAIN,
        )
        run = drawn_images.run(tmp_path)
        method.fit(data, run)
        text = method._text()
        distances[weight] = equations.semantic_consistency(
            F.normalize(text["global"], dim=-1), method.prompt
        ).item()
    assert distances[50.0] < 0.6 * distances[0.0]


@pytest.mark.parametrize("learned", ["global", "local"])
def test_a_context_that_is_not_learned_keeps_the_template(learned, tmp_path):
    data = drawn_images.images(tmp_path, 10)
    options = PLAIN | {"stage1_epochs": 0, "stage2_epochs": 2, "stage2_lr": 1e-3, "scale": 20.0}
    one = HPDVAL(learned=learned, consistency=0.0, **options)
    held = HPDVAL(learned=learned, **options)
    start = HPDVAL(**options | {"stage2_lr": 0.0})
    for method in (one, held, start):
        method.fit(data, drawn_images.run(tmp_path))
    (other,) = {"global", "local"} - {learned}
    assert set(one.contexts) == {learned}
    assert torch.equal(one._text()[other], one.prompt)
    assert not torch.equal(one.contexts[learned], start.contexts[learned])
    # Only the global context is tied: the consistency has nothing to hold where it is fixed.
    assert torch.equal(one.contexts[learned], held.contexts[learned]) == (learned == "local")


def test_the_template_as_a_context_is_consistent(tmp_path):
    """From "a photo of a", the learned prompt is the template with a full stop, so L_sc is 0."""
    method = HPDVAL(
        stage1_epochs=0, stage2_epochs=1, stage2_lr=0.0, init="a photo of a",
        template="a photo of a {}.",
    )  # fmt: skip
    method.fit(drawn_images.images(tmp_path, 6), drawn_images.run(tmp_path))
    text = method._text()
    for view in ("global", "local"):
        tied = equations.semantic_consistency(F.normalize(text[view], dim=-1), method.prompt)
        assert tied.item() < 1e-6
    random = HPDVAL(stage1_epochs=0, stage2_epochs=1, stage2_lr=0.0)
    random.fit(drawn_images.images(tmp_path, 6), drawn_images.run(tmp_path))
    assert random._consistent(random._text()).item() > 1e-3


def test_joint_training_moves_tower_and_contexts_in_one_stage(tmp_path):
    data, clip = drawn_images.images(tmp_path, 10), drawn_images.miniature_clip()
    options = PLAIN | {"stage1_epochs": 2, "stage1_lr": 1e-4, "batch_size": 5, "scale": 20.0}
    method, run = HPDVAL(joint=True, **options), drawn_images.run(tmp_path)
    start = HPDVAL(joint=True, **options | {"stage1_lr": 0.0})
    method.fit(data, run)
    start.fit(data, drawn_images.run(tmp_path))
    assert [entry["stage"] for entry in run.curve] == ["joint", "joint"]
    tower = method.image_tower.state_dict()
    assert any(not torch.equal(tower[k], v) for k, v in clip.visual.state_dict().items())
    for view in ("global", "local"):
        assert not torch.equal(method.contexts[view], start.contexts[view])


def test_the_objectives():
    cls, kd, sc = (torch.tensor(x) for x in (1.0, 0.5, 0.25))
    assert equations.first_objective(cls, kd).item() == 1.5
    assert equations.second_objective(cls, sc, 2.0).item() == 1.5
    assert equations.joint_objective(cls, kd, sc).item() == 1.375


def test_joint_training_halves_both_terms(tmp_path):
    """On one batch before any step: its loss is L_cls + (L_kd + L_sc) / 2, with L_kd = 0."""
    data = drawn_images.images(tmp_path, 6)
    options = PLAIN | {"stage1_epochs": 1, "stage1_lr": 0.0, "stage2_lr": 0.0, "stage2_epochs": 1}
    losses = {}
    for name, settings in {
        "joint": {"joint": True},
        "joint without": {"joint": True, "consistency": 0.0},
        "second": {},
        "second without": {"consistency": 0.0},
    }.items():
        method, run = HPDVAL(batch_size=6, **options, **settings), drawn_images.run(tmp_path)
        method.fit(data, run)
        losses[name] = run.curve[-1]["loss"]
    tied = losses["second"] - losses["second without"]
    assert tied > 1e-3
    assert losses["joint"] - losses["joint without"] == pytest.approx(tied / 2, rel=1e-3)


COLOURS = np.array([[220, 30, 30], [30, 200, 40], [40, 60, 220], [230, 220, 40], [20, 20, 20]])


def colours(folder, count, seed):
    """Pictures of two colours, left and right; CLIP's words for them are those of other things."""
    rng = np.random.default_rng(seed)
    labels, paths = np.zeros((count, 5), np.float32), []
    for row in range(count):
        halves = [row % 5, rng.integers(5)]
        labels[row, halves] = 1
        pixels = COLOURS[halves].repeat(48, axis=0)[None].repeat(96, axis=0)
        pixels = pixels + rng.normal(0, 15, pixels.shape)
        paths.append(f"colour-{seed}-{row}.png")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / paths[-1])
    return dataclasses.replace(
        drawn_images.images(folder, 1), images=images.ImageList(folder, tuple(paths)), labels=labels
    )


def test_it_finds_the_known_answer_of_a_toy(tmp_path):
    """A colour is a class. Nothing tells which but training, and a colour is easily seen."""
    train, test = colours(tmp_path, 30, 0), colours(tmp_path, 20, 1)
    found = {}
    for epochs in (0, 5):
        method = HPDVAL(
            scale=20.0, stage1_epochs=epochs, stage1_lr=3e-4, batch_size=6, stage2_epochs=2,
            stage2_lr=1e-4, **PLAIN,
        )  # fmt: skip
        method.fit(train, drawn_images.run(tmp_path))
        scores = method.predict(test.images, drawn_images.run(tmp_path)).numpy()
        found[epochs] = metrics.evaluate(scores, test.labels, {}).metrics["map"]
    assert found[0] < 70 and found[5] > 99, found
