"""Watches what a method must leave alone: the shared CLIP's weights, and the test files."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmark.clip.model import Clip
from benchmark.data import splits


class Frozen:
    """The shared CLIP as it was; `changes` names what is different, `restore` puts it back."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.before = {name: value.detach().clone() for name, value in self._tensors().items()}
        self.hooks = self._hooks()

    def changes(self) -> list[str]:
        """What has happened to the model since, in words; nothing if it is as it was."""
        now = self._tensors()
        gone = [name for name in self.before if name not in now]
        new = [name for name in now if name not in self.before]
        other = [k for k, old in self.before.items() if k in now and not _same(old, now[k])]
        kinds = {"lost": gone, "gained": new, "changed": other}
        found = [f"{kind} {_some(names)}" for kind, names in kinds.items() if names]
        if any(p.grad is not None for p in self.clip.model.parameters()):
            found.append("has gradients")
        if self._hooks() != self.hooks:
            found.append("has hooks that were not there before")
        try:
            self.clip.check_frozen()
        except RuntimeError as error:
            found.append(str(error))
        return found

    @torch.no_grad()
    def restore(self) -> None:
        """Weights, gradients and modes as they were, so that later checks see the same model."""
        now = self._tensors()
        for name, old in self.before.items():
            if name in now and now[name].shape == old.shape:
                now[name].copy_(old)
        self.clip.model.eval().requires_grad_(False)
        for parameter in self.clip.model.parameters():
            parameter.grad = None

    def _tensors(self) -> dict[str, torch.Tensor]:
        model = self.clip.model
        return dict([*model.named_parameters(), *model.named_buffers()])

    def _hooks(self) -> int:
        parts = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        modules = self.clip.model.modules()
        return sum(len(getattr(module, part)) for module in modules for part in parts)


def _same(old: torch.Tensor, new: torch.Tensor) -> bool:
    return old.dtype == new.dtype and torch.equal(old, new)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


_watched: list[tuple[str, set[str]]] = []  # (folder of test pictures, what was opened of them)


@functools.cache
def _listen() -> None:
    sys.addaudithook(_hear)  # cannot be taken away again; it does nothing while none watches


@contextlib.contextmanager
def test_files(folder: Path, opened: set[str]) -> Iterator[None]:
    """Adds to `opened` the files of the folder, and the test lists of splits, that the block opens.

    Python tells of every file that it opens, in whatever thread. Code that is not Python's is
    not heard.
    """
    _listen()
    _watched.append((os.path.abspath(folder) + os.sep, opened))
    try:
        yield
    finally:
        _watched.pop()


def _hear(event: str, arguments: tuple) -> None:
    if event != "open" or not _watched or not isinstance(arguments[0], (str, os.PathLike)):
        return
    path = os.path.abspath(os.fspath(arguments[0]))
    listed = path.startswith(str(splits.FOLDER)) and "test" in os.path.basename(path)
    for folder, opened in _watched:
        if listed or path.startswith(folder):
            opened.add(path)
