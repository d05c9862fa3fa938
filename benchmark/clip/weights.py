"""Builds open_clip's model of a backbone and fills it with its weights; no file's code is run."""

from __future__ import annotations

import pickle
from pathlib import Path

import open_clip
import torch
from open_clip.convert import convert_state_dict
from open_clip.model import convert_to_custom_text_state_dict
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.clip import pretrained
from benchmark.clip.backbone import LOCAL, Backbone
from benchmark.common.errors import InputError

OPENAI_NUMBERS = ("input_resolution", "context_length", "vocab_size")  # OpenAI saved them too


def load(backbone: Backbone) -> nn.Module:
    """The model on the CPU in float32, its weights read from the file or drawn with seed 0.

    InputError, in one line, if the file cannot be read safely or is another model's.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _build(backbone, "cpu")
    if backbone.weights is not None:
        _fill(model, _read(backbone, "cpu"), backbone)
    return model


def check(backbone: Backbone) -> None:
    """InputError if `load` would refuse the weights file; reads and computes next to nothing."""
    _fill(_build(backbone, "meta"), _read(backbone, "meta"), backbone)


def _build(backbone: Backbone, device: str) -> nn.Module:
    """The architecture. Nothing is downloaded, whatever its configuration names."""
    pixels = {"mean": backbone.mean, "std": backbone.std}
    try:
        # Random weights, which were asked for, or an error's one line: no warnings beside.
        with pretrained.quiet(), torch.device(device):
            return open_clip.create_model(
                backbone.model,
                load_weights=False,
                precision="fp32",
                device=device,
                force_preprocess_cfg={name: value for name, value in pixels.items() if value},
                pretrained_image=False,
                pretrained_text=False,
            )
    except Exception as error:  # a folder's configuration can be wrong in many ways
        raise InputError(
            f"--backbone {backbone.name}: open_clip cannot build it ({_short(error)}); "
            f"check {'open_clip_config.json' if backbone.model.startswith(LOCAL) else 'the name'}"
        ) from error


def _read(backbone: Backbone, device: str) -> dict[str, Tensor]:
    """The file's tensors by name; on "meta" their shapes alone.

    PyTorch's own files hold a pickle. It is read with weights_only=True, always: that admits
    tensors and plain containers and refuses anything that could run.
    """
    path = Path(backbone.weights)
    try:
        if path.suffix == ".safetensors":
            return _safetensors(path, device)
        with pretrained.quiet():
            state = torch.load(path, map_location=device, weights_only=True)
        if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
            state = state["state_dict"]
        wrong = not isinstance(state, dict) or not all(torch.is_tensor(t) for t in state.values())
    except pickle.UnpicklingError as error:
        raise InputError(
            f"weights file {path}: holds more than tensors, which could run code, or is no "
            "PyTorch file; it is not read; save its state_dict as .safetensors"
        ) from error
    except Exception as error:  # of a damaged file, the readers raise anything
        raise InputError(
            f"weights file {path}: cannot be read ({_short(error)}); get it again"
        ) from error
    if wrong:
        raise InputError(f"weights file {path}: is not a state_dict; save one as .safetensors")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _safetensors(path: Path, device: str) -> dict[str, Tensor]:
    if device != "meta":
        return load_file(path)
    with safe_open(path, framework="pt", device="cpu") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def _fill(model: nn.Module, state: dict[str, Tensor], backbone: Backbone) -> None:
    """Put the tensors in their places; InputError unless each has one and each place is filled."""
    if all(name in state for name in OPENAI_NUMBERS):
        state = {name: tensor for name, tensor in state.items() if name not in OPENAI_NUMBERS}
        named = pretrained.quick(backbone.model)
        if named != backbone.model:
            raise InputError(
                f"weights file {backbone.weights}: OpenAI's weights were trained with QuickGELU; "
                f"use {named}:{backbone.weights}"
            )
    state = convert_state_dict(model, state)
    if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
        state = convert_to_custom_text_state_dict(state)
    places = model.state_dict()
    if "logit_scale" in state and state["logit_scale"].numel() == 1:
        state["logit_scale"] = state["logit_scale"].reshape(places["logit_scale"].shape)
    missing = [name for name in places if name not in state]
    foreign = [name for name in state if name not in places]
    shapes = [
        f"{name} {tuple(state[name].shape)}, needed {tuple(place.shape)}"
        for name, place in places.items()
        if name in state and state[name].shape != place.shape
    ]
    counts = {"missing": missing, "unknown": foreign, "of another shape": shapes}
    found = [f"{len(a)} tensors {what} (first: {a[0]})" for what, a in counts.items() if a]
    if found:
        raise InputError(
            f"weights file {backbone.weights}: not weights of {backbone.model}: "
            f"{'; '.join(found)}; name the model that they were trained as"
        )
    model.load_state_dict(state)


def _short(error: Exception) -> str:
    """The kind and the first line of an error, at most 200 characters."""
    return " ".join(f"{type(error).__name__}: {error}".splitlines()[0].split())[:200]
