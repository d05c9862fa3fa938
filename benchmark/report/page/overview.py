"""What a report's page says of its records around the tables: leaders, differences, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.report.bootstrap import Pairs, Row
from benchmark.report.grid import Grid
from benchmark.report.page.markdown import facts, listed
from benchmark.report.tables import significance


def tiles(grid: Grid) -> list[tuple[str, str, str]]:
    """(number, what, more) of the line under the title."""
    units, methods, tasks = grid.counts(), len(grid.labels), len(grid.tasks)
    missing = grid.units - units["done"] - units["skipped"]
    state = {"skipped": units["skipped"], "missing": missing, "of them failed": units["failed"]}
    kinds = {"long-tailed": len(grid.long_tailed), "few-shot": len(grid.few_shot)}
    time, _, rest = dict(facts(grid))["computing time"].partition(",")
    return [
        (f"{units['done']} / {grid.units}", "units done", listed(state) or "none missing"),
        (str(methods), "method" if methods == 1 else "methods", ""),
        (str(tasks), "task" if tasks == 1 else "tasks", listed(kinds)),
        (time.removesuffix(" minutes"), "minutes of computing", rest.strip()),
    ]


def leaders(grid: Grid, pairs: Mapping[str, Pairs]) -> list[dict[str, Any]]:
    """Of each task that has a result the best method by headline mAP, the next one with the gap to
    it, and those `tied` with the best: None where nothing was tested."""
    out = []
    for task in grid.tasks:
        found = [(s.mean, x) for x in grid.labels if (s := grid.cell(task, x).stat("headline"))]
        found.sort(key=lambda item: -item[0])
        if not found:
            continue
        (mean, best), *rest = found
        known = pairs[task].among(grid.labels) if task in pairs else None
        tied = tuple(x for x in grid.labels if x in known.tied) if known and known.best else None
        following, gap = (rest[0][1], mean - rest[0][0]) if rest else ("", None)
        row = {"task": task, "best": best, "mean": mean, "following": following, "gap": gap}
        out.append(row | {"tied": tied})
    return out


def differences(pairs: Mapping[str, Pairs]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """(task, verdict, rows) of each; a row also has its interval's places in a picture's width."""
    return [(task, significance.verdict(p), _placed(p.table)) for task, p in pairs.items()]


def _placed(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """All intervals of a task on one scale that has room for 0, 4 to 126 of 130 pixels."""
    ends = [0.0, *(end for row in rows for end in (row.low, row.high))]
    low, wide = min(ends), max(max(ends) - min(ends), 1e-9)

    def place(value: float) -> str:
        return f"{4 + 122 * (value - low) / wide:.1f}"

    return [
        vars(row)
        | {"real": row.real, "spread": row.seeds_std, "zero": place(0.0)}
        | {"left": place(row.low), "right": place(row.high), "middle": place(row.diff)}
        for row in rows
    ]


def versions(grid: Grid) -> list[tuple[str, str]]:
    """(package, its version or versions) of all records."""
    found: dict[str, dict[str, None]] = {}
    for record in grid.records:
        known = (record.get("provenance") or {}).get("versions") or {}
        for name, version in known.items():
            found.setdefault(name, {})[str(version)] = None
    return [(name, ", ".join(each)) for name, each in found.items()]


def commits(grid: Grid) -> list[str]:
    """The commits of all records with a result, ten digits of each."""
    origin = [r.get("provenance") or {} for r in grid.records if r.get("status") == "done"]
    return list(dict.fromkeys(str(p["commit"])[:10] for p in origin if p.get("commit")))


def settings(grid: Grid) -> list[tuple[str, list[tuple[str, list[tuple[str, str]]]]]]:
    """(label, [(tasks, [(hyperparameter, value)])]): tasks of equal settings together."""
    out = []
    for label in grid.labels:
        groups: dict[str, tuple[list[str], list[tuple[str, str]]]] = {}
        for task in grid.tasks:
            for record in grid.cell(task, label).done[:1]:
                values = record.get("hyperparameters") or {}
                texts = [(k, json.dumps(v, ensure_ascii=False)) for k, v in values.items()]
                groups.setdefault(str(sorted(texts)), ([], texts))[0].append(task)
        if groups:
            out.append((label, [(", ".join(names), texts) for names, texts in groups.values()]))
    return out
