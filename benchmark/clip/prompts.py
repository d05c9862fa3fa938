"""Learnable contexts in front of class names, encoded by CLIP's frozen text tower, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip.model import Clip
from benchmark.clip.observe import observed
from benchmark.clip.packing import Packing, Runs, features_at_end, text_features
from benchmark.common.errors import InputError


def words(class_name: str) -> str:
    """A class name as prompts spell it."""
    return class_name.replace("_", " ")


def template_prompts(class_names: Sequence[str], template: str) -> list[str]:
    """The template with each class name in it."""
    return [template.format(words(name)) for name in class_names]


@torch.no_grad()
def encode_template(clip: Clip, class_names: Sequence[str], template: str) -> Tensor:
    """Text features (C, D), not normalised, of a fixed prompt such as "a photo of a {}.".

    What the prompts begin with is computed once; with `clip.plain_text` open_clip does it all.
    """
    prompts = template_prompts(class_names, template)
    if clip.plain_text:
        return clip.encode_text(prompts)
    return text_features(tower_of(clip.model), clip.tokenizer(prompts))


def template_features(clip: Clip, class_names: Sequence[str], template: str) -> Tensor:
    """Text features (C, D), of length 1, of a fixed prompt: see `encode_template`."""
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

    A context is shared by all classes, (M, W), or class-specific, (C, M, W). The fast road gives
    what the plain one gives, values and gradients, up to rounding: `packing` says how.

    plain   the references' way instead, to check the fast one: each class on its own, padded to the
            tower's length, every block everywhere. None: as the `clip` has it
    """

    def __init__(self, clip: Clip, class_names: Sequence[str], plain: bool | None = None) -> None:
        self.plain = clip.plain_text if plain is None else plain
        self.tower, self.device = tower_of(clip.model), clip.device
        tokenizer = clip.tokenizer
        self.ids = [
            [*tokenizer.encode(f"{words(name)}."), tokenizer.eot_token_id] for name in class_names
        ]
        self.start = self._embedded([tokenizer.sot_token_id])[None]  # (1, 1, W)
        self.packing = self._packed(0)
        self.names = torch.cat([self._embedded(ids) for ids in self.ids])[None]  # (1, T, W)
        self.runs: dict[int, Runs] = {}  # the names behind shared contexts, by what precedes them
        self.packings: dict[int, Packing] = {}  # of class-specific contexts, by their length
        self.longest = max(zip(map(len, self.ids), class_names, strict=True))

    def __call__(self, context: Tensor) -> Tensor:
        """Text features (C, D), not normalised, of a context (M, W) or (C, M, W)."""
        return self.several([context])[0]

    @observed("text")
    def several(self, contexts: Sequence[Tensor] | Tensor) -> Tensor:
        """Text features (B, C, D), not normalised, of B contexts; in one pass if of one length.

        InputError for contexts that leave too little room for a class name.
        """
        if not isinstance(contexts, Tensor):
            if len({context.shape for context in contexts}) > 1:
                return torch.stack([self(context) for context in contexts])
            contexts = torch.stack(list(contexts))
        self._check(contexts.shape[-2])
        if self.plain:
            return torch.stack([self._plain(context) for context in contexts])
        if contexts.ndim == 4:
            return self._specific(contexts)
        prefix = torch.cat([self.start.expand(len(contexts), -1, -1), contexts], dim=1)
        return features_at_end(self.tower, prefix, self._behind(prefix.shape[1]))

    def _behind(self, seen: int) -> Runs:
        """The class names behind `seen` tokens: kept, so in float32 whatever surrounds the call."""
        if seen not in self.runs:
            kind = torch.device(self.device).type
            with torch.inference_mode(False), torch.no_grad(), torch.autocast(kind, enabled=False):
                self.runs[seen] = Runs(self.tower, self.names, self.packing, seen)
        return self.runs[seen]

    def _specific(self, contexts: Tensor) -> Tensor:
        """Of class-specific contexts (B, C, M, W): all that the classes have in common is SOS."""
        count, classes, length = contexts.shape[:3]
        if classes != len(self.ids):
            raise ValueError(f"{classes} contexts for {len(self.ids)} classes")
        if length not in self.packings:
            self.packings[length] = self._packed(length)
        packing = self.packings[length]
        names = self.packing.grid(self.names).unflatten(1, (classes, -1))  # (1, C, L, W)
        grid = torch.cat([contexts, names.expand(count, -1, -1, -1)], dim=2)
        runs = Runs(self.tower, packing.tokens(grid.flatten(1, 2)), packing, 1)
        return features_at_end(self.tower, self.start.expand(count, -1, -1), runs)

    def _plain(self, context: Tensor) -> Tensor:
        """One context, (M, W) or (C, M, W), as the references' code encodes it: (C, D)."""
        tower, count = self.tower, len(self.ids)
        context = context if context.ndim == 3 else context.expand(count, -1, -1)
        seen = 1 + context.shape[1]
        room = len(tower.positional_embedding) - seen
        names = torch.stack([self._embedded(ids + [0] * (room - len(ids))) for ids in self.ids])
        x = torch.cat([self.start.expand(count, -1, -1), context, names], dim=1)
        x = tower.transformer(x + tower.positional_embedding, attn_mask=tower.attn_mask)
        ends = torch.tensor([seen + len(ids) - 1 for ids in self.ids], device=self.device)
        x = tower.ln_final(x)[torch.arange(count, device=self.device), ends]
        return x @ tower.text_projection

    def _embedded(self, ids: list[int]) -> Tensor:
        """The embedding (n, W) of some tokens, without positions."""
        return self.tower.token_embedding(torch.tensor(ids, device=self.device)).detach()

    def _packed(self, before: int) -> Packing:
        """The class names' tokens, each with `before` more in front."""
        return Packing([before + len(ids) for ids in self.ids], self.device)

    def _check(self, length: int) -> None:
        tokens, name = self.longest
        if 1 + length + tokens > len(self.tower.positional_embedding):
            raise InputError(
                f"class name '{name}': {tokens} tokens do not fit behind a context of {length}; "
                "use a shorter context, init or name"
            )


def tower_of(model: nn.Module) -> nn.Module:
    """open_clip keeps the text tower in the model itself, or in `text` for custom ones."""
    return getattr(model, "text", model)


def cosine_logits(image: Tensor, text: Tensor, scale: float) -> Tensor:
    """`scale` times the cosines (N, C) of normalised images (N, D) and text features (C, D)."""
    return scale * image @ F.normalize(text, dim=-1).T
