"""Moving tensors to a GPU without waiting for it: from pinned memory, in its own queue."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: str | torch.device) -> Tensor:
    """The tensor on the device; from the CPU to a GPU by way of pinned memory.

    A copy from ordinary memory would make the CPU wait until the GPU has done all that is queued.
    """
    if tensor.device.type == "cpu" and torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def take_rows(table: Tensor, indices: Tensor) -> Tensor:
    """table[indices] (B, ...), for loops: `indices` (B,) on the CPU, `table` wherever it lies."""
    return table.index_select(0, to_device(indices, table.device))
