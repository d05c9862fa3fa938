"""The command line: flags to a plan, then what they ask for; returns the exit code.

0: all selected units have a record. 1: some failed, the rest is done. 2: bad input, one line;
also where it only showed while a unit computed, after the rest is done. Each mode imports what it
needs: --help waits for no library, a look at a plan neither for torch nor for scikit-learn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.api import computing, reporting, selection
from benchmark.api.computing import Means
from benchmark.cli import launch
from benchmark.cli.parser import TIMEOUT, Parser, command, names, whole_number
from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.runner import devices

if TYPE_CHECKING:
    from benchmark.api.computing import Work
    from benchmark.api.selection import Selection
    from benchmark.records.store import RecordStore
    from benchmark.suites.unit import Unit

EPILOG = """
Run the same command again to go on after an interruption: what is recorded is not computed
again, nor is what another suite of the results folder has recorded of a shipped method; what
failed is tried again. Several processes or machines may share one results folder.
Environment: CIMLIC_CACHE (rendered images, features, base states; ~/.cache/cimlic),
CIMLIC_DATA_ROOT (as --data-root), CIMLIC_LOCK_DIR (locks, if the results lie on a network disk),
CIMLIC_LOCKS (none, if no disk can lock). Many machines: docs/cluster.md.
Exit code: 0 all done, 1 a unit failed, 2 bad input, such as an image that cannot be read.
"""


def parser() -> argparse.ArgumentParser:
    """All flags, each with its help."""
    out = Parser(prog="run_all.py", description=_FIRST, epilog=EPILOG, formatter_class=_LINES)
    add = out.add_argument
    add("--suite", default="cimlic", help="a suite's name or its .yaml file (default: %(default)s)")
    add("--tasks", **_LIST, help="only these tasks; also tasks that are not in the suite")
    add("--methods", **_LIST, help="only these methods; also one that is not in the suite")
    add("--seeds", **_LIST, help="these seeds for the long-tailed tasks, not the suite's")
    add("--episodes", type=int, metavar="N", help="the first N few-shot episodes")
    add("--workers", type=int, metavar="N", help="processes (default: one a GPU, else one a core)")
    add("--unit-timeout", type=float, metavar="SECONDS", help=TIMEOUT)
    add("--launcher", metavar="NAME", help=launch.HELP["launcher"])
    add("--jobs", type=int, metavar="N", help=launch.HELP["jobs"])
    add("--slurm", **_LIST | {"metavar": "KEY=VALUE"}, help=launch.HELP["slurm"])
    add("--detach", action="store_true", help=launch.HELP["detach"])
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    add("--results-dir", type=Path, help="records and reports go here")
    add("--data-root", metavar="DIR", help="real images (COCO and VOC, or own); else the miniature")
    add("--backbone", metavar="SPEC", help=_BACKBONE)
    add("--preprocess", metavar="NAME", help=_PREPROCESS)
    add("--precision", metavar="NAME", help=_PRECISION)
    add("--plugin", **_FILES, help="a file with methods of your own, added to the suite")
    add("--oracle", action="store_true", help=_ORACLE)
    add("--plain", action="store_true", help=_PLAIN)
    add("--recompute", action="store_true", help=_RECOMPUTE)
    add("--to", type=Path, metavar="DIR", help="where --new-method writes (default: this folder)")
    mode = out.add_mutually_exclusive_group()
    add = mode.add_argument
    add("--status", action="store_true", help="show what is done, running, failed and missing")
    add("--dry-run", action="store_true", help="list the units and their keys, run nothing")
    add("--list", action="store_true", help="list suites, tasks, methods and hyperparameters")
    add("--report", action="store_true", help="write the report from the stored records only")
    add("--force", action="store_true", help="run the units again although they are recorded")
    add("--compare", nargs=2, type=Path, metavar=("A", "B"), help=_COMPARE)
    add("--new-method", metavar="NAME", help="write NAME.py, a commented method to start from")
    return out


_FIRST = "Run a benchmark suite: every method on every task, then tables and figures."
_BACKBONE = "an open_clip model: NAME:TAG, NAME:/weights, NAME:random or local-dir:DIR"
_PREPROCESS = (
    "clip or square, with -raw or -imagenet and -SIZE (square-raw-448), for all methods alike"
)
_PRECISION = """float32 (default); bf16 trains under autocast; half-features keeps local features in
float16 on disk; bf16+half-features. Part of what a unit is, as --preprocess"""
_ORACLE = """also evaluate each epoch on the test images and record the best beside the last, which
stays the headline; what was recorded without is computed again"""
_PLAIN = """encode prompts the slow way of the references, to check the fast one: the same numbers
up to rounding; what is recorded is kept unless --force is given"""
_RECOMPUTE = """with --report: first compute all metrics again from the stored scores; exit code 1
if any is not what the record says"""
_COMPARE = """put two results folders side by side, cell by cell: all results, one suite's, or
one scale's of it; results/reference holds the repository's own"""
_LINES = argparse.RawDescriptionHelpFormatter  # keeps the epilog's
_LIST = {"nargs": "+", "action": "extend", "metavar": "NAME"}
_FILES = _LIST | {"metavar": "FILE.py"}


def _dispatch(flags: argparse.Namespace) -> int:
    text = _answer(flags)
    if text is not None:
        print(text)
        return 0
    from benchmark.cli import status
    from benchmark.records import store

    means = _means(flags)
    looks = flags.status or flags.dry_run or flags.report
    chosen = _chosen(flags, download=not looks)
    if not looks:
        return _run(flags, means, chosen)
    records = store.RecordStore(chosen.folder, oracle=flags.oracle and not flags.report)
    records.scan()
    if not flags.report:
        print((status.status if flags.status else status.dry_run)(chosen.made, records))
        for line in launch.status(chosen.folder) if flags.status else ():
            print(line)
        return 0
    code = _recompute(chosen, records) if flags.recompute else 0
    units = chosen.made.reported(records.done)
    del records  # of many units two copies, the report's and this one, are gigabytes
    _report(flags, chosen, units)
    return code


def _answer(flags: argparse.Namespace) -> str | None:
    """What is printed by the modes that select no units; None for the others."""
    if flags.list:
        from benchmark.cli import status
        from benchmark.method import registry

        plugins = tuple(environment.absolute(path, "--plugin") for path in flags.plugin or ())
        return status.listing(registry.methods(plugins), environment.data_root(flags.data_root))
    if flags.new_method is not None:
        from benchmark.cli import new_method

        return new_method.advice(new_method.write(flags.new_method, flags.to or Path()))
    if flags.compare:
        from benchmark.report import compare

        return compare.compare(*flags.compare)
    return None


def _means(flags: argparse.Namespace) -> Means:
    """By which means it is computed; InputError for flags that do not go together or cannot be."""
    if flags.recompute and not flags.report:
        raise InputError("--recompute: only --report reads stored scores; add --report")
    if flags.to is not None:
        raise InputError(f"--to {flags.to}: only --new-method writes there; leave it out")
    means = Means(flags.workers, flags.device, flags.unit_timeout)
    launch.check(flags)
    return means


def _chosen(flags: argparse.Namespace, download: bool) -> Selection:
    same = ("suite", "episodes", "data_root", "backbone", "preprocess", "precision", "results_dir")
    return selection.select(
        **{name: getattr(flags, name) for name in same},
        tasks=names(flags.tasks),
        methods=names(flags.methods),
        seeds=_seeds(flags.seeds),
        plugins=flags.plugin or (),
        download=download,
    )


def _recompute(chosen: Selection, records: RecordStore) -> int:
    """Metrics again from stored scores; 1 if any differs from the record, or is in none."""
    from benchmark.records import recompute

    outcome = recompute.recompute(records.folder, chosen.made.reported(records.done))
    print(outcome.text, flush=True)
    for line in outcome.wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if outcome.wrong or outcome.damaged else 0


def _run(flags: argparse.Namespace, means: Means, chosen: Selection) -> int:
    """Compute what has no record, then report; 1 if a unit is left without, 2 for bad input."""
    from benchmark.cli import status

    given = {name: getattr(flags, name) for name in ("oracle", "plain", "force")}
    work = computing.begun(chosen, **given, lockable=flags.launcher is None)
    suite = f"suite {chosen.made.suite.name}, scale {chosen.made.scale}"
    taken = f", {work.taken} taken over from other suites" if work.taken else ""
    print(f"{suite}: {len(work.units)} units{taken}, {len(work.left)} to run")
    if work.left:
        work = _computed(flags, means, work)
        if work is None:
            return 0
    lines = status.unfinished(chosen.made.units, work.records)
    wrong = computing.bad_input(chosen.made.units, work.records)
    del work
    _report(flags, chosen, chosen.reported())  # it also shows what no flag asks for
    for line in [*lines, *(f"error: {message}" for message in wrong)]:
        print(line, file=sys.stderr)
    return 2 if wrong else 1 if lines else 0


def _computed(flags: argparse.Namespace, means: Means, work: Work) -> Work | None:
    """The work once no unit is left that can be done; None where detached jobs go on."""
    if flags.launcher is None:
        job = work.job(means)
        print(devices.named(job.devices), flush=True)
        return work.compute(job)
    array = launch.submit(flags, work.job(means, elsewhere=True))
    if flags.detach:
        print(launch.advice(flags, parser()))
        return None
    launch.follow(array, [*work.units.values()], work.records, flags.jobs or 1)
    return work


def _report(flags: argparse.Namespace, chosen: Selection, units: Sequence[Unit]) -> None:
    """Write the report, print the main table and how it compares with the reference."""
    from benchmark import report

    path = reporting.write(chosen, units, flags.workers, anew=flags.force)
    print(f"\n{path.with_name(report.SUMMARY).read_text(encoding='utf-8')}")
    agreement = reporting.against_reference(chosen, units)
    if agreement is not None:
        print(f"\n{agreement}")
    print(f"\npage: {path.with_name('index.html')}\nreport: {path}")


def _seeds(given: Sequence[str] | None) -> tuple[int, ...] | None:
    seeds = names(given)
    if seeds is None:
        return None
    return tuple(dict.fromkeys(whole_number(seed, "--seeds") for seed in seeds))


main = command(parser, _dispatch, interrupted="interrupted; the same command goes on from here")
