"""What open_clip publishes: model configurations, weights and their files on the hub; no torch.

open_clip brings torch, which a look at a plan (`--status`, `--dry-run`) must not wait for. Its
table of weights is therefore run on its own, and its model configurations are read as the JSON
files that they are.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import logging
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError

SECONDS = 10  # after which a hub that does not answer counts as out of reach
DEFAULT_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # safe one first

Entry = Mapping[str, Any]  # open_clip's own: url, hf_hub, mean, std, perhaps quick_gelu


@cache
def models() -> dict[str, dict[str, Any]]:
    """Each model's configuration: embed_dim, vision_cfg, text_cfg, perhaps quick_gelu."""
    paths = sorted((_folder() / "model_configs").glob("*.json"))
    read = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    needed = {"embed_dim", "vision_cfg", "text_cfg"}
    return {model: found for model, found in read.items() if needed <= found.keys()}


def weights(model: str) -> dict[str, Entry]:
    """The published weights of a model, by tag."""
    module = _table()
    tags = module.list_pretrained_tags_by_model(model)
    return {tag: module.get_pretrained_cfg(model, tag) for tag in tags}


@cache
def openai() -> dict[str, str]:
    """sha256 of OpenAI's own archives -> the model that they are for, quickgelu as trained."""
    urls = {name: tags["openai"].get("url", "") for name, tags in _all() if "openai" in tags}
    names = {url.split("/")[-2]: name for name, url in urls.items() if url.count("/") > 1}
    return {digest: quick(name) for digest, name in names.items()}


def quick(model: str) -> str:
    """The model's name with the activation that OpenAI trained with."""
    named = f"{model.removesuffix('-quickgelu')}-quickgelu"
    return named if named in models() else model


def repository(entry: Entry) -> tuple[str, tuple[str, ...]]:
    """The hub repository of published weights and their file there; the preferred name first."""
    name, _, file = entry["hf_hub"].rpartition("/")
    if not file:
        return name, DEFAULT_FILES
    safe = Path(file).with_suffix(".safetensors").name
    return name, tuple(dict.fromkeys((safe, file)))


def of_cache(path: Path) -> tuple[str, str, Entry] | None:
    """Model, tag and entry of a file that lies in a hub cache, which names its repository."""
    names = {part.removeprefix("models--").replace("--", "/", 1) for part in path.parts}
    for model, tags in _all():
        for tag, entry in tags.items():
            if repository(entry)[0] in names:
                return model, tag, entry
    return None


def cached(entry: Entry) -> Path | None:
    """The published file, if the hub cache of this machine has it."""
    from huggingface_hub import try_to_load_from_cache

    name, files = repository(entry)
    found = (try_to_load_from_cache(name, file) for file in files)
    return next((Path(path) for path in found if isinstance(path, str)), None)


def download(entry: Entry) -> Path:
    """The published file, fetched into the hub cache; InputError with the bare reason if not.

    The hub is asked once before the download: its client would try again and again, for half a
    minute, where there is no network.
    """
    from huggingface_hub import errors, hf_hub_download, hf_hub_url
    from huggingface_hub.utils import get_session

    name, files = repository(entry)
    with quiet(logging.ERROR):
        try:
            get_session().head(hf_hub_url(name, files[0]), timeout=SECONDS)
        except Exception as error:  # each version of the client has kinds of its own
            raise InputError(f"the hub is out of reach ({type(error).__name__})") from error
        for file in files:
            try:
                return Path(hf_hub_download(name, file, etag_timeout=SECONDS))
            except errors.LocalEntryNotFoundError as error:  # lost on the way; not a missing file
                raise InputError("the hub is out of reach") from error
            except errors.EntryNotFoundError:
                continue
            except Exception as error:
                raise InputError(f"the download failed ({type(error).__name__})") from error
    raise InputError("the hub has no such file")


def _all() -> Iterator[tuple[str, dict[str, Entry]]]:
    return ((model, weights(model)) for model in models())


@cache
def _folder() -> Path:
    found = importlib.util.find_spec("open_clip")
    return Path(next(iter(found.submodule_search_locations)))


@cache
def _table() -> types.ModuleType:
    """open_clip.pretrained, run under another package's name if open_clip is not loaded yet.

    It asks for safetensors.torch only to learn whether it is there; that would bring torch.
    """
    if "open_clip.pretrained" in sys.modules:
        return sys.modules["open_clip.pretrained"]
    name = "_published_by_open_clip"
    package = types.ModuleType(name)
    package.__path__ = [str(_folder())]
    hidden = {name: package}
    if "torch" not in sys.modules:
        hidden["safetensors.torch"] = None
    before = {key: sys.modules[key] for key in hidden if key in sys.modules}
    sys.modules.update(hidden)
    try:
        return importlib.import_module(f"{name}.pretrained")
    finally:
        for key in [key for key in sys.modules if key in hidden or key.startswith(f"{name}.")]:
            del sys.modules[key]
        sys.modules.update(before)


@contextlib.contextmanager
def quiet(level: int = logging.WARNING) -> Iterator[None]:
    """No Python warnings in the block, and no log lines of other libraries up to a level."""
    before = logging.root.manager.disable
    logging.disable(level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
