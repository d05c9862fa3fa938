"""Settings files: hyperparameters that a search chose, by label and setting; read and written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmark.common import errors, files, strict_yaml
from benchmark.common.errors import InputError

SETTINGS = ("long-tailed", "few-shot")
_HEAD = "# Hyperparameters by label and setting, for the field `settings` of suites."

Chosen = Mapping[str, Mapping[str, Mapping[str, Any]]]  # label -> setting -> name -> value


@dataclass(frozen=True)
class SettingsFile:
    """One settings file; `origin` names it in errors."""

    origin: str
    labels: Chosen = field(default_factory=dict)

    def of(self, label: str, method: str, name: str | None) -> tuple[str, Mapping]:
        """Whose settings an entry takes, and them by setting: those called `name`; without a
        name those of its label, else those of its method, else none.

        InputError where there are none called `name`.
        """
        if name is not None and name not in self.labels:
            raise errors.unknown(f"settings of {self.origin}", name, self.labels)
        found = name or (label if label in self.labels else method)
        return found, self.labels.get(found, {})


def read(path: Path, origin: str) -> SettingsFile:
    """The settings file at `path`; InputError names `origin`, the label and the field.

    Whether the hyperparameters are some method's shows when a suite is expanded.
    """
    if not os.path.isfile(path):  # Path.is_file raises where a name is too long
        raise InputError(f"{origin}: no such file; name one that python -m benchmark tune wrote")
    data, _ = strict_yaml.read(path, origin)
    labels = {}
    for label, item in strict_yaml.typed({} if data is None else data, dict, origin).items():
        where = f"{origin}: {strict_yaml.typed(label, str, f'{origin}: a label')}"
        fields = strict_yaml.Fields(item, where, SETTINGS)
        labels[label] = {name: fields.get(name, dict) for name in fields.data}
    return SettingsFile(origin, labels)


def merge(path: Path, found: Chosen, command: str) -> None:
    """Put what a search found into the file at `path`, which may be new, whole or not at all.

    Labels and settings that are in the file and not in `found` stay; `command`, one line, is added
    to the comments at its head. InputError as `read`, or where the file cannot be written.
    """
    there = read(path, str(path)).labels if path.exists() else {}
    merged = {x: {**there.get(x, {}), **found.get(x, {})} for x in sorted({*there, *found})}
    # None: a mapping of plain values takes one line; floats get the dot that YAML wants.
    body = yaml.safe_dump(_plain(merged), default_flow_style=None, sort_keys=False, width=10_000)
    head = dict.fromkeys([_HEAD, *_comments(path), f"# written by {command}"])
    files.check_writable(path.parent, str(path))
    with files.atomic(path) as temporary:
        temporary.write_text("\n".join([*head, body]), encoding="utf-8")


def _comments(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [line for line in text.splitlines() if line.startswith("#")]


def _plain(value: Any) -> Any:
    """Mappings as dicts and tuples as lists, which are all that YAML knows."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value
