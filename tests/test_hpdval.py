"""HP-DVAL's equations by hand, its two stages, and both presets."""

import pytest
import small
import torch
import torch.nn.functional as F

from benchmark.method import hyperparameters
from hpdval import equations
from hpdval.hpdval import HPDVAL
from hpdval.released import HPDVALReleased


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
    method = HPDVAL(stage1_epochs=4, stage1_lr=1e-4, stage2_epochs=0, batch_size=8, scale=20.0)
    method.fit(small.images(tmp_path, 8), small.run(tmp_path))
    assert seen[0] == pytest.approx(0, abs=1e-5)
    assert seen[1] > 100 * max(seen[0], 1e-7) and seen[-1] > seen[1]


def test_stage_1_trains_the_student_and_stage_2_the_contexts_alone(tmp_path):
    data, clip = small.images(tmp_path, 10), small.the_clip()
    options = {"stage1_lr": 1e-4, "stage2_lr": 1e-3, "batch_size": 5, "scale": 20.0}
    one = HPDVAL(stage1_epochs=2, stage2_epochs=0, **options)
    both = HPDVAL(stage1_epochs=2, stage2_epochs=3, **options)
    for method in (one, both):
        method.fit(data, small.run(tmp_path))
    after_one, after_both = one.student.state_dict(), both.student.state_dict()
    frozen = clip.visual.state_dict()
    assert all(torch.equal(after_one[k], after_both[k]) for k in frozen)
    assert any(not torch.equal(after_one[k], frozen[k]) for k in frozen)
    assert one.learned is None and set(both.learned) == {"global", "local"}
    assert both.learned["global"].shape == (4, 128)
    assert not torch.equal(both.learned["global"], both.learned["local"])


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
    data, run = small.images(tmp_path, 8), small.run(tmp_path)
    options = {"stage1_epochs": 1, "stage2_epochs": 0, "batch_size": 8}
    HPDVAL(augment="crop+cutout", **options).fit(data, run)
    HPDVAL(**options).fit(data, run)
    (student, teacher), (plain, plain_teacher) = seen
    torch.testing.assert_close(student, teacher, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(plain, plain_teacher, rtol=1e-4, atol=1e-5)
    assert (student - plain).abs().mean() > 1e-2
    assert not any(p.grad is not None for p in run.clip.model.parameters())


def test_semantic_consistency_holds_the_tied_context_near_the_template(tmp_path):
    data = small.images(tmp_path, 10)
    distances = {}
    for weight in (0.0, 50.0):
        method = HPDVAL(
            stage1_epochs=0, stage2_epochs=30, stage2_lr=5e-3, scale=20.0, consistency=weight
        )
        run = small.run(tmp_path)
        method.fit(data, run)
        text = method._text(run.clip)
        distances[weight] = equations.semantic_consistency(
            F.normalize(text["global"], dim=-1), method.prompt
        ).item()
    assert distances[50.0] < 0.6 * distances[0.0]


def test_the_presets_say_what_the_text_and_the_code_say():
    text, code = hyperparameters(HPDVAL), hyperparameters(HPDVALReleased)
    assert set(text) == set(code)
    assert (text["alpha"], text["k"], text["context"]) == (0.4, 32, 4)
    assert (text["stage1_lr"], text["stage1_epochs"], text["stage2_lr"]) == (1e-5, 20, 5e-6)
    assert (text["similarity"], text["tied"], text["positive"]) == ("cosine", "global", "frequency")
    assert (code["alpha"], code["k"], code["batch_size"], code["ema"]) == (0.5, 16, 16, 0.998)
    assert (code["similarity"], code["tied"], code["positive"]) == ("released", "local", "5.0")
    assert code["focal_on"] == "batch" and code["distillation"] == 0.0
    assert (text["augment"], code["augment"]) == ("none", "cutout+randaugment")
