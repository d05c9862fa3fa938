"""The paper's equations on tensors: one function each, named in its docstring by its number.

Eq. 11 to 15, the distribution-balanced loss and DB*: `benchmark.method.losses`.
README.md lists all of them, and which numbers are only inferred from an equation's place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor

from benchmark.clip.model import Clip
from benchmark.clip.prompts import PromptEncoder, encode_template

PAPER_PATCHES = 196  # of ViT-B/16 at 224: what the paper's k refers to
RELEASED_SCALE = math.exp(3)  # of both views in the released code, where it starts
VIEWS = ("global", "local")


def distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """L_kd = L1(f_CLIP, f_cls), eq. 2: mean absolute difference of the global features (N, D)."""
    return F.l1_loss(student, teacher)


def template_prompt(clip: Clip, class_names: Sequence[str], template: str) -> Tensor:
    """P_H (C, D), not normalised: stage 1's fixed prompt through the text encoder.

    Eq. 3 by its place; the text's own number is not known to us.
    """
    return encode_template(clip, class_names, template)


def global_score(whole: Tensor, text: Tensor) -> Tensor:
    """s_G = cos(P, f_cls), eq. 4; with P_G, eq. 8. (N, D) and (C, D) to (N, C)."""
    return F.normalize(whole, dim=-1) @ F.normalize(text, dim=-1).T


def local_scores(patches: Tensor, text: Tensor) -> Tensor:
    """s_L,j = cos(P, f_j), eq. 4; with P_L, eq. 8. (N, L, D) and (C, D) to (N, L, C)."""
    return F.normalize(patches, dim=-1) @ F.normalize(text, dim=-1).T


def fused_score(s_global: Tensor, s_local: Tensor, alpha: float, k: float) -> Tensor:
    """s = alpha s_G + (1 - alpha) TopKMean_k(s_L), eq. 5; of stage 2, eq. 9. Returns (N, C)."""
    return alpha * s_global + (1 - alpha) * _top_mean(s_local, k)


def hierarchical_prompts(
    encode: PromptEncoder | None, contexts: Mapping[str, Tensor], template: Tensor
) -> dict[str, Tensor]:
    """P_G and P_L (C, D), not normalised: [v_1 ... v_M, class] through the text encoder.

    contexts   view to its learned context (M, W); a view without one keeps `template` (C, D), and
               where there is none, nothing needs encoding
    Eq. 6 and eq. 7 by their place; the text's own numbers are not known to us.
    """
    found = dict.fromkeys(VIEWS, template)
    if contexts:
        found |= zip(contexts, encode.several(list(contexts.values())), strict=True)
    return found


def semantic_consistency(learned: Tensor, template: Tensor) -> Tensor:
    """L_sc = L1(P_H, P_G), eq. 10: mean absolute difference of text features (C, D)."""
    return F.l1_loss(learned, template)


def first_objective(classification: Tensor, distilled: Tensor, weight: float = 1.0) -> Tensor:
    """L1 = L_cls + L_kd of stage 1; eq. 16 by its place, between DB* (15) and AP (18)."""
    return classification + weight * distilled


def second_objective(classification: Tensor, consistent: Tensor, weight: float = 1.0) -> Tensor:
    """L2 = L_cls + L_sc of stage 2; eq. 17 by its place, between DB* (15) and AP (18)."""
    return classification + weight * consistent


def joint_objective(classification: Tensor, distilled: Tensor, consistent: Tensor) -> Tensor:
    """L_cls + (L_kd + L_sc) / 2 of training in one stage (Table V), as the released code has it."""
    return classification + (distilled + consistent) / 2


def top_k(k: float, patches: int) -> int:
    """k of the paper's 196 patches, as the same fraction of however many there are; at least 1."""
    return max(1, round(k * patches / PAPER_PATCHES))


def cosine_scores(
    whole: Tensor, patches: Tensor, text_global: Tensor, text_local: Tensor, alpha: float, k: float
) -> Tensor:
    """The text's score: eq. 4 and 5 with one prompt for both views, eq. 8 and 9 with two.

    whole (N, D), patches (N, L, D), text_global and text_local (C, D), none of them normalised;
    returns (N, C) in [-1, 1].
    """
    s_global, s_local = global_score(whole, text_global), local_scores(patches, text_local)
    return fused_score(s_global, s_local, alpha, k)


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


SCORES = {"cosine": cosine_scores, "released": released_scores}
