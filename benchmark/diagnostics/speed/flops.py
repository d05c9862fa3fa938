"""Counts floating point operations with torch's counter, and knows the kernels that it misses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils import flop_counter
from torch.utils.flop_counter import FlopCounterMode

from benchmark.diagnostics.speed.setup import wait

_SIDE = 2048  # of the square matrices by which the device's own speed is taken
_LIMIT_SECONDS = 1.0

Shape = Sequence[int]


def counter() -> FlopCounterMode:
    """A counter of multiplications and additions of matrix products and convolutions."""
    aten = torch.ops.aten
    missed = {
        "_scaled_dot_product_flash_attention_for_cpu": _attention,
        "_scaled_dot_product_flash_attention_for_cpu_backward": _attention_backward,
        "_native_multi_head_attention": _whole_attention,
    }
    known = {getattr(aten, name): count for name, count in missed.items() if hasattr(aten, name)}
    return FlopCounterMode(display=False, custom_mapping=known)


def limit(device: str) -> float:
    """GFLOP/s of large float32 matrix products on the device."""
    a = torch.randn(_SIDE, _SIDE, device=device)
    a @ a
    wait(device)
    began, times = time.perf_counter(), 0
    while time.perf_counter() - began < _LIMIT_SECONDS:
        a @ a
        wait(device)
        times += 1
    return times * 2 * _SIDE**3 / (time.perf_counter() - began) / 1e9


def _attention(query: Shape, key: Shape, value: Shape, *others: Any, **options: Any) -> int:
    return flop_counter.sdpa_flop_count(query, key, value)


def _attention_backward(
    gradient: Shape, query: Shape, key: Shape, value: Shape, *others: Any, **options: Any
) -> int:
    return flop_counter.sdpa_backward_flop_count(gradient, query, key, value)


def _whole_attention(query: Shape, key: Shape, value: Shape, *others: Any, **options: Any) -> int:
    """PyTorch's one kernel of a whole self-attention (B, T, W), where nothing is learned."""
    batch, tokens, width = query
    projections = 2 * batch * tokens * width * 4 * width
    return projections + 4 * batch * tokens * tokens * width
