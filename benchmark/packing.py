"""Texts through a frozen, causal text tower: exactly, without work that no result depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Group:
    """`count` runs of `length` tokens, from the `first` run, whose tokens begin at `start`."""

    first: int
    count: int
    start: int
    length: int
    later: Tensor  # (length, length) bool: which of a run's tokens come after which

    @property
    def runs(self) -> slice:
        """Where the runs lie among all C."""
        return slice(self.first, self.first + self.count)

    @property
    def tokens(self) -> slice:
        """Where their tokens lie among all T."""
        return slice(self.start, self.start + self.count * self.length)


class Packing:
    """C runs of 1 or more tokens each, T in all, one after the other, those of a length together.

    order, place (C,)   `order` lists the runs as they lie here, run c at `place[c]`
    within (T,)   each token's position in its own run
    ends (C,)   where the last token of each lies among the T, in their order here
    """

    def __init__(self, lengths: Sequence[int], device: str | torch.device = "cpu") -> None:
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        ordered = [lengths[c] for c in order]
        self.order = torch.tensor(order, device=device)
        self.place = self.order.argsort()
        self.within = torch.cat([torch.arange(n) for n in ordered]).to(device)
        self.ends = torch.tensor(ordered, device=device).cumsum(0) - 1
        self.groups: list[Group] = []
        first = start = 0
        for length, same in groupby(ordered):
            later = torch.ones(length, length, dtype=torch.bool, device=device).triu(1)
            self.groups.append(Group(first, len(list(same)), start, length, later))
            first, start = self.groups[-1].runs.stop, self.groups[-1].tokens.stop

    def pack(self, runs: Sequence[Tensor]) -> Tensor:
        """The runs (n_c, ...), c from 0 to C - 1, as they lie here: (T, ...)."""
        return torch.cat([runs[c] for c in self.order.tolist()])


def features_at_end(tower: nn.Module, prefix: Tensor, runs: Tensor, packing: Packing) -> Tensor:
    """Text features (B, C, D), not normalised, of B x C texts: those of their last tokens.

    prefix   embeddings (B, P, W), without positions, of what the C texts of each b begin with
    runs     the same (B, T, W), packed, of what follows; (1, T, W) if it is one for all b
    The tower is causal. So the states of a prefix are computed once and not once a run, nothing
    after a last token is computed, and of the last block only what the last tokens need. Nothing
    is padded. Gradients flow to prefix and runs.
    """
    seen = prefix.shape[1]
    positions = tower.positional_embedding
    prefix = prefix + positions[:seen]
    runs = runs + positions[seen + packing.within]
    *blocks, last = tower.transformer.resblocks
    for block in blocks:
        prefix, runs = _block(block, prefix, runs, packing)
    ends = _last_block(last, prefix, runs, packing)
    return tower.ln_final(ends.index_select(1, packing.place)) @ tower.text_projection


def _block(
    block: nn.Module, prefix: Tensor, runs: Tensor, packing: Packing
) -> tuple[Tensor, Tensor]:
    """One residual block over prefixes (B, P, W) and what follows each, (B, T, W) or (1, T, W)."""
    before, after = _heads(block, prefix), _heads(block, runs)
    own = F.scaled_dot_product_attention(*before, is_causal=True)
    mixed = _attend(*after, *before[1:], packing)
    return _residual(block, prefix, own), _residual(block, runs, mixed)


def _last_block(block: nn.Module, prefix: Tensor, runs: Tensor, packing: Packing) -> Tensor:
    """The last block's states (B, C, W) at the runs' last tokens."""
    before, after = _heads(block, prefix, first=1), _heads(block, runs, first=1)
    ends = runs.index_select(1, packing.ends)
    (query,) = _heads(block, ends, until=1)
    return _residual(block, ends, _attend(query, *after, *before, packing))


def _heads(block: nn.Module, x: Tensor, first: int = 0, until: int = 3) -> tuple[Tensor, ...]:
    """Queries, keys and values, or some of them, (B, H, T, W / H) each, of an input (B, T, W)."""
    attention = block.attn
    rows = slice(first * attention.embed_dim, until * attention.embed_dim)
    found = F.linear(block.ln_1(x), attention.in_proj_weight[rows], attention.in_proj_bias[rows])
    split = found.unflatten(-1, (until - first, attention.num_heads, -1))
    return tuple(split.permute(2, 0, 3, 1, 4))


def _attend(
    query: Tensor, key: Tensor, value: Tensor, far_key: Tensor, far_value: Tensor, packing: Packing
) -> Tensor:
    """What tokens of the runs take from the prefix and, causally, from their own run.

    query        (B, H, T, d), or (B, H, C, d) of the runs' last tokens alone
    key, value   (B, H, T, d) of the runs; `far_` (B, H, P, d) of the prefix
    For the runs, B may be 1. Returns (B, H, T, d) or (B, H, C, d).
    """
    only_ends = query.shape[2] == len(packing.ends)
    query = query * query.shape[-1] ** -0.5
    far = query @ far_key.transpose(-1, -2)  # (B, H, T, P)
    found = []
    for group in packing.groups:
        keys, values = (x[:, :, group.tokens].unflatten(2, (group.count, -1)) for x in (key, value))
        asks = group.runs if only_ends else group.tokens
        near = query[:, :, asks].unflatten(2, (group.count, -1)) @ keys.transpose(-1, -2)
        if not only_ends:
            near = near.masked_fill(group.later, float("-inf"))
        near = near.flatten(2, 3).expand(len(far), -1, -1, -1)
        weight = torch.cat([far[:, :, asks], near], dim=-1).softmax(dim=-1)
        from_far, from_near = weight.split([far.shape[-1], group.length], dim=-1)
        mixed = from_near.unflatten(2, (group.count, -1)) @ values
        found.append(mixed.flatten(2, 3) + from_far @ far_value)
    return torch.cat(found, dim=2)


def _residual(block: nn.Module, x: Tensor, attended: Tensor) -> Tensor:
    """The block's output (B, T, W) of its input x and what its heads (B, H, T, W / H) attended."""
    x = x + block.ls_1(block.attn.out_proj(attended.transpose(1, 2).flatten(2)))
    return x + block.ls_2(block.mlp(block.ln_2(x)))
