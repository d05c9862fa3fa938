"""Watches a method's own training loop: when its steps end, and what their time is spent on."""

from __future__ import annotations

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock

from torch import Tensor
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from benchmark.clip.feature_cache import FeatureStore
from benchmark.clip.prompts import PromptEncoder
from benchmark.diagnostics.speed import flops, plain
from benchmark.diagnostics.speed.setup import wait
from hpdval import students
from hpdval.hpdval import HPDVAL

PARTS = ("image", "text", "rest")
_ENCODERS = (  # where the methods' code meets an encoder
    (plain, "encode", "image"),
    (students, "image_features", "image"),
    (PromptEncoder, "__call__", "text"),
    (PromptEncoder, "several", "text"),
)
_PREPARED = ((FeatureStore, "features"), (HPDVAL, "frozen_views"))


class StepTimer:
    """Use it `with` a fit that trains for `steps` steps; call `begin` when its loop begins.

    The first `skip` steps warm up and count for nothing. Of the others, `seconds` is the time of
    all, and `parts` that of the image tower, of the prompts' text and of the rest: an encoder's
    forward pass, and from the gradient of its output on to the end of the backward pass. On a
    GPU that takes a pause at each border, so there `parts` stays empty unless `borders` is set.
    If operations are to be counted, `flop` has the floating point ones by part, and `gradients`
    are the last step's. `prepared` is the seconds of computing frozen features before the loop.
    """

    def __init__(
        self, device: str, steps: int, *, skip: int = 0, borders: bool = False, count: bool = False
    ) -> None:
        self.device, self.steps, self.skip = device, steps, skip
        self.borders = borders or device == "cpu"
        self.counter = flops.counter() if count else None
        self.parts: Counter[str] = Counter()
        self.flop: Counter[str] = Counter()
        self.gradients: list[Tensor] = []
        self.seconds = self.prepared = 0.0
        self._done, self._part = 0, ""  # no part: before the loop, or after it
        self._inside = False

    def __enter__(self) -> StepTimer:
        self._stack = contextlib.ExitStack()
        for owner, name, part in _ENCODERS:
            if hasattr(owner, name):
                self._put(owner, name, functools.partial(self._encoding, part))
        for owner, name in _PREPARED:
            self._put(owner, name, self._preparing)
        for register, hook in (
            (register_optimizer_step_pre_hook, self._before),
            (register_optimizer_step_post_hook, self._after),
        ):
            self._stack.callback(register(hook).remove)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def begin(self) -> None:
        """The training loop begins."""
        if self.counter is not None:
            self._stack.enter_context(self.counter)
        wait(self.device)
        self._part, self._began = "rest", time.perf_counter()
        self._since, self._counted = self._began, 0

    def _put(self, owner: Any, name: str, wrap: Callable[[Callable], Callable]) -> None:
        patch = mock.patch.object(owner, name, wrap(getattr(owner, name)))
        self._stack.enter_context(patch)

    def _encoding(self, part: str, function: Callable) -> Callable:
        @functools.wraps(function)
        def watched(*arguments, **options):
            if not self._part or self._inside:
                return function(*arguments, **options)
            self._turn(part)
            self._inside = True
            try:
                found = function(*arguments, **options)
            finally:
                self._inside = False
                self._turn("rest")
            for tensor in [found] if isinstance(found, Tensor) else found:
                if tensor.requires_grad:
                    tensor.register_hook(lambda gradient: self._turn(part))
            return found

        return watched

    def _preparing(self, function: Callable) -> Callable:
        @functools.wraps(function)
        def watched(*arguments, **options):
            if self._part:
                return function(*arguments, **options)
            began = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                wait(self.device)
                self.prepared += time.perf_counter() - began

        return watched

    def _turn(self, part: str) -> None:
        """Another part begins: what was since the last turn belongs to the one before."""
        if not self._part:
            return
        if self.borders:
            wait(self.device)
            now = time.perf_counter()
            self.parts[self._part] += now - self._since
            self._since = now
        if self.counter is not None:
            counted = self.counter.get_total_flops()
            self.flop[self._part] += counted - self._counted
            self._counted = counted
        self._part = part

    def _before(self, optimiser, arguments, options) -> None:
        if self._part:  # the loop's, not one that a method's preparations use
            if self.counter is not None:
                parameters = [p for group in optimiser.param_groups for p in group["params"]]
                self.gradients = [p.grad for p in parameters if p.grad is not None]
            self._turn("rest")

    def _after(self, optimiser, arguments, options) -> None:
        if not self._part:
            return
        self._done += 1
        if self._done == self.skip:
            wait(self.device)
            self.parts.clear()
            self._began = self._since = time.perf_counter()
        if self._done == self.steps:
            wait(self.device)
            self._turn("rest")
            self.seconds = time.perf_counter() - self._began
            self._part = ""
