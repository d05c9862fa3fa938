"""Resolves a backbone's name to an open_clip model, its weights file and their hash; no torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmark.errors import InputError, unknown

LOCAL = "local-dir:"
MINIATURE = Path(__file__).parent / "miniature" / "clip"
DEFAULT = {"miniature": f"{LOCAL}{MINIATURE}", "paper": "ViT-B-16-quickgelu:openai"}


@dataclass(frozen=True)
class Backbone:
    """An exact model: what open_clip calls it, and the bytes of its weights."""

    name: str  # for records and captions; says nothing of where files lie
    model: str  # open_clip's model name, or local-dir:FOLDER
    weights: Path
    weights_sha256: str


def resolve(spec: str | None, scale: str) -> Backbone:
    """The backbone of `NAME:TAG`, `NAME:/path/to/weights` or `local-dir:FOLDER`; None: the default.

    InputError, in one line, where the form, the model, the tag or the file does not exist.
    """
    spec = spec or DEFAULT[scale]
    if spec.startswith(LOCAL):
        folder = Path(spec.removeprefix(LOCAL)).expanduser()
        weights = folder / "open_clip_model.safetensors"
        for needed in (folder / "open_clip_config.json", weights):
            if not needed.is_file():
                raise InputError(f"--backbone {spec}: {needed} is missing; name a folder with it")
        name = "miniature-clip" if folder.resolve() == MINIATURE else folder.name
        return Backbone(name, f"{LOCAL}{folder}", weights, sha256(weights))
    model, separator, tag = spec.partition(":")
    if not (model and separator and tag):
        raise InputError(
            f"--backbone {spec}: expected NAME:TAG, NAME:/path/to/weights or {LOCAL}FOLDER"
        )
    weights = _weights(model, tag)
    name = f"{model}:{weights.name if '/' in tag else tag}"
    return Backbone(name, model, weights, sha256(weights))


@cache
def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(model: str, tag: str) -> Path:
    """The weights file of a published tag (downloaded by open_clip if need be) or a given path."""
    import open_clip

    if model not in open_clip.list_models():
        raise unknown("backbone model", model, open_clip.list_models())
    if "/" in tag:
        path = Path(tag).expanduser()
        if not path.is_file():
            raise InputError(f"--backbone {model}:{tag}: no such weights file")
        return path
    tags = open_clip.list_pretrained_tags_by_model(model)
    if tag not in tags:
        raise unknown(f"weights tag of {model}", tag, tags)
    try:
        return Path(open_clip.download_pretrained(open_clip.get_pretrained_cfg(model, tag)))
    except Exception as error:  # the hub client has many kinds of them, all meaning: not there
        raise InputError(
            f"--backbone {model}:{tag}: cannot download the weights ({type(error).__name__}); "
            f"fetch them where there is a network and pass {model}:/path/to/weights"
        ) from error
