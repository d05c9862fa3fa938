"""The command `python -m benchmark.speed`: what to measure, on what, and how to print it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmark.catalogue import cache
from benchmark.cli import Parser, guarded
from benchmark.errors import InputError


def parser() -> argparse.ArgumentParser:
    """All flags, each with its help."""
    out = Parser(prog="python -m benchmark.speed", description="Measure how fast the suite is.")
    what = out.add_mutually_exclusive_group(required=True)
    what.add_argument("--loader", type=Path, metavar="FOLDER", help="reading the folder's images")
    what.add_argument(
        "--paper",
        action="store_true",
        help="a COCO-LT-sized set of rendered 224 px images through a full-size CLIP of random "
        "weights: seconds per phase and method, peak memory, images a second against the device",
    )
    add = out.add_argument
    add("--device", default="auto", help="of --paper: auto, cpu, cuda or cuda:N")
    add("--backbone", default="ViT-B-16-quickgelu:random", metavar="SPEC", help="of --paper")
    add("--methods", nargs="+", metavar="NAME", help="of --paper: these of the suite cimlic")
    add(
        "--images", type=int, metavar="N", help="the first N images; of --paper N of train and test"
    )
    add("--epochs", type=int, metavar="N", help="of --paper: N a stage, not the suite's")
    add("--workers", type=int, metavar="N", help="of --loader: threads (default: one a core)")
    add("--rounds", type=int, default=5, help="of --loader: pairs of runs (default: %(default)s)")
    add("--json", action="store_true", help="print one JSON object")
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code: 0, or 2 for bad input."""
    return guarded(lambda: _measure(parser().parse_args(arguments)))


def _measure(flags: argparse.Namespace) -> int:
    for name in ("images", "epochs", "workers", "rounds"):
        value = getattr(flags, name)
        if value is not None and value < 1:
            raise InputError(f"--{name} {value}: must be 1 or more")
    name, (found, text) = ("loader", _loader(flags)) if flags.loader else ("paper", _paper(flags))
    print(json.dumps({name: found}, indent=1) if flags.json else text)
    return 0


def _loader(flags: argparse.Namespace) -> tuple[dict, str]:
    from benchmark.speed import loader

    found = loader.measure(flags.loader, flags.workers, flags.rounds, flags.images)
    return found, loader.text(found)


def _paper(flags: argparse.Namespace) -> tuple[dict, str]:
    from benchmark.speed import paper

    choice = paper.Choice(
        device=flags.device,
        backbone=flags.backbone,
        methods=tuple(flags.methods or ()),
        images=flags.images,
        epochs=flags.epochs,
        cache=cache(),
    )
    found = paper.measure(choice)
    return found, paper.text(found)


if __name__ == "__main__":
    raise SystemExit(main())
