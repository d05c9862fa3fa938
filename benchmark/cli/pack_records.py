"""The command `python -m benchmark pack-records`: a run's records as one file, to be committed."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark.cli.parser import Parser, command
from benchmark.records.pack import pack


def parser() -> argparse.ArgumentParser:
    """All flags, each with its help."""
    out = Parser(
        prog="python -m benchmark pack-records",
        description="Copy the done and skipped records of one suite and scale to one file, one "
        "record a line, as results/reference has them.",
        epilog="Exit code: 0, or 2 for a folder that has no records of one suite and scale.",
    )
    add = out.add_argument
    add("folder", type=Path, help="such as results/cimlic/miniature; it stays as it is")
    add("--to", type=Path, required=True, metavar="DIR", help="such as results/reference")
    return out


def _pack(flags: argparse.Namespace) -> int:
    path, count = pack(flags.folder, flags.to)
    print(f"wrote {path}: {count} records")
    return 0


main = command(parser, _pack)
