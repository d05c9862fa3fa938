"""The process's global random generators: Python's, NumPy's and torch's. Needs torch."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Start all of them, on every device, from a seed in [0, 2**32)."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextlib.contextmanager
def kept(device: str) -> Iterator[None]:
    """After the block they go on as if it had not been.

    device   "cpu" or "cuda:0": which of torch's generators are put back besides the CPU's
    """
    python, arrays = random.getstate(), np.random.get_state()
    cuda = [torch.device(device)] if str(device).startswith("cuda") else []
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)


@contextlib.contextmanager
def aside(seed: int, device: str) -> Iterator[None]:
    """Start them from a seed for the block, and keep them out of it otherwise: see `kept`."""
    with kept(device):
        seed_everything(seed)
        yield
