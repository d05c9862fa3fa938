"""A timer of the steps of a method's own training loop, and of the encoders' part in them."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import optimizer
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from benchmark.clip import observe
from benchmark.diagnostics.speed.setup import wait

PARTS = ("image", "text", "rest")


class StepTimer(contextlib.ExitStack):
    """Use it `with` a fit that trains for `steps` steps, as one of its `Run.draws`.

    The first `skip` steps warm up and count for nothing. Of the others, `step` is the mean time in
    seconds, and `parts` that of the image tower, of the prompts' text and of the rest: an encoder's
    forward pass, and from the gradient of its output on to the end of the backward pass. On a
    GPU that takes a pause at each border, so there `parts` stays empty unless `borders` is set.
    With `count`, `flop` has the floating point operations of all steps by part, and `gradients`
    are the last step's. `prepared` is the seconds of encoding images before the loop, `loss` the
    first epoch's, for the fit to fill in.
    """

    def __init__(self, device: str, steps: int, *, skip=0, borders=False, count=False) -> None:
        super().__init__()
        self.device, self.steps, self.skip = device, steps, skip
        self.borders = borders or device == "cpu"
        self.counter = flop_counter() if count else None
        self.parts: Counter[str] = Counter()
        self.flop: Counter[str] = Counter()
        self.gradients: list[Tensor] = []
        self.step = self.prepared = self.loss = 0.0
        self._done, self._part = 0, None  # no part: before the loop; "" after it

    def __enter__(self) -> StepTimer:
        self.callback(observe.observer.reset, observe.observer.set(self._encode))
        self.callback(optimizer.register_optimizer_step_pre_hook(self._before).remove)
        self.callback(optimizer.register_optimizer_step_post_hook(self._after).remove)
        return super().__enter__()

    def announce(self, indices: Tensor) -> None:
        """As one of `Run.draws`: the training loop begins, or goes on."""
        if self._part is not None:
            return
        if self.counter is not None:
            self.enter_context(self.counter)
        wait(self.device)
        self._part, self._counted = "rest", 0
        self._began = self._since = time.perf_counter()

    def _encode(self, part: str, call: Callable[[], Any]) -> Any:
        """Observes the passes through the encoders."""
        if self._part != "rest":  # not in the loop, or inside of another pass
            began, found = time.perf_counter(), call()
            if self._part is None and part == "image":
                wait(self.device)
                self.prepared += time.perf_counter() - began
            return found
        self._turn(part)
        found = call()
        self._turn("rest")
        for tensor in [found] if isinstance(found, Tensor) else found:
            if tensor.requires_grad:
                tensor.register_hook(lambda gradient: self._turn(part))
        return found

    def _turn(self, part: str) -> None:
        """Another part begins: what was since the last turn belongs to the one before."""
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
        if not self._part:  # one that a method's preparations use
            return
        if self.counter is not None:
            parameters = [p for group in optimiser.param_groups for p in group["params"]]
            self.gradients = [p.grad for p in parameters if p.grad is not None]
        self._turn("rest")

    def _after(self, optimiser, arguments, options) -> None:
        if not self._part:
            return
        self._done += 1
        if self._done in (self.skip, self.steps):
            wait(self.device)
        if self._done == self.skip:
            self.parts.clear()
            self._began = self._since = time.perf_counter()
        if self._done == self.steps:
            self._turn("")
            timed = self.steps - self.skip
            self.step = (time.perf_counter() - self._began) / timed
            self.parts = Counter({part: spent / timed for part, spent in self.parts.items()})


def flop_counter() -> FlopCounterMode:
    """Counts the operations of matrix products and convolutions, with kernels that torch misses."""
    aten, flash = torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu"
    missed = {
        getattr(aten, flash): lambda *shapes, **_: sdpa_flop_count(*shapes[:3]),
        getattr(aten, f"{flash}_backward"): lambda *s, **_: sdpa_backward_flop_count(*s[:4]),
        aten._native_multi_head_attention: _whole_attention,
    }
    return FlopCounterMode(display=False, custom_mapping=missed)


def _whole_attention(query: Sequence[int], *others: Any, **options: Any) -> int:
    """PyTorch's one kernel of a whole self-attention (B, T, W), where nothing is learned."""
    batch, tokens, width = query
    return 2 * batch * tokens * width * 4 * width + 4 * batch * tokens * tokens * width
