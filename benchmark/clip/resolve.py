"""Resolves a backbone's name to an open_clip model, its weights file and their hash; no torch."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.clip import pretrained
from benchmark.clip.backbone import LOCAL, Backbone
from benchmark.common import environment
from benchmark.common.errors import InputError, unknown
from benchmark.common.identity import sha256

RANDOM = "random"
MINIATURE = environment.ROOT / "benchmark" / "miniature" / "clip"
DEFAULT = {"miniature": f"{LOCAL}{MINIATURE}", "paper": "ViT-B-16-quickgelu:openai"}
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


class _Refused(Exception):
    """Why a spec is refused; `resolve` puts the spec in front."""


_UNUSABLE = """its text tower is not CLIP's causal one with CLIP's tokenizer, EOS and projection \
({}), which the methods need; use a CLIP model such as ViT-B-16 or RN50"""
_NO_FEATURE = """its image tower gives no single feature of a square picture ({}); use a CLIP \
model such as ViT-B-16 or RN50"""
_EOS = 49407  # the last word of CLIP's tokenizer
_FREE = ("context_length", "width", "heads", "mlp_ratio", "ls_init_value", "act_kwargs")
_FREE += ("norm_kwargs", "pad_id", "eos_id")  # of a text tower: whatever they are, it is CLIP's


def resolve(spec: str | None, scale: str, download: bool = True) -> Backbone:
    """The backbone of a --backbone text; None: the scale's default.

    spec       `NAME:TAG`, `NAME:/path/to/weights`, `NAME:random` or `local-dir:FOLDER`.
    download   False: published weights must be in the hub cache already, and files are hashed but
               not opened with torch.
    InputError, in one line, where the form, the model, the tag or the file does not exist or does
    not fit.
    """
    spec = DEFAULT[scale] if spec is None else spec
    try:
        return _resolved(spec, download)
    except _Refused as refused:
        raise InputError(f"--backbone {spec}: {refused}") from refused.__cause__


def _resolved(spec: str, download: bool) -> Backbone:
    if spec.startswith(LOCAL):
        return _folder(spec, open_it=download)
    model, separator, tag = spec.partition(":")
    if not (model and separator and tag):
        forms = f"NAME:TAG, NAME:/path/to/weights, NAME:{RANDOM} or {LOCAL}FOLDER"
        raise _Refused(f"expected {forms}")
    if model not in pretrained.models():
        raise unknown("backbone model", model, filter(_usable, pretrained.models()))
    if why := _misfits(pretrained.models()[model]):
        raise _Refused(why)
    if tag == RANDOM:
        text = f"open_clip's random weights of {model}, seed 0"
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Backbone(spec, model, None, digest, *_pixels(model))
    if "/" in tag or tag.endswith(SUFFIXES):
        return _file(model, environment.expanded(tag, "--backbone"), open_it=download)
    return _published(spec, model, tag, download)


def _folder(spec: str, open_it: bool) -> Backbone:
    folder = environment.expanded(spec.removeprefix(LOCAL), "--backbone")
    weights, config = folder / "open_clip_model.safetensors", folder / "open_clip_config.json"
    for needed in (config, weights):
        if not os.path.isfile(needed):
            raise _Refused(f"{needed} is missing; name a folder with it")
    try:
        why = _misfits(json.loads(config.read_text(encoding="utf-8"))["model_cfg"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        kind = type(error).__name__
        text = f"{config} is not a model configuration ({kind}); expected open_clip's"
        raise _Refused(f"{text}, with model_cfg") from None
    if why:
        raise _Refused(f"{config}: {why}")
    shipped = folder.resolve() == MINIATURE
    name = "miniature-clip" if shipped else folder.resolve().name
    found = Backbone(name, f"{LOCAL}{folder}", weights, sha256(weights))
    return _opened(found) if open_it and not shipped else found


def _published(spec: str, model: str, tag: str, download: bool) -> Backbone:
    """Published weights, from the hub cache or, if allowed, the hub."""
    own = pretrained.weights(model)
    both = own | _other_activation(model)
    if tag not in both:
        raise unknown(f"weights tag of {model}", tag, (*own, RANDOM))
    entry = both[tag]
    _check_activation(model, entry, f"the published weights '{tag}'", tag)
    weights = pretrained.cached(entry)
    if weights is None:
        name, files = pretrained.repository(entry)
        ways = (
            f"get {' or '.join(files)} of huggingface.co/{name} and pass {model}:/path/to/it, or "
            f"fill the hub cache: hf download {name} {files[0]}"
        )
        if not download:
            raise _Refused(
                "the weights are not on this machine; the same command without --status, "
                f"--dry-run or --report downloads them; or {ways}"
            )
        try:
            weights = pretrained.download(entry)
        except InputError as error:
            raise _Refused(f"no weights: {error}; {ways}") from error
    _check_format(model, weights)
    return Backbone(spec, model, weights, sha256(weights), entry["mean"], entry["std"])


def _file(model: str, path: Path, open_it: bool) -> Backbone:
    """A weights file of the user's; what is known of it must fit the model."""
    if not os.path.isfile(path):  # Path.is_file raises where a folder may not be entered
        raise _Refused("no such weights file; check path and permissions")
    digest = sha256(path)
    source = pretrained.of_cache(path.absolute())
    if digest in pretrained.openai():
        raise _program(pretrained.openai()[digest])
    if source:
        _check_activation(model, source[2], f"this file, {source[0]}:{source[1]},", path)
    _check_format(model, path)
    pixels = (source[2]["mean"], source[2]["std"]) if source else _pixels(model)
    found = Backbone(f"{model}:{path.name}", model, path, digest, *pixels)
    return _opened(found) if open_it else found


def _opened(found: Backbone) -> Backbone:
    """The same, if its file holds its weights: better said here than once by each worker."""
    from benchmark.clip import weights  # brings torch

    weights.check(found)
    return found


def _usable(model: str) -> bool:
    """Whether the methods can work with the model of this name."""
    return not _misfits(pretrained.models()[model])


def _misfits(config: Mapping[str, Any]) -> str:
    """Why the methods cannot work with a model of this configuration; "" if they can.

    Prompts are encoded by code of our own. It knows a causal tower with CLIP's tokenizer and
    open_clip's default blocks, whose feature is the state at EOS, projected. A field that is not
    known here must be unset or false. open_clip's own ViT must give one feature a picture.
    """
    text, vision = config["text_cfg"], config["vision_cfg"]
    fits = {
        "pool_type": lambda v: v == "argmax" or (v == "eos" and text.get("eos_id") == _EOS),
        "proj_type": lambda v: v in ("linear", None),
        "block_type": lambda v: v in ("default", None),
        "vocab_size": lambda v: v > _EOS,
        "layers": lambda v: v >= 1,
    } | dict.fromkeys(_FREE, lambda v: True)
    odd = [f"{k}: {v}" for k, v in text.items() if not fits.get(k, lambda v: not v)(v)]
    if odd or config.get("multimodal_cfg"):
        return _UNUSABLE.format(", ".join(odd) or "multimodal_cfg")
    if vision.get("timm_model_name"):
        return ""
    sizes = {name: vision.get(name) for name in ("image_size", "patch_size")}
    odd = [f"{k}: {v}" for k, v in sizes.items() if isinstance(v, list) and len(set(v)) != 1]
    pools = {name: vision.get(name) for name in ("attentional_pool", "pool_type")}
    several = {"parallel", "cascade", "none"}
    odd += [f"{k}: {v}" for k, v in pools.items() if v in several]
    return _NO_FEATURE.format(", ".join(odd)) if odd else ""


def _check_activation(model: str, entry: pretrained.Entry, what: str, tag: object) -> None:
    """_Refused if the weights were trained with another activation than the model computes."""
    models = pretrained.models()
    trained = bool(entry.get("quick_gelu"))
    if trained == bool(models[model].get("quick_gelu")):
        return
    names = (pretrained.quick(model), model.removesuffix("-quickgelu"))
    fits = [n for n in names if n in models and bool(models[n].get("quick_gelu")) == trained]
    kind = "with" if trained else "without"
    advice = f"use {fits[0]}:{tag}" if fits else "open_clip has no model for them"
    raise _Refused(f"{what} were trained {kind} QuickGELU; {advice}")


def _other_activation(model: str) -> dict[str, pretrained.Entry]:
    """The published weights of the same architecture with the other activation."""
    other = {pretrained.quick(model), model.removesuffix("-quickgelu")} - {model}
    return {tag: entry for name in other for tag, entry in pretrained.weights(name).items()}


def _check_format(model: str, path: Path) -> None:
    """_Refused for a file that cannot be read as mere numbers."""
    if path.suffix not in SUFFIXES:
        raise _Refused(f"{path.name} is not a weights file; expected {', '.join(SUFFIXES)}")
    if path.suffix == ".safetensors" or not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return  # reading it will say what is wrong
    if any(name.endswith("/constants.pkl") for name in names):
        raise _program(model)


def _program(model: str) -> _Refused:
    """The refusal of a TorchScript archive, with the way to the same weights as numbers."""
    entry, where = pretrained.weights(model).get("openai"), ""
    if entry:
        name, files = pretrained.repository(entry)
        where = f": {files[0]} of huggingface.co/{name}, as {pretrained.quick(model)}:/path/to/it"
    text = "a TorchScript archive is a program, and is not run; use the same weights as"
    return _Refused(f"{text} .safetensors{where}")


def _pixels(model: str) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Mean and deviation for weights of unknown origin: those that all published ones share."""
    found = {(entry["mean"], entry["std"]) for entry in pretrained.weights(model).values()}
    return found.pop() if len(found) == 1 else (None, None)
