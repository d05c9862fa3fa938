"""Suites that consist of other suites: one list of entries out of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmark.errors import InputError
from benchmark.layouts import Arrangement

if TYPE_CHECKING:
    from benchmark.suite import MethodEntry, Suite


def merged(head: Suite, members: Sequence[Suite]) -> Suite:
    """`head`, which has name, seeds and episodes, with the tasks, entries and tables of `members`.

    An entry keeps to its own suite's tasks. A label that two members have must mean the same in
    both and is then one entry. InputError names what clashes.
    """
    tasks = tuple(dict.fromkeys(task for member in members for task in member.tasks))
    found: dict[str, tuple[MethodEntry, Suite]] = {}
    for member in members:
        leaves = frozenset(tasks) - frozenset(member.tasks)
        for entry in (replace(entry, leaves=leaves) for entry in member.methods):
            old, owner = found.get(entry.label, (entry, member))
            if replace(old, leaves=leaves) != entry:
                both = f"{owner.origin} and {member.origin}"
                text = f"'{entry.label}' differs between {both}; rename one of the two"
                raise InputError(f"{head.origin}: include: {text}")
            found[entry.label] = replace(entry, leaves=old.leaves & leaves), owner
    entries = tuple(entry for entry, _ in found.values())
    return replace(head, tasks=tasks, methods=entries, arrangement=_arranged(head, members))


def _arranged(head: Suite, members: Sequence[Suite]) -> Arrangement:
    """All tables of the members; the general ones show what the members show in general."""
    layouts = {}
    for member in members:
        for layout in member.arrangement.layouts:
            if layouts.setdefault(layout.name, layout) != layout:
                text = f"{member.origin} has a table '{layout.name}' as another has; rename it"
                raise InputError(f"{head.origin}: include: {text}")
    general = {
        entry.label
        for member in members
        for entry in member.methods
        if entry.label not in member.arrangement.special
    }
    return Arrangement(tuple(layouts.values()), frozenset(general))
