"""The command `python -m benchmark published`: which published numbers do not add up?"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from benchmark.cli.parser import Parser, command
from benchmark.published.audit import audit
from benchmark.published.model import STATUSES, Check, Flag, Published
from benchmark.published.reading import PATH, load


def parser() -> argparse.ArgumentParser:
    """All flags, each with its help."""
    out = Parser(
        prog="python -m benchmark published",
        description="Recompute what can be recomputed of the numbers of HP-DVAL's paper and of "
        "later ones, and name those that do not add up.",
        epilog="Exit code 0 whatever is found, since nobody here can mend it; 2 for a file that "
        "cannot be read.",
    )
    add = out.add_argument
    add("--json", action="store_true", help="as JSON, each flag with the numbers it is about")
    add("--file", type=Path, default=PATH, help="other numbers (default: the project's)")
    return out


def _print(flags: argparse.Namespace) -> int:
    data = load(flags.file)
    checks = audit(data)
    print(json.dumps(as_json(data, checks), indent=1) if flags.json else as_text(data, checks))
    return 0


def as_text(data: Published, checks: Sequence[Check], width: int = 100) -> str:
    """The checks, each with its flags, and what the logs have beyond the tables."""
    rows = [table.source.status for _, table, _ in data.rows()]
    count = ", ".join(f"{rows.count(status)} {status}" for status in STATUSES)
    lines = [f"{len(rows)} rows in {len(data.tables)} tables and curves ({count}),"]
    lines += [f"{len(data.runs)} logged runs, {len(data.sweeps)} sweeps of one setting."]
    for check in checks:
        verdict = f"{len(check.flags) or 'none'} of {check.tested} flagged"
        lines += ["", *textwrap.wrap(f"{check.name}: {check.rule}: {verdict}", width)]
        lines += [line for flag in check.flags for line in _item(flag.text, width)]
    lines += ["", "Logged, and printed nowhere:"]
    for run in data.unprinted():
        numbers = ", ".join(f"{column} {value:.2f}" for column, value in run.values.items())
        lines += _item(f"{run.log}: {numbers}" + (f" ({run.note})" if run.note else ""), width)
    lines += ["", "Stated, with no number of the method to hold it against:"]
    for each in (each for each in data.gains if not each.row):
        gains = ", ".join(f"{place} {gain:+.2f}" for place, gain in each.gains.items())
        lines += _item(f"{each.method} over {data.titles([each.over])}: {gains}", width)
    return "\n".join(lines)


def as_json(data: Published, checks: Sequence[Check]) -> dict:
    """{"tables": {name: {paper, status, source}}, "checks": [{name, rule, tested, flags: [{text,
    cells}]}], "unprinted": [...], "stated": [{method, status, over, gains}]}.

    A cell has table, row, task, column, printed and logged (null without).
    """
    return {
        "tables": {
            name: {"paper": table.paper, "status": table.source.status, "source": table.source.text}
            for name, table in data.tables.items()
        },
        "checks": [
            vars(check) | {"flags": [_flag(data, flag) for flag in check.flags]} for check in checks
        ],
        "unprinted": [
            {"log": run.log, "task": run.task, "values": dict(run.values), "note": run.note}
            for run in data.unprinted()
        ],
        "stated": [
            {
                "method": each.method,
                "status": each.source.status,
                "over": each.over,
                "gains": {str(place): gain for place, gain in each.gains.items()},
            }
            for each in data.gains
        ],
    }


def _flag(data: Published, flag: Flag) -> dict:
    cells = []
    for table, name, place in flag.spots:
        row = data.tables[table].rows[name]
        cell = {"table": table, "row": name, "task": place.task, "column": place.column}
        numbers = {"printed": row.printed.get(place), "logged": row.logged.get(place)}
        cells.append(cell | numbers)
    return {"text": flag.text, "cells": cells}


def _item(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  - ", subsequent_indent="    ")


main = command(parser, _print)
