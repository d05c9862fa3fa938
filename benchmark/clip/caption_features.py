"""Text features of captions: the frozen text tower's output at each token, and at EOS."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmark.clip.model import Clip
from benchmark.clip.prompts import tower_of

_BATCH = 256


class Texts:
    """Features of N texts, each of its L tokens from SOS to EOS, end to end without padding.

    tokens   (T, D), not normalised: the final norm and the projection at every token. The tower is
             causal, so a token's feature knows what comes before it alone; EOS knows everything.
    A text of more than the tower's length (77 for CLIP) is cut, its last token being EOS.
    """

    @torch.no_grad()
    def __init__(self, clip: Clip, texts: Sequence[str]) -> None:
        tower = tower_of(clip.model)
        parts, lengths = [], []
        for start in range(0, len(texts), _BATCH):
            ids = clip.tokenizer(list(texts[start : start + _BATCH])).to(clip.device)
            long = ids.argmax(dim=1) + 1  # EOS has the highest id
            ids = ids[:, : int(long.max())]  # what follows the last EOS cannot matter
            x = tower.token_embedding(ids) + tower.positional_embedding[: ids.shape[1]]
            mask = tower.attn_mask[: ids.shape[1], : ids.shape[1]]
            x = tower.ln_final(tower.transformer(x, attn_mask=mask)) @ tower.text_projection
            parts.append(x[torch.arange(ids.shape[1], device=clip.device) < long[:, None]])
            lengths.append(long)
        self.tokens, self.lengths = torch.cat(parts), torch.cat(lengths)
        self.ends = self.lengths.cumsum(0) - 1

    @property
    def eos(self) -> Tensor:
        """Features of the whole texts (N, D), not normalised: what CLIP's encode_text gives."""
        return self.tokens[self.ends]

    def padded(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Token features (B, L, D) of the texts of these indices (B,), and which of them there
        are (B, L), bool: L is the longest text's length."""
        indices = indices.to(self.lengths.device)
        long = self.lengths[indices]
        steps = torch.arange(int(long.max()), device=long.device)
        filled = steps < long[:, None]
        place = (self.ends[indices] - long + 1)[:, None] + steps
        return self.tokens[place.where(filled, place[:, :1])], filled
