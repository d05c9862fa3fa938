"""CPRFL's head against its formula in plain float64; the usual slips are told from it."""

import pytest
import torch

from baselines.cprfl_head import Head
from baselines.cprfl_trunks import places
from benchmark.method import losses
from tests.helpers.plain_cprfl import HIGH, SHAPE, SLIPS, WIDE, asymmetric, example, plain


def ours(head, maps, text, labels):
    scores, prompts = head(places(maps), text), head.prompts(text)
    tokens = head.tokens(places(maps), prompts)
    return {
        "prompts": prompts,
        "tokens_in": tokens,
        "tokens_out": head.refined(tokens),
        "score": scores,
        "loss": losses.make_mean("asl", labels, "coco")(scores, labels),
    }


def errors(slip, depth=1):
    """How far our tensors and each gradient of the loss are from the formula's, relative."""
    head, maps, text, labels = example(depth=depth)
    inputs, both = [maps, text, *head.parameters()], []
    for found in (ours(head, maps, text, labels), plain(head, maps, text, labels, slip)):
        both.append([*found.values(), *torch.autograd.grad(found["loss"], inputs)])
    return [float((a - b).detach().norm() / b.detach().norm()) for a, b in zip(*both, strict=True)]


@pytest.mark.parametrize("depth", [1, 2])
def test_values_and_all_gradients_are_the_formulas(depth):
    assert max(errors(None, depth)) < 1e-10


@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_told_from_it(slip):
    assert max(errors(slip)) > 1e-3  # the authors' numbers are held to 1e-4


def test_the_loss_beyond_the_clip_and_far_out():
    """Negatives below probability 0.05 cost nothing; nothing is infinite."""
    x = torch.tensor([[-40.0, -3.5, -2.0, 0.0, 40.0]] * 2, dtype=torch.float64).requires_grad_()
    y = torch.tensor([[0.0] * 5, [1.0] * 5], dtype=torch.float64)
    loss, expected = losses.make_mean("asl", y, "coco")(x, y), asymmetric(x, y)
    torch.testing.assert_close(loss, expected)
    slopes = [torch.autograd.grad(each, [x])[0] for each in (loss, expected)]
    torch.testing.assert_close(*slopes)
    assert slopes[0][0, :2].eq(0).all() and slopes[0][0, 2] > 0


def test_other_losses_go_by_their_own_mean():
    _, _, _, labels = example()
    x = torch.linspace(-3, 3, labels.numel()).view_as(labels)
    for name in ("bce", "db"):
        own = losses.make(name, labels, "voc")(x, labels)
        assert torch.equal(losses.make_mean(name, labels, "voc")(x, labels), own)


def test_what_is_read_does_not_depend_on_what_is_left_out():
    head, maps, text, _ = example(depth=2)
    tokens = head.tokens(places(maps), head.prompts(text))
    whole, part = head.refined(tokens), head.refined(tokens, first=HIGH * WIDE)
    torch.testing.assert_close(part, whole[:, HIGH * WIDE :], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("where, dropped", [("all", "am"), ("attention", "a"), ("mlp", "m")])
def test_dropout_acts_where_it_is_asked_for_in_training_alone(where, dropped):
    head = Head(SHAPE, 0.25, where)
    (block,) = head.blocks
    assert block.drop_1.p == (0.25 if "a" in dropped else 0)
    assert block.drop_2.p == (0.25 if "m" in dropped else 0)
    calls = []
    for drop in (block.drop_1, block.drop_2):
        drop.register_forward_hook(lambda module, inputs, out: calls.append((module, out.shape)))
    x = torch.randn(2, 5, SHAPE.width)
    block(x)
    widths = [shape[-1] for _, shape in calls]
    assert widths == [SHAPE.width, SHAPE.mlp, SHAPE.width], "after attention and both MLP layers"
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))
