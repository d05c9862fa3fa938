"""Precision: which parts of a unit may have fewer bits than float32. A unit's choice, by name."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache

from benchmark.common.errors import InputError, unknown

FLOAT32 = "float32"
PARTS = ("bf16", "half-features")


@dataclass(frozen=True)
class Precision:
    """What differs from float32, which is the default everywhere.

    bf16           the steps of `training.train` run under autocast to bfloat16: matrix products
                   and convolutions; parameters, their gradients and the optimiser stay float32
    half_features  cached local features are float16 on disk; methods get them as float32
    """

    bf16: bool = False
    half_features: bool = False

    @property
    def name(self) -> str:
        """The one spelling: `float32`, `bf16`, `half-features` or `bf16+half-features`."""
        chosen = zip(PARTS, (self.bf16, self.half_features), strict=True)
        return "+".join(part for part, on in chosen if on) or FLOAT32

    def step(self, device: str) -> contextlib.AbstractContextManager:
        """The block in which a training step's loss is computed."""
        if not self.bf16:
            return contextlib.nullcontext()
        import torch

        return torch.autocast(str(device).partition(":")[0], torch.bfloat16)


@cache
def parse(name: str) -> Precision:
    """`float32`, or parts joined by `+`, each once; InputError for anything else."""
    if name == FLOAT32:
        return Precision()
    parts = name.split("+")
    for part in parts:
        if part not in PARTS:
            raise unknown("precision", part, (FLOAT32, *PARTS))
    if len(set(parts)) < len(parts):
        raise InputError(f"precision '{name}': name each part once")
    return Precision("bf16" in parts, "half-features" in parts)
