"""The command `python -m benchmark parity FOLDER`: do our methods compute what the authors' do?"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from benchmark.cli.parser import Parser, command
from benchmark.common.errors import InputError


def parser() -> argparse.ArgumentParser:
    """All flags, each with its help."""
    out = Parser(
        prog="python -m benchmark parity",
        description="Compare our methods with numbers that the authors' own code has computed.",
        epilog="The error of an item is max |ours - theirs| / max |theirs| over its elements. "
        "Exit code 1 if one exceeds the tolerance, 2 for bad input.",
    )
    add, what = out.add_argument, "meta.json and the files, see tests/parity_vectors"
    add("folder", type=Path, metavar="FOLDER", help=what)
    add("--tolerance", type=float, default=1e-4, metavar="X", help="default: %(default)s")
    return out


def _compare(flags: argparse.Namespace) -> int:
    if not 0 < flags.tolerance < math.inf:
        raise InputError(f"--tolerance {flags.tolerance}: must be a positive number")
    from benchmark.diagnostics.parity import compare
    from benchmark.diagnostics.parity.vectors import Vectors

    absent = [name for name in compare.OPTIONAL if not (flags.folder / name).exists()]
    vectors = [Vectors(flags.folder, name) for name in compare.FILES if name not in absent]
    errors = []
    for found in vectors:
        print(found.path.name)
        for item in compare.items(found):
            errors.append(item.error)
            verdict = "ok" if item.error <= flags.tolerance else "EXCEEDS"
            print(f"  {item.name:<58}{item.error:9.1e}  {verdict}", flush=True)
        if found.unread:
            print(f"  not compared, as not known: {', '.join(sorted(found.unread))}")
    for name in absent:
        print(f"{name}: not in this folder, so not compared")
    beyond = sum(error > flags.tolerance for error in errors)
    print(
        f"{len(errors)} items, largest relative error {max(errors):.1e}; "
        f"{beyond or 'none'} beyond the tolerance {flags.tolerance:g}"
    )
    return 1 if beyond else 0


main = command(parser, _compare)
