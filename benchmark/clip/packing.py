"""Texts through a causal text tower: exactly, without work that no result depends on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Heads = Sequence[Tensor]  # queries, keys and values of H heads, or some of them


class Packing:
    """C runs of 1 or more tokens each, one after the other: T tokens, and no padding.

    Attention alone needs the tokens of a run side by side. It sees them in a grid of C rows and as
    many columns as the longest run has tokens, L; what is in a place that no token fills never
    reaches a token, because the tower is causal.

    rows           C
    within (T,)    each token's position in its own run
    ends (C,)      where the last token of each run lies among the T
    places (T,)    where each token lies among the C L places of the grid
    fill (C L,)    which token goes to each place; where there is none, some other one
    after (L, L)   -inf where a column comes after a row, else 0
    absent (C, 1, L)   -inf at places that no token fills, else 0
    """

    def __init__(self, lengths: Sequence[int], device: str | torch.device = "cpu") -> None:
        size = torch.tensor(lengths)
        self.rows, columns = len(lengths), max(lengths)
        self.ends = (size.cumsum(0) - 1).to(device)
        filled = torch.arange(columns) < size[:, None]  # (C, L)
        self.within = filled.nonzero()[:, 1].to(device)
        self.places = filled.flatten().nonzero()[:, 0].to(device)
        self.fill = (filled.flatten().cumsum(0) - 1).to(device)
        self.after = torch.full((columns, columns), float("-inf")).triu(1).to(device)
        self.absent = self.after[size - 1][:, None]

    def grid(self, tokens: Tensor) -> Tensor:
        """(B, T, ...) to (B, C L, ...)."""
        return tokens.index_select(1, self.fill)

    def tokens(self, grid: Tensor) -> Tensor:
        """(B, C L, ...) to (B, T, ...)."""
        return grid.index_select(1, self.places)


class Runs:
    """What follows a prefix of P tokens: C runs, ready for the first block of the tower.

    embedded  (B, T, W), packed, without positions; B is 1 if the runs are one for all prefixes
    As long as they do not change, neither does what they ask and answer in the first block.
    """

    def __init__(self, tower: nn.Module, embedded: Tensor, packing: Packing, seen: int) -> None:
        self.packing = packing
        self.states = embedded + tower.positional_embedding[seen + packing.within]
        first = tower.transformer.resblocks[0]
        self.heads = _heads(first, packing.grid(_inner(first, first.ln_1(self.states))))


def features_at_end(tower: nn.Module, prefix: Tensor, runs: Runs) -> Tensor:
    """Text features (B, C, D), not normalised, of B x C texts: those of their last tokens.

    prefix   embeddings (B, P, W), without positions, of what the C texts of each b begin with
    The tower is causal. So the states of a prefix are computed once and not once a run, nothing
    after a last token is computed, and of the last block only what the last tokens need. Nothing
    is padded but inside the attention. Gradients flow to prefix and runs.
    """
    count, seen = prefix.shape[:2]
    packing, heads = runs.packing, runs.heads
    prefix = prefix + tower.positional_embedding[:seen]
    x = torch.cat([prefix, runs.states.expand(count, -1, -1)], dim=1)
    *blocks, last = tower.transformer.resblocks
    for block in blocks:
        if block is blocks[0]:
            before, after = _heads(block, _inner(block, block.ln_1(prefix))), heads
        else:
            before, after = _both(block, _inner(block, block.ln_1(x)), seen, packing)
        own = _joined(F.scaled_dot_product_attention(*before, is_causal=True))
        query, *near = after
        mixed = packing.tokens(_attend(query, near, before[1:], packing.rows, packing.after))
        x = _residual(block, x, torch.cat([own, mixed], dim=1))
    ends = _last_block(last, x, seen, packing)
    return tower.ln_final(ends) @ tower.text_projection


def text_features(tower: nn.Module, tokens: Tensor) -> Tensor:
    """Text features (P, D), not normalised, of the tokens (P, L) of P whole texts, in one pass.

    What all of them begin with is computed once. Gradients flow to the tower, where it is trained.
    """
    device, embedded = tower.positional_embedding.device, tower.token_embedding
    lengths = (tokens.argmax(dim=1) + 1).tolist()  # EOS has the highest id
    differ = (tokens != tokens[0]).any(dim=0).nonzero().flatten().tolist()
    seen = min([*differ[:1], min(lengths) - 1])  # at least EOS is a text's own
    tails = torch.cat([row[seen:n] for row, n in zip(tokens, lengths, strict=True)])
    prefix, tails = (embedded(ids[None].to(device)) for ids in (tokens[0, :seen], tails))
    packing = Packing([n - seen for n in lengths], device)
    return features_at_end(tower, prefix, Runs(tower, tails, packing, seen))[0]


def _last_block(block: nn.Module, x: Tensor, seen: int, packing: Packing) -> Tensor:
    """The last block's states (B, C, W) at the runs' last tokens, of all states (B, P + T, W)."""
    normed, ends = block.ln_1(x), seen + packing.ends
    before, after = _both(block, _inner(block, normed, first=1), seen, packing)
    (query,) = _heads(block, _inner(block, normed.index_select(1, ends), until=1))
    mixed = _attend(query, after, before, packing.rows, packing.absent)
    return _residual(block, x.index_select(1, ends), mixed)


def _inner(block: nn.Module, normed: Tensor, first: int = 0, until: int = 3) -> Tensor:
    """Queries, keys and values, or some n of them, (B, N, n W), of normalised states (B, N, W)."""
    attention = block.attn
    rows = slice(first * attention.embed_dim, until * attention.embed_dim)
    return F.linear(normed, attention.in_proj_weight[rows], attention.in_proj_bias[rows])


def _heads(block: nn.Module, inner: Tensor) -> Heads:
    """What `_inner` gives as n tensors (B, H, N, d)."""
    split = inner.unflatten(-1, (-1, block.attn.num_heads, block.attn.head_dim))
    return split.permute(2, 0, 3, 1, 4).contiguous().unbind()


def _both(block: nn.Module, inner: Tensor, seen: int, packing: Packing) -> tuple[Heads, Heads]:
    """Heads of the prefixes, (B, H, P, d) each, and of the runs in the grid, (B, H, C L, d)."""
    before, after = inner.split([seen, inner.shape[1] - seen], dim=1)
    return _heads(block, before), _heads(block, packing.grid(after))


def _attend(query: Tensor, near: Heads, far: Heads, rows: int, hidden: Tensor) -> Tensor:
    """What C = `rows` runs, each with its own Q queries, take from the prefix and from themselves.

    query    (B, H, C Q, d)
    near     keys and values of the runs, (B, H, C L, d) each
    far      those of the prefix, (B, H, P, d) each
    hidden   -inf, (C, Q, L) or less by broadcasting, where a query must not look, else 0
    Where nothing of the runs differs between prefixes, their B is 1. Returns (B, C Q, W).
    """
    query = query * query.shape[-1] ** -0.5
    beyond = query @ far[0].mT  # (B, H, C Q, P)
    query, key, value = (x.unflatten(2, (rows, -1)) for x in (query, *near))
    within = (_scores(query, key) + hidden).flatten(2, 3)  # (B, H, C Q, L)
    weight = torch.cat([beyond, within.expand(len(beyond), -1, -1, -1)], dim=-1).softmax(dim=-1)
    from_far, from_near = weight.split([beyond.shape[-1], within.shape[-1]], dim=-1)
    mixed = _mixture(from_near.unflatten(2, (rows, -1)), value)
    return _joined(mixed.flatten(2, 3) + from_far @ far[1])


def _scores(query: Tensor, key: Tensor) -> Tensor:
    """(..., Q, d) and (..., L, d) to (..., Q, L). Many products with one row each are slow."""
    if query.shape[-2] == 1:
        return (query * key).sum(dim=-1)[..., None, :]
    return query @ key.mT


def _mixture(weight: Tensor, value: Tensor) -> Tensor:
    """(..., Q, L) and (..., L, d) to (..., Q, d), as `_scores`."""
    if weight.shape[-2] == 1:
        return (weight.mT * value).sum(dim=-2, keepdim=True)
    return weight @ value


def _joined(heads: Tensor) -> Tensor:
    """(B, H, N, d) to (B, N, W)."""
    return heads.transpose(1, 2).flatten(2)


def _residual(block: nn.Module, x: Tensor, attended: Tensor) -> Tensor:
    """The block's output (B, N, W) of its input x and of what its heads attended, (B, N, W)."""
    x = x + block.ls_1(block.attn.out_proj(attended))
    return x + block.ls_2(block.mlp(block.ln_2(x)))
