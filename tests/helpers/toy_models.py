"""Toy models that open_clip can build in a moment: a ViT with and without QuickGELU, a ResNet."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from benchmark.clip import pretrained, resolve
from benchmark.common.errors import InputError

PLAIN, QUICK, RESNET = "Toy-16", "Toy-16-quickgelu", "Toy-RN"
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 64, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
RESNET_CONFIG = CONFIG | {
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
}


def install(folder: Path, put) -> None:
    """Make them known to open_clip and, with a monkeypatch's setattr, to the benchmark."""
    known = pretrained.models()
    ours = {PLAIN: CONFIG, QUICK: CONFIG | {"quick_gelu": True}, RESNET: RESNET_CONFIG}
    for name, config in ours.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
        open_clip.add_model_config(folder / f"{name}.json")
    put(pretrained, "models", lambda: known | ours)


def model(name: str = PLAIN, seed: int = 0, **options):
    """A toy model with random weights, in eval mode."""
    torch.manual_seed(seed)
    return open_clip.create_model(name, **options).eval()


def save(folder: Path, seed: int = 0) -> Path:
    """A toy model's weights as toy.safetensors."""
    path = folder / "toy.safetensors"
    save_file(model(seed=seed).state_dict(), path)
    return path


def refused(spec: str, download: bool = True) -> str:
    """The one line with which a spec is refused."""
    with pytest.raises(InputError) as caught:
        resolve.resolve(spec, "paper", download)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 6000
    return line
