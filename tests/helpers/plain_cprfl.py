"""CPRFL's head in the plain way, token by token, right or with one of the usual slips."""

import math

import torch

from baselines.cprfl_head import Head, Shape

SHAPE = Shape(places=7, text=5, width=6, hidden=3, heads=2, head_width=4, mlp=9)
IMAGES, CLASSES, HIGH, WIDE = 3, 4, 2, 3
SLIPS = (
    "skip around the attention", "skip around the mlp", "factor with a gradient",
    "columns first", "class tokens first", "text of length 1", "sum over classes",
    "tanh gelu", "attention scaled by the width", "heads interleaved",
    "prompts without their gradient",
)  # fmt: skip


def example(seed=0, depth=1):
    """A head with random weights, feature maps, text features and labels, all in float64."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    shape = Shape(**{**vars(SHAPE), "depth": depth})
    head = Head(shape).double().eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(0.7 * draw(*parameter.shape))
    maps, text = draw(IMAGES, SHAPE.places, HIGH, WIDE), draw(CLASSES, SHAPE.text)
    labels = (torch.rand(IMAGES, CLASSES, generator=generator) < 0.4).double()
    return head, maps.requires_grad_(), text.requires_grad_(), labels


def norm(x, weight, bias):
    centred = x - x.mean()
    return centred / (centred.square().mean() + 1e-5).sqrt() * weight + bias


def gelu(x, slip=None):
    if slip == "tanh gelu":
        return 0.5 * x * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh())
    return 0.5 * x * (1 + (x / math.sqrt(2)).erf())


def attention(w, tokens, slip):
    """Each head on its own, token by token, after the norm."""
    seen = torch.stack([norm(t, w["norm_1.weight"], w["norm_1.bias"]) for t in tokens])
    inner, size = SHAPE.heads * SHAPE.head_width, SHAPE.head_width
    query, key, value = ((w["qkv.weight"] @ seen.T).T[:, n * inner :][:, :inner] for n in range(3))
    scale = 1 / size if slip == "attention scaled by the width" else size**-0.5
    mixed = []
    for head in range(SHAPE.heads):
        own = range(head * size, (head + 1) * size)
        if slip == "heads interleaved":
            own = range(head, inner, SHAPE.heads)
        q, k, v = (each[:, list(own)] for each in (query, key, value))
        mixed.append((scale * q @ k.T).softmax(dim=1) @ v)
    out = torch.cat(mixed, dim=1) @ w["out.weight"].T + w["out.bias"]
    return out + tokens if slip == "skip around the attention" else out


def mlp(w, tokens, slip):
    seen = torch.stack([norm(t, w["norm_2.weight"], w["norm_2.bias"]) for t in tokens])
    inside = gelu(seen @ w["up.weight"].T + w["up.bias"], slip)
    out = inside @ w["down.weight"].T + w["down.bias"]
    return out + tokens if slip == "skip around the mlp" else out


def plain(head, maps, text, labels, slip=None):
    """All that the head makes of its input, place by place: see the keys."""
    w = dict(head.named_parameters())
    text = text / text.norm(dim=1, keepdim=True) if slip == "text of length 1" else text
    inside = gelu(text @ w["prompts.0.weight"].T + w["prompts.0.bias"], slip)
    prompts = inside @ w["prompts.2.weight"].T + w["prompts.2.bias"]
    order = [(r, c) for r in range(HIGH) for c in range(WIDE)]
    if slip == "columns first":
        order = [(r, c) for c in range(WIDE) for r in range(HIGH)]
    before, after, scores = [], [], []
    for image in maps:
        seen = torch.stack([image[:, r, c] for r, c in order])
        seen = seen @ w["places.weight"].T + w["places.bias"]
        first = slip == "class tokens first"
        tokens = torch.cat([prompts, seen] if first else [seen, prompts])
        before.append(tokens)
        for n in range(len(head.blocks)):
            own = {k.removeprefix(f"blocks.{n}."): v for k, v in w.items()}
            tokens = mlp(own, attention(own, tokens, slip), slip)
        after.append(tokens)
        ends = prompts.detach() if slip == "prompts without their gradient" else prompts
        scores.append(((tokens[:CLASSES] if first else tokens[-CLASSES:]) * ends).sum(1))
    scores = torch.stack(scores)
    return {
        "prompts": prompts,
        "tokens_in": torch.stack(before),
        "tokens_out": torch.stack(after),
        "score": scores,
        "loss": asymmetric(scores, labels, slip),
    }


def asymmetric(scores, labels, slip=None):
    p = 1 / (1 + (-scores).exp())
    q = (1 - p + 0.05).clamp(max=1)
    factor = (1 - q) ** 4
    factor = factor if slip == "factor with a gradient" else factor.detach()
    terms = labels * p.clamp(min=1e-8).log()
    terms = terms + (1 - labels) * factor * q.clamp(min=1e-8).log()
    return -terms.sum(1).mean() if slip == "sum over classes" else -terms.mean()
