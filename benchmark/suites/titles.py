"""What tables and figures call the entries of a suite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from benchmark.method.registry import MethodInfo
from benchmark.suites.suite import MethodEntry


def titles(entries: Iterable[MethodEntry], methods: Mapping[str, MethodInfo]) -> dict[str, str]:
    """{label: title}, no two alike.

    An entry's own title; else the method's, with what the label says beyond the method's name in
    parentheses where the suite has several entries of the method: `Fine-tuning (asl)`.
    """
    entries = tuple(entries)
    shared = Counter(entry.method for entry in entries)
    found: dict[str, str] = {}
    for entry in entries:
        known = methods.get(entry.method)
        title = (known and known.title) or entry.method
        if entry.title:
            title = entry.title
        elif entry.label != entry.method and shared[entry.method] > 1:
            title += f" ({entry.label.removeprefix(f'{entry.method}-')})"
        if title in found.values():  # such as a subclass that does not say its own
            title += f" ({entry.label})"
        found[entry.label] = title
    return found
