"""`python -m benchmark splits`: fetch, verify and restrict the official lists below a data root.

Exit code 0, or 2 and one line for bad input.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmark.cli.parser import Parser, command
from benchmark.common import environment
from benchmark.common.errors import InputError

_ROOT = "the folder with COCO and VOC ($CIMLIC_DATA_ROOT)"


def parser() -> argparse.ArgumentParser:
    """The commands and flags, each with its help."""
    out = Parser(prog="python -m benchmark splits", description=__doc__.splitlines()[0])
    commands = out.add_subparsers(dest="command", required=True, metavar="COMMAND")
    fetch = commands.add_parser("fetch", help="get the official files and make the lists of them")
    verify = commands.add_parser("verify", help="check all that was fetched")
    restrict = commands.add_parser(
        "restrict", help="keep only images that are there, for a trial on part of the data"
    )
    pin = commands.add_parser("pin", help="for maintainers: write the manifests in splits/paper")
    for each in (fetch, verify, restrict):
        each.add_argument("--data-root", metavar="DIR", help=_ROOT)
    local = "a folder with the official files in any layout, instead of the network"
    where = {"dest": "folder", "metavar": "FOLDER", "type": Path}
    fetch.add_argument("--from", help=local, **where)
    fetch.add_argument("--splits", nargs="+", metavar="NAME", help="default: all")
    pin.add_argument("--from", required=True, help="a folder with the official files", **where)
    return out


def _dispatch(flags: argparse.Namespace) -> int:
    if flags.command == "pin":
        from benchmark.data.official.store import pin

        pin(flags.folder)
        return 0
    root = _root(flags.data_root)
    if flags.command == "fetch":
        from benchmark.data.official.fetch import fetch

        names = [name for part in flags.splits or () for name in part.split(",") if name]
        fetch(root, flags.folder, names or None)
    elif flags.command == "verify":
        from benchmark.data.official.verify import verify

        verify(root)
    else:
        from benchmark.data.official.restrict import restrict

        restrict(root)
    return 0


def _root(flag: str | None) -> Path:
    root = environment.given_data_root(flag)
    try:
        os.listdir(root)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"--data-root {root}: {reason}; make or name a folder to use") from None
    return root


main = command(parser, _dispatch, interrupted="interrupted; the same command goes on")
