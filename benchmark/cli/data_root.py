"""`python -m benchmark data-root check`: is everything there that the tasks need?

Exit code 0 if all tasks asked for are ready, else 2.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmark.cli.parser import Parser, command, names
from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.data import splits, tasks
from benchmark.data.annotations.files import DataRoot
from benchmark.data.root_check.check import NOT_COMPARED, Checked, Finding, caught

_SHOWN = 5  # broken images that are named


def parser() -> argparse.ArgumentParser:
    """The flags, each with its help."""
    out = Parser(prog="python -m benchmark data-root", description=__doc__.splitlines()[0])
    check = out.add_subparsers(dest="command", required=True, metavar="check").add_parser(
        "check", help="say for each task what is there, what is missing and where to get it"
    )
    add = check.add_argument
    add("--data-root", metavar="DIR", help="the folder with the images ($CIMLIC_DATA_ROOT)")
    add(
        "--tasks",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(tasks.TASKS)}, or of own images; default: all",
    )
    add("--decode", action="store_true", help="open every image of the splits, too")
    add("--workers", type=int, metavar="N", help="threads of --decode (default: one a core)")
    return out


def _check(flags: argparse.Namespace) -> int:
    folder = environment.given_data_root(flags.data_root)
    if flags.workers is not None and flags.workers < 1:
        raise InputError(f"--workers {flags.workers}: must be 1 or more")
    members: dict[str, list[str]] = {}
    for name in names(flags.tasks) or _all(folder):
        members.setdefault(tasks.split_of(name)[0], []).append(name)
    root = DataRoot(folder)
    print(f"data root {root.path}")
    verdicts = {}
    for split, wanted in members.items():
        print(f"\n{split} (tasks: {', '.join(wanted)})")
        checked = Checked(root, split)
        decoded = caught(_decoded(checked, flags.workers)) if flags.decode else ()
        found = []
        for finding in itertools.chain(checked.findings(), decoded):
            print(f"  {finding.mark:8}{finding.text}", flush=True)
            found.append(finding)
        verdicts |= dict.fromkeys(wanted, _verdict(checked, found))
    print()
    for name, verdict in verdicts.items():
        print(f"{name}: {verdict}")
    return 0 if all(verdict.startswith("ready") for verdict in verdicts.values()) else 2


def _all(root: Path) -> list[str]:
    """The tasks of own images and of official splits; without any of own, all official ones."""
    own = [name for name in tasks.own(root) if tasks.stands_for(name) == name]
    official = [name for name in tasks.TASKS if splits.is_fetched(tasks.split_of(name)[0], root)]
    return [*(official if own else tasks.TASKS), *own]


def _verdict(checked: Checked, findings: list[Finding]) -> str:
    """`ready`, with what restricts it, or `not ready (2 problems)`."""
    bad = sum(finding.mark in ("missing", "wrong") for finding in findings)
    if bad:
        return f"not ready ({bad} problem{'s' if bad > 1 else ''})"
    limits = []
    if checked.split is not None and checked.split.restriction:
        limits.append(f"restricted to {checked.split.restriction}")
    if any(NOT_COMPARED in finding.text for finding in findings):
        limits.append(NOT_COMPARED)
    return f"ready ({'; '.join(limits)})" if limits else "ready"


def _decoded(checked: Checked, workers: int | None) -> Iterator[Finding]:
    from benchmark.data.root_check import decode

    paths = [checked.root.path / path for path in checked.present()]
    if not paths:
        return

    def progress(count: int) -> None:
        if sys.stderr.isatty() and (count % 1000 == 0 or count == len(paths)):
            end = "\n" if count == len(paths) else ""
            print(f"\r  {count:,} of {len(paths):,} images", end=end, file=sys.stderr, flush=True)

    errors, kinds = decode.decode(paths, workers or environment.cores(), progress)
    counts = ", ".join(f"{kinds[kind]:,} {kind}" for kind in decode.KINDS)
    read = f"decoding: {len(paths) - len(errors):,} of {len(paths):,} images, {counts}"
    yield Finding("ok" if not errors else "note", read)
    for error in errors[:_SHOWN]:
        yield Finding("wrong", error)
    if len(errors) > _SHOWN:
        yield Finding("wrong", f"{len(errors) - _SHOWN:,} more images do not decode")


main = command(parser, _check, interrupted="interrupted")
