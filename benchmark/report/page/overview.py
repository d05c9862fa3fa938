"""What a report's page says of its records around the tables: leaders, versions, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping

from benchmark.report.bootstrap import Pairs
from benchmark.report.grid import Grid, task_title
from benchmark.report.page.markdown import facts, listed


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


Ranked = list[tuple[float, str]]  # mean and title, the best first


def leaders(grid: Grid, pairs: Mapping[str, Pairs]) -> list[tuple[str, Ranked, list[str] | None]]:
    """(task, methods by headline mAP, those tied with the best) of each task that has a result;
    tied is None where nothing was tested."""
    out = []
    for task in grid.tasks:
        cells = ((grid.title(x), grid.cell(task, x)) for x in grid.labels)
        found = [(s.mean, name) for name, cell in cells if (s := cell.stat("headline"))]
        known = pairs[task].among(grid.labels) if task in pairs else None
        tied = (
            [grid.title(x) for x in grid.labels if x in known.tied]
            if known and known.best
            else None
        )
        if found:
            out.append((task_title(task), sorted(found, key=lambda item: -item[0]), tied))
    return out


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
    """(method, [(tasks, [(hyperparameter, value)])]): tasks of equal settings together."""
    out = []
    for label in grid.labels:
        groups: dict[str, tuple[list[str], list[tuple[str, str]]]] = {}
        for task in grid.tasks:
            for record in grid.cell(task, label).done[:1]:
                values = record.get("hyperparameters") or {}
                texts = [(k, json.dumps(v, ensure_ascii=False)) for k, v in values.items()]
                groups.setdefault(str(sorted(texts)), ([], texts))[0].append(task_title(task))
        if groups:
            out.append(
                (grid.title(label), [(", ".join(names), texts) for names, texts in groups.values()])
            )
    return out
