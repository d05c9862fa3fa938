"""What --status, --dry-run and --list print: plain text, nothing written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.common import files
from benchmark.common.text import aligned, one_line
from benchmark.data import tasks
from benchmark.method.registry import MethodInfo
from benchmark.records import store
from benchmark.runner.progress import clock
from benchmark.suites import load
from benchmark.suites.plan import Plan
from benchmark.suites.unit import Unit

UNKNOWN = "perhaps running"  # by another account's lock file, or where there are no locks
STATES = ("done", "skipped", "running", UNKNOWN, "failed", "missing")


def states(units: Sequence[Unit], records: store.RecordStore) -> dict[str, str]:
    """The state of each unit by key: a record, a held lock, a failure or nothing."""
    found = {}
    for unit in units:
        if unit.key in records.done:
            found[unit.key] = records.done[unit.key]["status"]
        else:
            usual = "failed" if unit.key in records.failed else "missing"
            found[unit.key] = _computing(records.folder, unit) or usual
    return found


def _computing(folder: store.ResultsFolder, unit: Unit) -> str | None:
    """`running`, UNKNOWN or None."""
    lock = folder.claim(unit)
    claimed = files.is_claimed(lock)
    if claimed is None or (not lock.exists() and folder.holder(unit)):
        return UNKNOWN  # without a lock, a killed process too has left word that it computes
    return "running" if claimed else None


def status(plan: Plan, records: store.RecordStore) -> str:
    """A table, task by method, of how many units are done, running, failed and missing."""
    state = states(plan.units, records)
    cells: dict[tuple[str, str], Counter] = {}
    for unit in plan.units:
        cells.setdefault((unit.label, unit.task), Counter())[state[unit.key]] += 1
    columns = list(dict.fromkeys(unit.task for unit in plan.units))
    labels = list(dict.fromkeys(unit.label for unit in plan.units))
    rows = [["method", *columns]]
    rows += [[label, *(_cell(cells.get((label, task))) for task in columns)] for label in labels]
    counts = Counter(state.values())
    parts = [f"{counts[name]} {name}" for name in STATES if counts[name]]
    lines = [
        f"suite {plan.suite.name}, scale {plan.scale}: {len(state)} units: {', '.join(parts)}",
        "",
        *aligned(rows),
    ]
    for name in ("running", UNKNOWN):
        these = [unit for unit in plan.units if state[unit.key] == name]
        lines += ["", f"{name}:"] if these else []
        lines += [f"  {unit.text}: {_holder(records.folder, unit)}" for unit in these]
    failed = [unit for unit in plan.units if state[unit.key] == "failed"]
    lines += ["", "failed, tried again by the next run:"] if failed else []
    for unit in failed:
        lines.append(f"  {unit.text}: {one_line(records.failed[unit.key].get('error'))}")
        lines.append(f"    traceback: {records.folder.error(unit)}")
    locks = f"locks: {files.lock_kind()} in {records.folder.locks}"
    if owners := _owners(plan.units, state, records.folder):
        locks += f"; {UNKNOWN}: only {owners} can tell"
    return "\n".join([*lines, "", locks])


def _holder(folder: store.ResultsFolder, unit: Unit) -> str:
    """`process 4711 on gpu3, for 1:05:40`."""
    found = folder.holder(unit)
    if found is None:
        return "by whom is not known"
    host, process, seconds = found
    return f"process {process} on {one_line(host)}, for {clock(seconds)}"


def _owners(units: Sequence[Unit], state: Mapping[str, str], folder: store.ResultsFolder) -> str:
    """Whose the lock files are that leave it unknown whether units are running."""
    unknown = [folder.claim(unit) for unit in units if state[unit.key] == UNKNOWN]
    return ", ".join(sorted({files.owner(lock) for lock in unknown if lock.exists()}))


def _cell(counts: Counter | None) -> str:
    """`10/10`, or `4/10, 1 running, 1 failed`: the rest is missing."""
    if not counts:
        return ""
    done = counts["done"] + counts["skipped"]
    parts = [f"{done}/{counts.total()}"]
    parts += [f"{counts[name]} {name}" for name in STATES[1:-1] if counts[name]]
    return ", ".join(parts)


def dry_run(plan: Plan, records: store.RecordStore) -> str:
    """Each unit with its key and state, and the hyperparameters of each task and method."""
    state = states(plan.units, records)
    rows = [["key", "state", "task", "method", "seed", "episode"]]
    for unit in plan.units:
        at = unit.task, unit.label, str(unit.seed), str(unit.episode or "")
        rows.append([unit.key[:16], state[unit.key], *at])
    settings = {f"{unit.task} {unit.label}": _settings(unit) for unit in plan.units}
    lines = [f"{name}: {given or 'no settings'}" for name, given in settings.items()]
    left = sum(name not in ("done", "skipped") for name in state.values())
    total = f"{len(state)} units, {left} to run, scale {plan.scale}"
    return "\n".join([*aligned(rows), "", *lines, "", total])


def _settings(unit: Unit) -> str:
    """`epochs=10, lr=0.01`, and the preprocessing where it is not CLIP's own."""
    given = [f"{name}={value!r}" for name, value in unit.hyperparameters]
    given += [f"preprocess {unit.preprocess}"] if unit.preprocess != "clip" else []
    given += [f"precision {unit.precision}"] if unit.precision != "float32" else []
    return ", ".join(given)


def listing(methods: Mapping[str, MethodInfo], root: Path | None) -> str:
    """The suites, tasks (also of own images below a data root) and methods there are, with the
    methods' hyperparameters."""
    lines = ["suites (--suite)"]
    rows = [["  " + name, load.load_suite(name).summary] for name in load.names()]
    lines += aligned(rows) if rows else ["  none"]
    lines += [
        "",
        "tasks (--tasks); those to choose settings on: -dev, judged on images drawn for that",
    ]
    lines += ["(miniature only), and -holdout, judged on a part of the training images"]
    lines += [f"  {name}" for name in (*tasks.ALL, *(tasks.own(root) if root else ()))]
    lines += ["", "methods (--methods)"]
    for name, info in sorted(methods.items()):
        lines.append(f"  {name}: {info.summary}".removesuffix(": "))
        lines += [f"      {key} = {value!r}" for key, value in info.defaults.items()]
    return "\n".join(lines)


def unfinished(units: Sequence[Unit], records: store.RecordStore) -> list[str]:
    """What to say of the units that a run leaves without a record; nothing if there is none."""
    left = [unit for unit in units if unit.key not in records.done]
    failed = {unit: records.failed[unit.key] for unit in left if unit.key in records.failed}
    lines = [f"not finished: {unit.text}" for unit in left if unit not in failed]
    if failed:
        lines.append(f"{len(failed)} of {len(units)} units failed; the next run tries them again:")
    for unit, failure in failed.items():
        where = f"traceback in {records.folder.error(unit)}"
        lines.append(f"  {unit.text}: {'bad input' if failure.get('kind') == 'input' else where}")
    return lines
