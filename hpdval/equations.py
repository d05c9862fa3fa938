"""The paper's equations on tensors: dual-view scores, distillation, semantic consistency."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

PAPER_PATCHES = 196  # of ViT-B/16 at 224: what the paper's k refers to
RELEASED_SCALE = math.exp(3)  # of both views in the released code, where it starts


def top_k(k: float, patches: int) -> int:
    """k of the paper's 196 patches, as the same fraction of however many there are; at least 1."""
    return max(1, round(k * patches / PAPER_PATCHES))


def cosine_scores(
    whole: Tensor, patches: Tensor, text_global: Tensor, text_local: Tensor, alpha: float, k: float
) -> Tensor:
    """s = alpha cos(P_G, f_cls) + (1 - alpha) TopKMean_k cos(P_L, f_j): eq. 4, 5, 8 and 9.

    whole (N, D), patches (N, L, D), text_global and text_local (C, D), none of them normalised;
    returns (N, C) in [-1, 1].
    """
    s_global = F.normalize(whole, dim=-1) @ F.normalize(text_global, dim=-1).T
    s_local = F.normalize(patches, dim=-1) @ F.normalize(text_local, dim=-1).T
    return alpha * s_global + (1 - alpha) * _top_mean(s_local, k)


def released_scores(
    whole: Tensor, patches: Tensor, text_global: Tensor, text_local: Tensor, alpha: float, k: float
) -> Tensor:
    """The released code's score (`models/prompt_model.py`), same shapes.

    Inner products of unnormalised features; alpha weights the LOCAL view; each image's vector of
    class scores is divided by its L2 norm, per view, so the code's scale exp(3) cancels.
    """
    views = _released_views(whole, patches, text_global, text_local, k)
    s_global, s_local = (F.normalize(scores, dim=-1) for scores in views)
    return alpha * s_local + (1 - alpha) * s_global


def released_raw_scores(
    whole: Tensor, patches: Tensor, text_global: Tensor, text_local: Tensor, alpha: float, k: float
) -> Tensor:
    """The same before the division by the norms, scale included."""
    s_global, s_local = _released_views(whole, patches, text_global, text_local, k)
    return RELEASED_SCALE * (alpha * s_local + (1 - alpha) * s_global)


def _released_views(
    whole: Tensor, patches: Tensor, text_global: Tensor, text_local: Tensor, k: float
) -> tuple[Tensor, Tensor]:
    """Inner products (N, C) of the global view, and their top-k mean of the local one."""
    return whole @ text_global.T, _top_mean(patches @ text_local.T, k)


def _top_mean(scores: Tensor, k: float) -> Tensor:
    """Mean of the k largest of (N, L, C) over L."""
    return scores.topk(top_k(k, scores.shape[1]), dim=1).values.mean(dim=1)


def distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """L_kd = L1(f_CLIP, f_cls), eq. 2: mean absolute difference of the global features (N, D)."""
    return F.l1_loss(student, teacher)


def semantic_consistency(learned: Tensor, template: Tensor) -> Tensor:
    """L_sc = L1(P_H, P), eq. 10: mean absolute difference of text features (C, D)."""
    return F.l1_loss(learned, template)


SCORES = {"cosine": cosine_scores, "released": released_scores}
