"""Prompt methods on images made of text features: they find the known right answer."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from baselines.coop import CoOp
from baselines.dualcoop import DualCoOp
from baselines.zeroshot import ZeroShot
from benchmark.clip.prompts import PromptEncoder, template_features
from tests.helpers import drawn_images, prompt_task


def test_the_hidden_context_is_a_right_answer_that_class_names_are_not():
    toy, data = prompt_task.under_hidden()
    encoder = PromptEncoder(drawn_images.miniature_clip(), prompt_task.NAMES)
    text = F.normalize(encoder(prompt_task.hidden()), dim=-1)
    assert prompt_task.mean_ap(toy.whole @ text.T, data) == 100
    method = ZeroShot()
    method.fit(data, toy)
    assert prompt_task.mean_ap(method.predict(data.images, toy), data) < 75


def test_zeroshot_scores_are_scaled_cosines_with_the_template():
    text = template_features(drawn_images.miniature_clip(), prompt_task.NAMES, "a photo of a {}.")
    toy, data = prompt_task.made(text)
    method = ZeroShot()
    method.fit(data, toy)
    scores = method.predict(data.images, toy)
    assert torch.equal(scores.argmax(1), torch.tensor(data.labels).argmax(1))
    torch.testing.assert_close(scores.max(1).values, torch.full((50,), toy.clip.logit_scale))
    other = ZeroShot(template="{}")
    other.fit(data, toy)
    assert not torch.allclose(other.predict(data.images, toy), scores)


@pytest.mark.parametrize(
    "method",
    [
        CoOp(epochs=30, lr=0.1, warmup=0, context=4, loss="bce"),
        CoOp(epochs=30, lr=0.02, warmup=0, context=4, loss="asl"),
        CoOp(epochs=30, lr=0.5, warmup=0, context=4, loss="bce", class_specific=True),
        DualCoOp(epochs=60, lr=0.1, warmup=0, context=4, loss_weight=0.3),
    ],
    ids=["coop", "coop-asl", "coop-specific", "dualcoop"],
)
def test_learned_contexts_find_the_right_answer(method):
    toy, data = prompt_task.under_hidden()
    before, after = prompt_task.learned(method, toy, data)
    assert before < 75 and after > 90, (before, after)  # the hidden context has 100
    losses = [c["loss"] for c in toy.curve]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("cls", [CoOp, DualCoOp])
def test_a_base_stage_carries_its_contexts_into_an_episode(cls):
    """Base classes under the hidden context teach it; novel ones then need no training."""
    toy, data = prompt_task.under_hidden()
    settings = {"context": 4, "warmup": 0, "lr": 0.1, "base": True}
    based = cls(epochs=40, **settings)
    based.fit_base(data, toy)
    assert {c["stage"] for c in toy.curve} == {"base"}
    state = {k: v.clone() for k, v in based.state().items()}
    episode = cls(epochs=0, **settings)
    episode.load_state(state)
    episode.fit(data, toy)
    fresh = cls(epochs=0, **settings)
    fresh.fit(data, toy)
    with_base, without = (
        prompt_task.mean_ap(m.predict(data.images, toy), data) for m in (episode, fresh)
    )
    assert with_base > without + 10
    for name, value in episode.state().items():
        assert torch.equal(value, state[name]) and value.data_ptr() != state[name].data_ptr()
