"""The command `python -m benchmark speed`: what to measure, on what, and how to print it."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from benchmark.cli.parser import Parser, command
from benchmark.common.environment import cache
from benchmark.common.errors import InputError

_BACKBONE = "ViT-B-16-quickgelu:random"
_MOST, _MOST_THREADS = 10**6, 1024  # more is a typing error
_ONLY_OF = {  # flags that say nothing to the other measurements
    "steps": ("only", "threads", "classes"),
    "paper": ("backbone", "methods", "epochs"),
    "loader": ("workers",),
}
_KEYS = """\
--only takes the names of measurements, or what they begin with: SHAPE.METHOD, where SHAPE is
paper.vitb16, paper.rn50 or miniature, and METHOD coop, dualcoop, hpdval.stage1 or hpdval.stage2.

--json of --steps is one flat object. Beside device, torch and matmul_gflop_per_second its keys are
SHAPE.METHOD.KEY, such as paper.rn50.dualcoop.step_ratio. KEY is step_ratio, epoch_ratio, pairs,
batch, classes, context, steps_an_epoch, epochs (the suite's), epoch_measured (else it is so many
times the step), features_seconds (of all images and views, once), loss_difference,
gradient_difference (of the first step, relative); and, after `plain.` or `fast.`, step_seconds,
epoch_seconds, {image,text,rest}_share of a step's time, {image,text,rest}_gflop and gflop of a
step, gflop_per_second. SHAPE.hpdval has both stages' step_ratio, epoch_ratio, step_seconds and
epoch_seconds, as the suite's epochs weigh them.
"""


def parser() -> argparse.ArgumentParser:
    """All flags, each with its help."""
    out = Parser(
        prog="python -m benchmark speed",
        description="Measure how fast the suite is. Without a flag: --steps.",
        epilog=_KEYS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = out.add_mutually_exclusive_group()
    what.add_argument(
        "--steps",
        action="store_true",
        help="one training step and one epoch of coop, dualcoop and hpdval, the fast way against "
        "the plain one, at the paper's shapes (random weights) and the miniature's; a quarter of "
        "an hour on two cores",
    )
    what.add_argument("--loader", type=Path, metavar="FOLDER", help="reading the folder's images")
    what.add_argument(
        "--paper",
        action="store_true",
        help="a COCO-LT-sized set of rendered 224 px images through a full-size CLIP of random "
        "weights: seconds per phase and method, peak memory, images a second against the device",
    )
    add = out.add_argument
    add("--only", nargs="+", metavar="NAME", help="of --steps: paper, miniature, paper.rn50.coop")
    add("--device", default="auto", help="of --steps and --paper: auto, cpu, cuda or cuda:N")
    add("--threads", type=int, metavar="N", help="of --steps on a CPU (default: one a core)")
    add("--classes", type=int, metavar="N", help="of --steps: the first N of 80, for a trial")
    add("--backbone", metavar="SPEC", help=f"of --paper (default: {_BACKBONE})")
    add("--methods", nargs="+", metavar="NAME", help="of --paper: these of the suite cimlic")
    add(
        "--images",
        type=int,
        metavar="N",
        help="the first N images; of --paper N of train and test; of --steps N of train, and at "
        "most N in a batch, for a trial",
    )
    add("--epochs", type=int, metavar="N", help="of --paper: N a stage, not the suite's")
    add("--workers", type=int, metavar="N", help="of --loader: threads (default: one a core)")
    add("--rounds", type=int, metavar="N", help="pairs of runs: of --loader 5, of --steps 2")
    add("--json", action="store_true", help="print one JSON object")
    return out


def _measure(flags: argparse.Namespace) -> int:
    for name in ("images", "epochs", "workers", "rounds", "threads", "classes"):
        value = getattr(flags, name)
        most = _MOST_THREADS if name in ("threads", "workers") else _MOST
        if value is not None and not 1 <= value <= most:
            raise InputError(f"--{name} {value}: must be 1 to {most}")
    what = "loader" if flags.loader else "paper" if flags.paper else "steps"
    for owner, names in _ONLY_OF.items():
        for name in names:
            if owner != what and getattr(flags, name) is not None:
                raise InputError(f"--{name}: belongs to --{owner}; leave it out of --{what}")
    if what == "loader":
        from benchmark.diagnostics.speed import image_loader as speed

        found = speed.measure(flags.loader, flags.workers, flags.rounds or 5, flags.images)
    elif what == "paper":
        from benchmark.diagnostics.speed import paper_scale as speed

        found = speed.measure(_choice(flags))
    else:
        from benchmark.diagnostics.speed import steps as speed

        found = speed.measure(_choice(flags))
    keyed = found if what == "steps" else {what: found}
    print(json.dumps(keyed, indent=1) if flags.json else speed.text(found))
    return 0


def _choice(flags: argparse.Namespace):
    """What --steps and --paper measure, and on what: the flags that are set, and defaults."""
    from benchmark.diagnostics.speed.setup import Choice

    names = [field.name for field in dataclasses.fields(Choice)]
    given = {name: getattr(flags, name) for name in names if getattr(flags, name, None) is not None}
    return Choice(**{"cache": cache(), "backbone": _BACKBONE} | given)


main = command(parser, _measure)
