"""`python -m benchmark splits`: lists below a data root: the official ones, or of own images.

Exit code 0, or 2 and one line for bad input.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmark.cli import splits_make
from benchmark.cli.parser import Parser, command, names
from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.data.official import fetch, restrict, store, verify

_COMMANDS = {
    "fetch": "get the official files and make the lists of them",
    "verify": "check all that was fetched",
    "restrict": "keep only images that are there, for a trial on part of the data",
    "make": splits_make.ABOUT,
    "example": "draw 300 pictures and label them in every form that `make` reads",
    "pin": "for maintainers: write the manifests in splits/paper",
}
_FILES = "a folder with the official files"
_ROOT = "the folder with COCO and VOC, or with the own images ($CIMLIC_DATA_ROOT)"


def parser() -> argparse.ArgumentParser:
    """The commands and flags, each with its help."""
    out = Parser(prog="python -m benchmark splits", description=__doc__.splitlines()[0])
    commands = out.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {name: commands.add_parser(name, help=about) for name, about in _COMMANDS.items()}
    splits_make.add_flags(made["make"])
    for name in ("fetch", "verify", "restrict", "make"):
        made[name].add_argument("--data-root", metavar="DIR", help=_ROOT)
    where = {"dest": "folder", "metavar": "FOLDER", "type": Path}
    local = f"{_FILES} in any layout, instead of the network"
    made["fetch"].add_argument("--from", help=local, **where)
    made["fetch"].add_argument("--splits", nargs="+", metavar="NAME", help="default: all")
    made["example"].add_argument(**where, help="to draw them into; it must not be there yet")
    made["pin"].add_argument("--from", required=True, help=_FILES, **where)
    return out


def _dispatch(flags: argparse.Namespace) -> int:
    if flags.command in ("pin", "example"):
        (store.pin if flags.command == "pin" else _example)(flags.folder)
        return 0
    root = _root(flags.data_root)
    if flags.command == "fetch":
        fetch.fetch(root, flags.folder, names(flags.splits))
    elif flags.command == "make":
        return splits_make.run(flags, root)
    elif flags.command == "verify":
        verify.verify(root)
    else:
        restrict.restrict(root)
    return 0


def _example(given: Path) -> None:
    from benchmark.miniature import example

    folder = environment.absolute(str(given), "FOLDER")
    example.write(folder)
    print(f"{example.PICTURES} pictures and their labels: {folder}")


def _root(flag: str | None) -> Path:
    root = environment.given_data_root(flag)
    try:
        os.listdir(root)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"--data-root {root}: {reason}; make or name a folder to use") from None
    return root


main = command(parser, _dispatch, interrupted="interrupted; the same command goes on")
