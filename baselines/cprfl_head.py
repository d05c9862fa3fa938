"""CPRFL's head: prompts from text features, one block without skip connections, inner products."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DROPPED = ("all", "attention", "mlp")


@dataclass(frozen=True)
class Shape:
    """The widths of a head.

    places, text   D of a place and E of a class's text feature, as they come
    width          W of the tokens and of the prompts
    hidden         between the two layers that make a prompt of a text feature
    heads, head_width   of the attention, whose inner width is their product, whatever W is
    mlp            between the two layers of a block's MLP
    depth          how many blocks
    """

    places: int
    text: int
    width: int
    hidden: int
    heads: int
    head_width: int
    mlp: int
    depth: int = 1


class Head(nn.Module):
    """Scores (B, C) of places (B, L, D) and text features (C, E), which are not normalised.

    The sequence is the projected places, without positions, then the prompts as class tokens. A
    class's score is the inner product of what becomes of its token and of its prompt, which thus
    gets gradients by both.

    dropout      share that is dropped in training
    dropout_at   "attention": the attention's output; "mlp": after each layer of the MLP; "all"
    """

    def __init__(self, shape: Shape, dropout: float = 0.0, dropout_at: str = "all") -> None:
        super().__init__()
        self.places = nn.Linear(shape.places, shape.width)
        self.prompts = nn.Sequential(
            nn.Linear(shape.text, shape.hidden), nn.GELU(), nn.Linear(shape.hidden, shape.width)
        )
        rates = [dropout if dropout_at in ("all", part) else 0.0 for part in DROPPED[1:]]
        self.blocks = nn.ModuleList(Block(shape, *rates) for _ in range(shape.depth))

    def forward(self, places: Tensor, text: Tensor) -> Tensor:
        prompts = self.prompts(text)
        refined = self.refined(self.tokens(places, prompts), first=places.shape[1])
        return torch.einsum("bcw,cw->bc", refined, prompts)

    def tokens(self, places: Tensor, prompts: Tensor) -> Tensor:
        """The sequence (B, L + C, W) of places (B, L, D) and prompts (C, W)."""
        return torch.cat([self.places(places), prompts.expand(len(places), -1, -1)], dim=1)

    def refined(self, tokens: Tensor, first: int = 0) -> Tensor:
        """What the blocks make of the tokens (B, L + C, W), from the token `first` on.

        The last block has nothing to carry on, so what nobody reads of it is not computed.
        """
        *blocks, last = self.blocks
        for block in blocks:
            tokens = block(tokens)
        return last(tokens, first)


class Block(nn.Module):
    """Attention, then an MLP, each after a norm and neither with a skip connection."""

    def __init__(self, shape: Shape, attention_dropout: float, mlp_dropout: float) -> None:
        super().__init__()
        inner = shape.heads * shape.head_width
        self.heads = shape.heads
        self.norm_1 = nn.LayerNorm(shape.width)
        self.qkv = nn.Linear(shape.width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, shape.width)
        self.norm_2 = nn.LayerNorm(shape.width)
        self.up = nn.Linear(shape.width, shape.mlp)
        self.down = nn.Linear(shape.mlp, shape.width)
        self.drop_1, self.drop_2 = nn.Dropout(attention_dropout), nn.Dropout(mlp_dropout)

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        """(B, T, W) to (B, T - first, W): every token is seen, those from `first` on are made."""
        y = self.drop_1(self._attention(self.norm_1(x), first))
        y = self.drop_2(F.gelu(self.up(self.norm_2(y))))
        return self.drop_2(self.down(y))

    def _attention(self, x: Tensor, first: int) -> Tensor:
        weight, inner = self.qkv.weight, self.out.in_features
        query = F.linear(x[:, first:], weight[:inner])
        stored = F.linear(x, weight[inner:]).chunk(2, dim=-1)
        heads = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in (query, *stored))
        mixed = F.scaled_dot_product_attention(*heads)
        return self.out(mixed.transpose(1, 2).flatten(2))
