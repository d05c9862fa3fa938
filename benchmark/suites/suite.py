"""What a suite asks for: its tasks, seeds, episodes, methods and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark.data import preprocessing
from benchmark.method import precision
from benchmark.suites.settings import SettingsFile
from benchmark.suites.tables import ReportLayout

SCALES = ("miniature", "paper")
CLIP = preprocessing.CLIP.name


@dataclass(frozen=True)
class Override:
    """Settings for the tasks that `when` describes: all its fields must match."""

    when: Mapping[str, tuple[str, ...]]  # field -> the values that match
    set: Mapping[str, Any]
    preprocess: str | None = None  # None: stays as it is


@dataclass(frozen=True)
class MethodEntry:
    """One row of the tables: a plugin, and the settings that the suite gives it."""

    label: str
    method: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    preprocess: str = CLIP
    precision: str = precision.FLOAT32
    chosen: Mapping[str, Override] = field(default_factory=dict)  # place in a settings file -> it
    leaves: frozenset[str] = frozenset()  # tasks of the suite that are not for this entry
    title: str = ""  # in tables and figures; "": see titles.py


@dataclass(frozen=True)
class Suite:
    """A parsed suite file; `origin` names it in errors, `summary` is its first comment line."""

    name: str
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    episodes: int
    methods: tuple[MethodEntry, ...]
    origin: str = "suite"
    summary: str = ""
    layout: ReportLayout = ReportLayout()
    settings: Mapping[str, SettingsFile] = field(default_factory=dict)  # by scale

    def chosen(self, label: str, method: str, name: str | None = None) -> dict[str, Override]:
        """What the settings files give an entry, see `SettingsFile.of`; by the place in them."""
        found = {}
        for scale, file in self.settings.items():
            owner, by_setting = file.of(label, method, name)
            for setting, values in by_setting.items():
                when = {"scale": (scale,), "setting": (setting,)}
                found[f"{file.origin}: {owner}.{setting}"] = Override(when, values)
        return found
