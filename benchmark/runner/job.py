"""A job: all that the computing of units depends on. It travels to the processes that compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.records import store
from benchmark.suites.unit import Unit

if TYPE_CHECKING:
    from benchmark.clip.backbone import Backbone


@dataclass(frozen=True)
class Job:
    """What to compute, where it is read and written, and how."""

    units: tuple[Unit, ...]
    suite: str
    folder: store.ResultsFolder
    cache: Path
    root: Path  # the data root
    backbone: Backbone
    plugins: tuple[Path, ...] = ()
    foreign: frozenset[str] = frozenset()  # names of methods of plugins and installed packages
    devices: tuple[str, ...] = ("cpu",)  # one a worker
    timeout: float | None = None  # seconds that a unit may take
    stale: Mapping[str, int] = field(default_factory=dict)  # files that count as absent
    origin: Mapping[str, Any] = field(default_factory=dict)  # provenance.of_code()
    shuffle: int = 0  # differs between processes, so that claims rarely collide
    oracle: bool = False  # evaluate each epoch; records without that count as absent
    plain: bool = False  # encode prompts the slow way
    costs: Mapping[tuple, float] = field(default_factory=dict)  # seconds, see schedule.py
    share: tuple[int, int] | None = None  # of several machines: which one this is, of how many
    first: frozenset[str] = frozenset()  # keys of units to begin with
    patience: float | None = None  # seconds to wait for what others compute, without work
