"""Units: one piece of work each, the identity that its record is found by, and its seeds."""

from __future__ import annotations

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
        """sha256 of what the unit is: no label, path, device, date, worker or suite name."""
        usual = {"label", "preprocess", "precision"}
        identity = {name: value for name, value in vars(self).items() if name not in usual}
        identity |= {"hyperparameters": dict(self.hyperparameters), **self.unusual}
        return hashlib.sha256(canonical(identity).encode()).hexdigest()

    @property
    def unusual(self) -> dict[str, str]:
        """Preprocessing and precision, each only where it is not CLIP's own or float32.

        Those two go without saying, so identities from before there was anything else stand.
        """
        chosen = {"preprocess": self.preprocess, "precision": self.precision}
        return {k: v for k, v in chosen.items() if v not in (CLIP.name, FLOAT32)}

    @property
    def seed_identity(self) -> str:
        """What the unit's seeds derive from: no method, so all methods see the same batches."""
        return f"{self.task}/{self.split_sha256}/seed {self.seed}/episode {self.episode}"

    @property
    def text(self) -> str:
        """For people: `coco-fs-1 coop episode 3`."""
        turn = f"seed {self.seed}" if self.episode is None else f"episode {self.episode}"
        return f"{self.task} {self.label} {turn}"
