"""Each loss by name against its formula in a plain loop, in float64: values and gradients."""

import math

import pytest
import torch

from benchmark.method import losses

IMAGES, CLASSES = 9, 5
KAPPA, SHIFT, BETA, BALANCE = 0.05, 0.1, 10.0, 2.0  # DB's constants that both data sets share


def example(seed=0):
    """Logits, labels and class counts; class 4 is in one image and image 3 has no label."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(IMAGES, CLASSES, generator=generator, dtype=torch.float64)
    labels = (torch.rand(IMAGES, CLASSES, generator=generator) < 0.4).double()
    labels[:, 4] = 0
    labels[0, 4] = 1
    labels[3] = 0
    return logits, labels, labels.sum(0).tolist()


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def entropy(x, y):
    return math.log1p(math.exp(-x if y else x))


def bce(s, y, counts):
    return sum(entropy(x, t) for x, t in zip(s, y, strict=True)) / CLASSES


def mls(s, y, counts):
    total = sum(math.exp(x) for x in s)
    return sum(-math.log(math.exp(x) / total) / sum(y) for x, t in zip(s, y, strict=True) if t)


def focal(s, y, counts, gamma=2.0):
    terms = (entropy(x, t) for x, t in zip(s, y, strict=True))
    return sum((1 - math.exp(-e)) ** gamma * e for e in terms) / CLASSES


def class_balanced(counts, beta):
    weights = [(1 - beta) / (1 - beta**n) for n in counts]
    return [CLASSES * w / sum(weights) for w in weights]


def cb_focal(s, y, counts, beta=0.9999, gamma=2.0, by="image"):
    weights = class_balanced(counts, beta)
    if by == "class":
        each = (w * focal([x], [t], counts, gamma) for x, t, w in zip(s, y, weights, strict=True))
        return sum(each)
    own = [w for w, t in zip(weights, y, strict=True) if t]
    return focal(s, y, counts, gamma) * (sum(own) / len(own) if own else 1)


def asl(s, y, point, gamma_neg=4.0, gamma_pos=0.0, clip=0.05):
    """The focusing weights pass no gradient: they are those of the `point` where it is taken."""
    total = 0.0
    for x, t, at in zip(s, y, point, strict=True):
        p, q = sigmoid(x), sigmoid(at)
        if t:
            total -= (1 - q) ** gamma_pos * math.log(p)
        else:
            total -= max(q - clip, 0) ** gamma_neg * math.log(1 - max(p - clip, 0))
    return total


def db(s, y, counts, mu, neg_scale, factors):
    rates = sum(1 / n for n, t in zip(counts, y, strict=True) if t)
    total = 0.0
    for x, t, n, w in zip(s, y, counts, factors, strict=True):
        p = (1 / n) / rates if rates else math.inf
        r = SHIFT + (sigmoid(BETA * (p - mu)) if rates else 1)
        v = math.log(IMAGES / n - 1) * KAPPA / neg_scale
        e = entropy(w * (x - v), 1) if t else entropy(neg_scale * (x - v), 0) / neg_scale
        focal_of = entropy(w * (x - v), 1) if t else entropy(neg_scale * (x - v), 0)
        total += BALANCE * r * (1 - math.exp(-focal_of)) ** 2 * e
    return total / CLASSES


def frequencies(counts):
    return [n / max(counts) for n in counts]


ONES, COCO, VOC = (lambda counts: [1.0] * CLASSES), (0.2, 2.0), (0.3, 5.0)
CASES = {
    "bce": ("bce", {}, bce),
    "mls": ("mls", {}, mls),
    "focal": ("focal", {}, focal),
    "focal 0.5": ("focal", {"gamma": 0.5}, lambda *a: focal(*a, gamma=0.5)),
    "cb-focal": ("cb-focal", {}, cb_focal),
    "cb-focal 0.9": ("cb-focal", {"beta": 0.9}, lambda *a: cb_focal(*a, beta=0.9)),
    "cb-focal class": ("cb-focal", {"by": "class"}, lambda *a: cb_focal(*a, by="class")),
    "db": ("db", {}, lambda s, y, c: db(s, y, c, *COCO, ONES(c))),
    "db*": ("db*", {}, lambda s, y, c: db(s, y, c, *COCO, frequencies(c))),
    "db* scalar": ("db*", {"positive": 5.0}, lambda s, y, c: db(s, y, c, *COCO, [5.0] * CLASSES)),
}


def compare(loss, definition, logits, labels):
    """Value, and gradient by central differences of definition(logits, labels, point) of a row."""
    x = logits.clone().requires_grad_()
    value = loss(x, labels)
    value.backward()
    assert value.dtype == torch.float64
    rows = list(zip(logits.tolist(), labels.tolist(), strict=True))
    expected = sum(definition(s, y, s) for s, y in rows) / IMAGES
    assert value.item() == pytest.approx(expected, rel=1e-9)
    slopes = torch.zeros_like(logits)
    for n, (s, y) in enumerate(rows):
        for c in range(CLASSES):
            up, down = ([v + step * (i == c) for i, v in enumerate(s)] for step in (1e-5, -1e-5))
            rise = definition(up, y, s) - definition(down, y, s)
            slopes[n, c] = rise / 2e-5 / IMAGES
    assert slopes.abs().max() > 1e-4
    assert (x.grad - slopes).abs().max() <= 1e-6 * slopes.abs().max()


@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_are_those_of_the_definition(case):
    name, options, definition = CASES[case]
    logits, labels, counts = example()
    loss = losses.make(name, labels, "coco", **options)
    compare(loss, lambda s, y, _: definition(s, y, counts), logits, labels)


@pytest.mark.parametrize("name, factors", [("db", ONES), ("db*", frequencies)])
def test_the_constants_of_voc(name, factors):
    logits, labels, counts = example(1)
    loss = losses.make(name, labels, "voc")
    compare(loss, lambda s, y, _: db(s, y, counts, *VOC, factors(counts)), logits, labels)


@pytest.mark.parametrize("options", [{}, {"gamma_neg": 2.0, "gamma_pos": 1.0, "clip": 0.1}])
def test_the_asymmetric_loss_with_its_weights_held_fixed(options):
    logits, labels, _ = example()
    loss = losses.make("asl", labels, "coco", **options)
    compare(loss, lambda s, y, point: asl(s, y, point, **options), logits, labels)


def test_class_balanced_weights_go_from_none_to_the_inverse_frequency():
    counts = torch.tensor([1.0, 10, 1000])
    even = losses.ClassBalancedFocal(counts, beta=0.0).weights
    assert even.tolist() == [1.0, 1.0, 1.0]
    steep = losses.ClassBalancedFocal(counts, beta=1 - 1e-9).weights
    torch.testing.assert_close(steep, (3 / counts) / (1 / counts).sum(), rtol=1e-4, atol=0)


def test_the_softmax_orders_classes_and_not_images():
    logits, labels, _ = example()
    shifted = logits + torch.arange(IMAGES)[:, None]
    one, other = (losses.multilabel_softmax(x, labels) for x in (logits, shifted))
    torch.testing.assert_close(one, other)
