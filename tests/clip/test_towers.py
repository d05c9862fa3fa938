"""Foreign towers: computed as open_clip computes them, or refused in one line, never otherwise."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from benchmark.clip import model, resolve
from benchmark.clip.image_features import LOCAL_KINDS, image_features
from benchmark.clip.prompts import PromptEncoder, encode_template
from benchmark.common.errors import InputError
from tests.helpers import toy_models

VISION = toy_models.CONFIG["vision_cfg"] | {"layers": 2}
TEXT = toy_models.CONFIG["text_cfg"] | {"layers": 2}
NAMES = ("cat", "potted plant", "hair drier")


def folder(at: Path, text: dict, vision: dict, **config) -> str:
    """The spec of a folder with a toy model of random weights and these fields."""
    parts = {"vision_cfg": VISION | vision, "text_cfg": TEXT | text}
    whole = {"model_cfg": toy_models.CONFIG | parts | config}
    (at / "open_clip_config.json").write_text(json.dumps(whole))
    made = open_clip.create_model(f"local-dir:{at}", load_weights=False)
    generator = torch.Generator().manual_seed(0)
    for parameter in (p for p in made.parameters() if p.ndim):
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    state = {name: tensor.contiguous() for name, tensor in made.state_dict().items()}
    save_file(state, at / "open_clip_model.safetensors")
    return f"local-dir:{at}"


RIGHT = {
    "plain": {},
    "eos": {"pool_type": "eos", "eos_id": 49407},
    "short": {"context_length": 32},
    "long": {"context_length": 248},
    "scaled": {"ls_init_value": 0.5},
    "tanh": {"act_kwargs": {"approximate": "tanh"}},
    "norm": {"norm_kwargs": {"eps": 1e-3}},
    "custom": {},
    "said": {"no_causal_mask": False, "embed_cls": False, "proj_bias": False, "hf_model_name": ""},
    "usual": {"pool_type": "argmax", "proj_type": "linear", "block_type": "default"},
}


@pytest.mark.parametrize("case", RIGHT)
def test_text_features_are_those_of_open_clip(case, tmp_path):
    spec = folder(tmp_path, RIGHT[case], {}, custom_text=case in ("custom", "eos"))
    clip = model.load(resolve.resolve(spec, "miniature"))
    with torch.no_grad():
        tokens = clip.tokenizer([f"a photo of a {name}." for name in NAMES])
        theirs = clip.model.encode_text(tokens)
        ours = encode_template(clip, NAMES, "a photo of a {}.")
        start = clip.tokenizer.encode("a photo of a")
        tower = getattr(clip.model, "text", clip.model)
        context = tower.token_embedding(torch.tensor(start))
        learned = PromptEncoder(clip, NAMES)(context)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(learned, theirs, rtol=1e-4, atol=1e-5)


WRONG = {
    "last": {"pool_type": "last"},
    "first": {"pool_type": "first"},
    "none": {"pool_type": "none"},
    "eos of another tokenizer": {"pool_type": "eos"},
    "class token": {"embed_cls": True},
    "bias": {"proj_bias": True},
    "no projection": {"proj_type": "none"},
    "both ways": {"no_causal_mask": True},
    "norms": {"qk_norm": True},
    "heads": {"scale_heads": True},
    "blocks": {"block_type": "custom"},
    "tokens": {"output_tokens": True},
    "tokenizer": {"tokenizer_kwargs": {"clean": "canonicalize"}},
    "vocabulary": {"vocab_size": 100},
    "empty": {"layers": 0},
    "unheard of": {"rotary": True},
}


@pytest.mark.parametrize("case", WRONG)
def test_other_text_towers_are_refused(case, tmp_path):
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"")
    config = toy_models.CONFIG | {"text_cfg": TEXT | WRONG[case], "custom_text": True}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    for download in (True, False):  # a run, and a look at the plan
        line = toy_models.refused(f"local-dir:{tmp_path}", download)
        assert "its text tower is not CLIP's" in line and next(iter(WRONG[case])) in line


def test_a_tower_that_says_that_it_is_causal_is_not_refused():
    assert resolve.resolve("MobileCLIP-B:random", "miniature", False).name == "MobileCLIP-B:random"
    assert "no_causal_mask: True" in toy_models.refused("MobileCLIP-S1:random", False)


POOLS = {  # of the image tower; whether local features are known
    "class token": ({}, True),
    "no norm before": ({"no_ln_pre": True}, True),
    "scaled": ({"ls_init_value": 0.5}, True),
    "mean": ({"pool_type": "avg"}, False),
    "norm after": ({"pool_type": "avg", "final_ln_after_pool": True}, False),
    "norm of the token": ({"final_ln_after_pool": True}, False),
    "attention": ({"attentional_pool": True, "attn_pooler_heads": 2}, False),
    "attention, mean": (
        {"attentional_pool": True, "attn_pooler_heads": 2, "pool_type": "avg"},
        False,
    ),
    "other blocks": ({"qk_norm": True, "scale_heads": True}, False),
}


@cache
def pictures() -> torch.Tensor:
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("case", POOLS)
def test_the_global_feature_is_the_towers_own_whatever_is_asked_beside_it(case, tmp_path):
    vision, known = POOLS[case]
    clip = model.load(resolve.resolve(folder(tmp_path, {}, vision), "miniature"))
    with torch.no_grad():
        theirs = clip.visual(pictures())[0]
        ours, _ = image_features(clip.visual, pictures(), None)
        assert ours.ndim == 2
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        for kind in LOCAL_KINDS:
            if known:
                beside, _ = image_features(clip.visual, pictures(), kind)
                torch.testing.assert_close(beside, theirs, rtol=1e-4, atol=1e-5)
                continue
            with pytest.raises(InputError, match=rf"local features \({kind}\): not known"):
                image_features(clip.visual, pictures(), kind)


@pytest.mark.parametrize(
    "vision",
    [
        {"pool_type": "none"},
        {"attentional_pool": "parallel"},
        {"attentional_pool": "cascade"},
        {"image_size": [64, 32]},
        {"patch_size": [16, 32]},
    ],
    ids=str,
)
def test_image_towers_without_one_feature_of_a_square_are_refused(vision, tmp_path):
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"")
    config = toy_models.CONFIG | {"vision_cfg": VISION | vision}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    line = toy_models.refused(f"local-dir:{tmp_path}", download=False)
    assert "its image tower gives no single feature" in line and next(iter(vision)) in line
