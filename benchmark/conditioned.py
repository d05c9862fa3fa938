"""Text features of prompts whose context differs from image to image, encoded exactly and fast."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip import Clip
from benchmark.prompts import PromptEncoder, heads, residual


class ConditionedEncoder:
    """Encodes `SOS, context, class name, ".", EOS` for each of B contexts and C fixed classes.

    It gives what PromptEncoder gives for each context alone (a test compares them), without the
    work that cannot change the result: the tower is causal, so the states of `SOS + context` are
    computed once an image and not once a class; names of different length lie one after the other
    without padding; and of the last block only the states at each EOS are computed.
    """

    def __init__(self, clip: Clip, class_names: Sequence[str]) -> None:
        plain = PromptEncoder(clip, class_names)
        self.tower, self.start = plain.tower, plain.start
        lengths = (plain.last + 1).tolist()  # tokens of each name, EOS included
        order = sorted(range(len(lengths)), key=lengths.__getitem__)  # equal lengths side by side
        self.place = torch.tensor(order, device=clip.device).argsort()  # class -> its row
        self.groups = [(n, lengths.count(n)) for n in sorted(set(lengths))]  # (tokens, classes)
        self.names = torch.cat([plain.names[k, : lengths[k]] for k in order])  # (T, W)
        within = [torch.arange(lengths[k]) for k in order]
        self.within = torch.cat(within).to(clip.device)  # (T,): the token's position in its name
        ends = torch.tensor([lengths[k] for k in order]).cumsum(0) - 1
        self.ends = ends.to(clip.device)  # (C,): where each EOS lies among the T tokens

    def __call__(self, contexts: Tensor) -> Tensor:
        """Text features (B, C, D), not normalised, of contexts (B, M, W)."""
        tower, count = self.tower, len(contexts)
        prefix = torch.cat([self.start.expand(count, -1, -1), contexts], dim=1)
        end = prefix.shape[1]
        positions = tower.positional_embedding
        prefix = prefix + positions[:end]
        names = (self.names + positions[end + self.within]).expand(count, -1, -1)
        *blocks, last = tower.transformer.resblocks
        for block in blocks:
            prefix, names = self._block(block, prefix, names)
        _, eos = self._block(last, prefix, names, only_eos=True)
        return tower.ln_final(eos[:, self.place]) @ tower.text_projection

    def _block(
        self, block: nn.Module, prefix: Tensor, names: Tensor, only_eos: bool = False
    ) -> tuple[Tensor | None, Tensor]:
        """One residual block over prefixes (B, P, W) and packed names (B, T, W) after each."""
        before, after = heads(block, prefix), heads(block, names)
        attended = self._attend(after, before, only_eos)
        if only_eos:
            return None, residual(block, names[:, self.ends], attended)
        own = F.scaled_dot_product_attention(*before, is_causal=True)
        return residual(block, prefix, own), residual(block, names, attended)

    def _attend(self, names: tuple, prefix: tuple, only_eos: bool) -> Tensor:
        """What the names' tokens take from the prefix and, causally, from their own name.

        Queries, keys and values are (B, H, T, d) and (B, H, P, d); returns (B, H, T, d), or
        (B, H, C, d) for the tokens at EOS alone.
        """
        query, key, value = names
        query = query * query.shape[-1] ** -0.5
        if only_eos:
            query = query[:, :, self.ends]
        far = query @ prefix[1].transpose(-1, -2)  # (B, H, T, P)
        found, asked, told = [], 0, 0
        for length, classes in self.groups:
            asks = 1 if only_eos else length
            rows, own = slice(asked, asked + asks * classes), slice(told, told + length * classes)
            asked, told = rows.stop, own.stop
            shape = (classes, -1)
            near = query[:, :, rows].unflatten(2, shape) @ key[:, :, own].unflatten(
                2, shape
            ).transpose(-1, -2)  # (B, H, classes, asks, length)
            if not only_eos:
                later = torch.ones(length, length, dtype=torch.bool, device=near.device).triu(1)
                near = near.masked_fill(later, float("-inf"))
            both = torch.cat([far[:, :, rows].unflatten(2, shape), near], dim=-1).softmax(-1)
            weight_far, weight_near = both.split([far.shape[-1], length], dim=-1)
            mixed = weight_far.flatten(2, 3) @ prefix[2]
            mixed = mixed + (weight_near @ value[:, :, own].unflatten(2, shape)).flatten(2, 3)
            found.append(mixed)
        return torch.cat(found, dim=2)
