"""Reads a folder of parity vectors: tensors by key and shape, constants, class names."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from benchmark.common.errors import InputError

META = "meta.json"


class Vectors:
    """One .safetensors file of a folder; each tensor is asked for by its key and shape.

    A size in a shape is a number, or a name ("N") for one number throughout the file: `sizes` has
    those known so far. `unread` are the keys that nobody has asked for.
    InputError, in one line, for a file, key, shape or number that is not as it must be.
    """

    def __init__(self, folder: Path, name: str) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; name one with parity vectors")
        self.path = folder / name
        self.meta = _meta(folder / META)
        self.tensors, self.notes = _read(self.path)
        self.class_names = tuple(self.meta["classnames"])
        self.sizes = {"C": len(self.class_names)}
        self.unread = set(self.tensors)

    def get(self, key: str, *shape: int | str, exact: bool = False) -> Tensor:
        """A tensor of that shape, floating point as float32, or `exact` as it is stored; without a
        shape, whatever it is."""
        if key not in self.tensors:
            raise self.error(key, "missing; the file is incomplete")
        self.unread.discard(key)
        tensor = self.tensors[key]
        if shape:
            self._check(key, tensor, shape)
        return tensor.float() if tensor.is_floating_point() and not exact else tensor

    def scalar(self, key: str) -> Tensor:
        """A tensor of one number, as a scalar."""
        tensor = self.get(key)
        if tensor.numel() != 1:
            raise self.error(key, f"shape {tuple(tensor.shape)}; expected one number")
        return tensor.reshape(())

    def matching(self, pattern: str) -> list[re.Match[str]]:
        """The keys that a pattern matches from end to end, in order; there must be one."""
        found = [match for key in sorted(self.tensors) if (match := re.fullmatch(pattern, key))]
        if not found:
            raise self.error(pattern.replace("\\", ""), "no such key; the file is incomplete")
        return found

    def only(self, pattern: str) -> re.Match[str]:
        """The one key that a pattern matches."""
        found = self.matching(pattern)
        if len(found) > 1:
            raise self.error(found[1].string, f"one too many beside {found[0].string}")
        return found[0]

    def constant(self, name: str, default: float) -> float:
        """A number: from the tensor io.NAME, the file's metadata or meta.json, in this order.

        The default, the README's, counts only where none of them has it.
        """
        if f"io.{name}" in self.tensors:
            return float(self.scalar(f"io.{name}"))
        value = (self.meta | self.notes).get(name, default)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise self.error(name, f"{value!r} is not a number")
        return number

    def weights(self) -> dict[str, Tensor]:
        """The tensors w.*, as float32, without that prefix."""
        keys = [match.string for match in self.matching(r"w\..+")]
        return {key.removeprefix("w."): self.get(key) for key in keys}

    def error(self, key: str, what: str) -> InputError:
        """The error of a key of this file."""
        return InputError(f"{self.path}: {key}: {what}")

    def _check(self, key: str, tensor: Tensor, shape: Sequence[int | str]) -> None:
        wanted = tuple(self.sizes.get(size, size) for size in shape)
        pairs = list(zip(wanted, tensor.shape, strict=False))
        fits = all(isinstance(size, str) or size == found for size, found in pairs)
        if len(wanted) != tensor.ndim or not fits:
            text = ", ".join(map(str, wanted))
            raise self.error(key, f"shape {tuple(tensor.shape)}; expected ({text})")
        self.sizes |= {size: found for size, found in pairs if isinstance(size, str)}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A file's tensors and the notes in its header."""
    if not path.is_file():
        raise InputError(f"{path}: missing; the folder must hold it")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            keys = file.keys()
            return {key: file.get_tensor(key) for key in keys}, dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read as .safetensors ({reason})") from error


def _meta(path: Path) -> dict[str, Any]:
    """What meta.json says; it must name the classes."""
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; the folder must hold it") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(meta, dict):
        raise InputError(f"{path}: must be a JSON object")
    names = meta.get("classnames")
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise InputError(f"{path}: classnames: must be a list of class names")
    return meta
