"""Facts that a suite is expanded against: of tasks, methods, the scale and the backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TaskFacts:
    """What a unit must know of a task before any image is read."""

    name: str
    setting: str
    dataset: str
    split_sha256: str
    episodes: int | None = None  # how many a few-shot task has; None: long-tailed


@dataclass(frozen=True)
class MethodFacts:
    """What a unit must know of a method before one is made."""

    name: str
    version: int
    deterministic: bool
    defaults: Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """All that a suite is expanded against: the scale, its tasks, the methods, the backbone."""

    scale: str
    tasks: Mapping[str, TaskFacts]
    methods: Mapping[str, MethodFacts]
    backbone: str
    weights_sha256: str
