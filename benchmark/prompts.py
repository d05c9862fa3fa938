"""Learnable contexts in front of class names, encoded by CLIP's frozen text tower, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip import Clip


def words(class_name: str) -> str:
    """A class name as prompts spell it."""
    return class_name.replace("_", " ")


def encode_template(clip: Clip, class_names: Sequence[str], template: str) -> Tensor:
    """Text features (C, D), not normalised, of a fixed prompt such as "a photo of a {}."."""
    return clip.encode_text([template.format(words(name)) for name in class_names])


def template_features(clip: Clip, class_names: Sequence[str], template: str) -> Tensor:
    """The same normalised."""
    return F.normalize(encode_template(clip, class_names, template), dim=-1)


def initial_context(clip: Clip, length: int, generator: torch.Generator, text: str = "") -> Tensor:
    """A context (M, W): the embedding of `text`, or Gaussian with deviation 0.02 as in CoOp."""
    tower = tower_of(clip.model)
    if text:
        ids = torch.tensor(clip.tokenizer.encode(text), device=clip.device)
        return tower.token_embedding(ids).detach().clone()
    width = tower.token_embedding.weight.shape[1]
    return (0.02 * torch.randn(length, width, generator=generator)).to(clip.device)


class PromptEncoder:
    """Encodes `SOS, context, class name, ".", EOS` for C fixed class names.

    A shared context (M, W) takes the fast road: the tower is causal, so the states of
    `SOS + context` are the same for all classes and are computed once; what follows the last EOS
    is never computed. A class-specific context (C, M, W) takes the plain road. Both give the
    same features (`plain` serves as the reference in the tests).
    """

    def __init__(self, clip: Clip, class_names: Sequence[str]) -> None:
        self.tower = tower = tower_of(clip.model)
        tokenizer = clip.tokenizer
        names = [
            [*tokenizer.encode(f"{words(name)}."), tokenizer.eot_token_id] for name in class_names
        ]
        self.last = torch.tensor([len(ids) - 1 for ids in names], device=clip.device)
        padded = torch.zeros(len(names), max(map(len, names)), dtype=torch.long)
        for row, ids in zip(padded, names, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        start = torch.tensor([[tokenizer.sot_token_id]], device=clip.device)
        self.names = tower.token_embedding(padded.to(clip.device)).detach()  # (C, S, W)
        self.start = tower.token_embedding(start).detach()  # (1, 1, W)

    def __call__(self, context: Tensor) -> Tensor:
        """Text features (C, D), not normalised, of a context (M, W) or (C, M, W)."""
        return self.plain(context) if context.ndim == 3 else self._shared(context)

    def plain(self, context: Tensor) -> Tensor:
        """The same for every class on its own, up to the last EOS."""
        count = len(self.names)
        context = context if context.ndim == 3 else context.expand(count, -1, -1)
        x = torch.cat([self.start.expand(count, -1, -1), context, self.names], dim=1)
        length = x.shape[1]
        x = x + self.tower.positional_embedding[:length]
        x = self.tower.transformer(x, attn_mask=self.tower.attn_mask[:length, :length])
        return self._pool(x[:, -self.names.shape[1] :])

    def _shared(self, context: Tensor) -> Tensor:
        positions = self.tower.positional_embedding
        prefix = torch.cat([self.start, context[None]], dim=1)
        end = prefix.shape[1]
        prefix = prefix + positions[:end]
        suffix = self.names + positions[end : end + self.names.shape[1]]
        for block in self.tower.transformer.resblocks:
            prefix, suffix = _block(block, prefix, suffix)
        return self._pool(suffix)

    def _pool(self, names: Tensor) -> Tensor:
        """The states (C, S, W) at each class's EOS, through the final norm and projection."""
        eos = names[torch.arange(len(names), device=names.device), self.last]
        return self.tower.ln_final(eos) @ self.tower.text_projection


def tower_of(model: nn.Module) -> nn.Module:
    """open_clip keeps the text tower in the model itself, or in `text` for custom ones."""
    return getattr(model, "text", model)


def _block(block: nn.Module, prefix: Tensor, suffix: Tensor) -> tuple[Tensor, Tensor]:
    """One residual block over the shared prefix (1, P, W) and the suffixes (C, S, W) after it."""
    before, after = heads(block, prefix), heads(block, suffix)
    own = F.scaled_dot_product_attention(*before, is_causal=True)
    count, length, seen = len(suffix), suffix.shape[1], prefix.shape[1]
    keys, values = (
        torch.cat([before[i].expand(count, -1, -1, -1), after[i]], dim=2) for i in (1, 2)
    )
    mask = torch.ones(length, seen + length, dtype=torch.bool, device=suffix.device)
    mask = mask.tril(diagonal=seen)
    rest = F.scaled_dot_product_attention(after[0], keys, values, attn_mask=mask)
    return residual(block, prefix, own), residual(block, suffix, rest)


def heads(block: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values (B, H, T, W / H) of a block's attention."""
    attention = block.attn
    qkv = F.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)
    split = qkv.unflatten(-1, (3, attention.num_heads, -1))  # (B, T, 3, H, W / H)
    return tuple(split.permute(2, 0, 3, 1, 4))


def residual(block: nn.Module, x: Tensor, attended: Tensor) -> Tensor:
    """The block's output (B, T, W) of its input x and what its heads (B, H, T, W / H) attended."""
    x = x + block.ls_1(block.attn.out_proj(attended.transpose(1, 2).flatten(2)))
    return x + block.ls_2(block.mlp(block.ln_2(x)))
