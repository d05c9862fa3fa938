"""To the device that computes, without waiting for what it still has to do."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: str | torch.device) -> Tensor:
    """The tensor on the device. From ordinary memory a copy to a GPU would wait for its queue."""
    if tensor.device.type == "cpu" and torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def take_rows(table: Tensor, indices: Tensor) -> Tensor:
    """table[indices] (B, ...), for loops: `indices` (B,) on the CPU, `table` wherever it lies."""
    return table.index_select(0, to_device(indices, table.device))
