"""Reads a suite from YAML, strictly; one that includes others becomes one list of entries."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.common import errors, strict_yaml
from benchmark.common.errors import InputError
from benchmark.common.text import NAME_RULE, is_name
from benchmark.data import preprocessing
from benchmark.method import precision
from benchmark.suites import settings, tables
from benchmark.suites.settings import SettingsFile
from benchmark.suites.suite import CLIP, SCALES, MethodEntry, Override, Suite
from benchmark.suites.tables import ReportLayout

FOLDER = Path(__file__).parent
_CONDITIONS = ("scale", "setting", "task", "dataset", "backbone")


def names(folder: Path = FOLDER) -> list[str]:
    """The names that `--suite` accepts beside a path to a .yaml file."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_suite(name: str, folder: Path = FOLDER, member: bool = False) -> Suite:
    """The suite of that name, or of that .yaml file; InputError names the file and the field.

    `include: [NAME, ...]` in place of tasks and methods makes a suite of others; such a one can
    be no `member` of another.
    """
    named = not name.endswith((".yaml", ".yml"))
    path = folder / f"{name}.yaml" if named else Path(name)
    if not os.path.isfile(path):  # Path.is_file raises where a name is too long
        raise errors.unknown("suite", name, names(folder))
    origin = f"{folder.name}/{path.name}" if named else name
    data, summary = strict_yaml.read(path, origin)
    several = isinstance(data, dict) and "include" in data
    known = ("include",) if several else ("tasks", "methods", "tables", "settings")
    fields = strict_yaml.Fields(data, origin, ("name", "seeds", "episodes", *known))
    name = fields.get("name", str)
    if not is_name(name) or name == "reference":
        why = f"cannot name a results folder; a name {NAME_RULE}, and is not 'reference'"
        raise InputError(f"{origin}: name: '{name}' {why}")
    seeds = fields.items("seeds", int)
    episodes = fields.get("episodes", int)
    if min(seeds) < 0 or episodes < 1:
        raise InputError(f"{origin}: seeds must be 0 or more, episodes 1 or more")
    if several:
        if member:
            raise InputError(f"{origin}: include: it is itself included; name its members instead")
        head = Suite(name, (), seeds, episodes, (), origin, summary)
        members = [_member(other, folder, origin) for other in fields.items("include", str)]
        return _merged(head, members)
    methods = fields.get("methods", dict)
    if not methods:
        raise InputError(f"{origin}: methods: there is none; add one")
    suite = Suite(
        name,
        fields.items("tasks", str),
        seeds,
        episodes,
        (),
        origin,
        summary,
        tables.parse(fields, methods, origin),
        _settings(fields, path.parent),
    )
    return replace(suite, methods=tuple(_entry(x, methods[x], suite) for x in methods))


def _member(name: str, folder: Path, origin: str) -> Suite:
    try:
        return load_suite(name, folder, True)
    except InputError as error:
        raise InputError(f"{origin}: include: {error}") from None


def _settings(fields: strict_yaml.Fields, folder: Path) -> dict[str, SettingsFile]:
    """The settings file of each scale that has one; their paths are relative to the suite's."""
    where = f"{fields.where}: settings"
    part = strict_yaml.Fields(fields.get("settings", dict, {}), where, SCALES)
    paths = {scale: folder / part.get(scale, str) for scale in part.data}
    return {x: settings.read(path, f"{where}: {path.name}") for x, path in paths.items()}


def _entry(label: Any, data: Any, suite: Suite) -> MethodEntry:
    where = f"{suite.origin}: methods.{label}"
    if not isinstance(label, str) or not is_name(label):
        raise InputError(f"{where}: a label {NAME_RULE}")
    known = (
        "method", "title", "settings", "hyperparameters", "preprocess", "precision", "overrides",
    )  # fmt: skip
    fields = strict_yaml.Fields({} if data is None else data, where, known)
    overrides = []
    for number, item in enumerate(fields.get("overrides", list, [])):
        at = f"{where}.overrides[{number}]"
        part = strict_yaml.Fields(item, at, ("when", "set", "preprocess"))
        when = strict_yaml.Fields(part.get("when", dict), f"{at}.when", _CONDITIONS)
        wanted = {}
        for key, value in when.data.items():
            values = value if isinstance(value, list) else [value]
            wanted[key] = tuple(strict_yaml.typed(v, str, f"{at}.when.{key}") for v in values)
        other = _named(part, "preprocess", None, preprocessing.parse)
        overrides.append(Override(wanted, part.get("set", dict, {} if other else None), other))
    given = fields.get("hyperparameters", dict, {})
    method = fields.get("method", str, label)
    bits = _named(fields, "precision", precision.FLOAT32, precision.parse)
    seen = _named(fields, "preprocess", CLIP, preprocessing.parse)
    chosen = _chosen(fields, suite, label, method)
    title = fields.get("title", str, "")
    return MethodEntry(label, method, given, tuple(overrides), seen, bits, chosen, title=title)


def _chosen(
    fields: strict_yaml.Fields, suite: Suite, label: str, method: str
) -> dict[str, Override]:
    """What the suite's settings files give an entry, or those of the name in its `settings`."""
    name = fields.get("settings", str) if fields.data.get("settings") is not None else None
    if name is not None and not suite.settings:
        raise InputError(f"{fields.where}: settings: the suite has no settings file; name one")
    try:
        return suite.chosen(label, method, name)
    except InputError as error:
        raise InputError(f"{fields.where}: settings: {error}") from None


def _named(
    fields: strict_yaml.Fields, field: str, default: str | None, parse: Callable[[str], Any]
) -> str | None:
    """A field's one spelling, or the default without it; `parse` says what is wrong with a name."""
    if fields.data.get(field) is None:
        return default
    try:
        return parse(fields.get(field, str)).name
    except InputError as error:
        raise InputError(f"{fields.where}: {field}: {error}") from None


def _merged(head: Suite, members: Sequence[Suite]) -> Suite:
    """`head`, which has name, seeds and episodes, with the tasks, entries and tables of `members`.

    An entry keeps to its own suite's tasks. A label that two members have must mean the same in
    both and is then one entry. InputError names what clashes.
    """
    tasks = tuple(dict.fromkeys(task for member in members for task in member.tasks))
    found: dict[str, tuple[MethodEntry, Suite]] = {}
    takes: dict[str, set[str]] = {}
    for member in members:
        for entry in member.methods:
            takes.setdefault(entry.label, set()).update(member.tasks)
            old, owner = found.setdefault(entry.label, (entry, member))
            if _meaning(old) != _meaning(entry):
                both = f"{owner.origin} and {member.origin}"
                text = f"'{entry.label}' differs between {both}; rename one of the two"
                raise InputError(f"{head.origin}: include: {text}")
    entries = tuple(
        replace(entry, leaves=frozenset(tasks) - takes[label])
        for label, (entry, _) in found.items()
    )
    files = {scale: file for member in members[::-1] for scale, file in member.settings.items()}
    merged = replace(head, tasks=tasks, methods=entries, settings=files)
    return replace(merged, layout=_layout(head, members))


def _meaning(entry: MethodEntry) -> tuple[MethodEntry, list[Override]]:
    """What two suites must have alike: their settings files may have names of their own."""
    return replace(entry, chosen={}), [*entry.chosen.values()]


def _layout(head: Suite, members: Sequence[Suite]) -> ReportLayout:
    """All tables of the members; the general ones show what the members show in general."""
    found, general = {}, set()
    for member in members:
        general |= {entry.label for entry in member.methods} - member.layout.special
        for table in member.layout.tables:
            if found.setdefault(table.name, table) != table:
                text = f"{member.origin} has a table '{table.name}' as another has; rename it"
                raise InputError(f"{head.origin}: include: {text}")
    return ReportLayout(tuple(found.values()), frozenset(general))
