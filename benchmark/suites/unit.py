"""Units: one piece of work each, the identity that its record is found by, and its seeds."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmark.common.identity import canonical
from benchmark.data.preprocessing import CLIP
from benchmark.method.precision import FLOAT32


@dataclass(frozen=True)
class Unit:
    """One piece of work: a method on a task with one seed, or on one episode."""

    task: str
    label: str
    method: str
    method_version: int
    hyperparameters: tuple[tuple[str, Any], ...]  # sorted by name
    scale: str
    seed: int
    episode: int | None
    split_sha256: str
    backbone: str
    weights_sha256: str
    preprocess: str = CLIP.name
    precision: str = FLOAT32

    @cached_property
    def key(self) -> str:
        """sha256 of what the unit is: no label, path, device, date, worker or suite name.

        CLIP's own preprocessing and float32 go without saying, so keys from before there was
        anything else stand.
        """
        identity = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        identity["hyperparameters"] = dict(self.hyperparameters)
        del identity["label"]
        if self.preprocess == CLIP.name:
            del identity["preprocess"]
        if self.precision == FLOAT32:
            del identity["precision"]
        return hashlib.sha256(canonical(identity).encode()).hexdigest()

    @property
    def seed_identity(self) -> str:
        """What the unit's seeds derive from: no method, so all methods see the same batches."""
        return f"{self.task}/{self.split_sha256}/seed {self.seed}/episode {self.episode}"

    @property
    def text(self) -> str:
        """For people: `coco-fs-1 coop episode 3`."""
        turn = f"seed {self.seed}" if self.episode is None else f"episode {self.episode}"
        return f"{self.task} {self.label} {turn}"
