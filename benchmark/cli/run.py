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

from benchmark.cli import jobs, launch
from benchmark.cli.parser import Parser, command, names, whole_number
from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.runner import devices

if TYPE_CHECKING:
    from benchmark.records.store import RecordStore, ResultsFolder
    from benchmark.suites.plan import Choice, Plan
    from benchmark.suites.unit import Unit

HOME = environment.ROOT
EPILOG = """
Run the same command again to go on after an interruption: what is recorded is not computed
again, what failed is tried again. Several processes or machines may share one results folder.
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
    add("--unit-timeout", type=float, metavar="SECONDS", help=jobs.TIMEOUT)
    add("--launcher", metavar="NAME", help=launch.HELP["launcher"])
    add("--jobs", type=int, metavar="N", help=launch.HELP["jobs"])
    add("--slurm", **_LIST | {"metavar": "KEY=VALUE"}, help=launch.HELP["slurm"])
    add("--detach", action="store_true", help=launch.HELP["detach"])
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    add("--results-dir", type=Path, default=HOME / "results", help="records and reports go here")
    add("--data-root", metavar="DIR", help="real COCO and VOC: the paper scale, not the miniature")
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
    plugins = tuple(environment.absolute(path, "--plugin") for path in flags.plugin or ())
    text = None
    if flags.list:
        from benchmark.cli import status
        from benchmark.method import registry

        text = status.listing(registry.methods(plugins), environment.data_root(flags.data_root))
    elif flags.new_method is not None:
        from benchmark.cli import new_method

        text = new_method.advice(new_method.write(flags.new_method, flags.to or Path()))
    elif flags.compare:
        from benchmark.report import compare

        text = compare.compare(*flags.compare)
    if text is not None:
        print(text)
        return 0
    from benchmark.cli import status
    from benchmark.records import store
    from benchmark.suites import plan

    choice = _choice(flags, plugins)
    made = plan.make(choice)
    folder = store.paths(flags.results_dir, made.suite.name, made.scale)
    if choice.download:
        return _run(flags, choice, made, folder)
    records = store.RecordStore(folder, oracle=flags.oracle and not flags.report)
    records.scan()
    if flags.status or flags.dry_run:
        print((status.status if flags.status else status.dry_run)(made, records))
        for line in launch.status(folder) if flags.status else ():
            print(line)
        return 0
    code = _recompute(made, records) if flags.recompute else 0
    units = made.reported(records.done)
    del records  # of many units two copies, the report's and this one, are gigabytes
    _report(flags, choice, made, folder, units)
    return code


def _choice(flags: argparse.Namespace, plugins: tuple[Path, ...]) -> Choice:
    """What the flags choose; InputError for those that do not go together or cannot be."""
    if flags.recompute and not flags.report:
        raise InputError("--recompute: only --report reads stored scores; add --report")
    if flags.to is not None:
        raise InputError(f"--to {flags.to}: only --new-method writes there; leave it out")
    jobs.check_workers(flags)
    launch.check(flags)
    from benchmark.common import files
    from benchmark.suites.plan import Choice

    root = environment.data_root(flags.data_root)
    files.check_readable(root)
    same = ("suite", "episodes", "backbone", "preprocess", "precision")
    return Choice(
        **{name: getattr(flags, name) for name in same},
        tasks=names(flags.tasks),
        methods=names(flags.methods),
        seeds=_seeds(flags.seeds),
        data_root=root,
        plugins=plugins,
        download=not (flags.status or flags.dry_run or flags.report),
    )


def _recompute(made: Plan, records: RecordStore) -> int:
    """Metrics again from stored scores; 1 if any differs from the record, or is in none."""
    from benchmark.records import recompute

    outcome = recompute.recompute(records.folder, made.reported(records.done))
    print(outcome.text, flush=True)
    for line in outcome.wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if outcome.wrong or outcome.damaged else 0


def _run(flags: argparse.Namespace, choice: Choice, made: Plan, folder: ResultsFolder) -> int:
    """Compute what has no record, then report; 1 if a unit is left without, 2 for bad input."""
    from benchmark.cli import status
    from benchmark.common import files
    from benchmark.records import store

    jobs.check_folders(folder, flags.results_dir, lockable=flags.launcher is None)
    stale = store.outdated(folder, {u.key for u in made.units} if flags.force else ())
    if flags.force:
        stale |= files.file_times(environment.cache() / "states", ".safetensors")
    records = store.RecordStore(folder, stale, flags.oracle)
    records.scan()
    units = {unit.key: unit for unit in made.units}  # two labels may name the same unit
    left = [unit for key, unit in units.items() if key not in records.done]
    print(f"suite {made.suite.name}, scale {made.scale}: {len(units)} units, {len(left)} to run")
    if left:
        records = _computed(flags, choice, made, records, list(units.values()), left)
        if records is None:
            return 0
    lines, wrong = status.unfinished(made.units, records)
    del records
    everything = store.RecordStore(folder)  # the report also shows what no flag asks for
    everything.scan()
    reported = made.reported(everything.done)
    del everything
    _report(flags, choice, made, folder, reported)
    for line in [*lines, *(f"error: {message}" for message in wrong)]:
        print(line, file=sys.stderr)
    return 2 if wrong else 1 if lines else 0


def _computed(
    flags: argparse.Namespace,
    choice: Choice,
    made: Plan,
    records: RecordStore,
    units: list[Unit],
    left: list[Unit],
) -> RecordStore | None:
    """The records once no unit is `left` that can be done; None where detached jobs go on."""
    from benchmark.runner import schedule, workers

    about = {
        "suite": made.suite.name,
        "folder": records.folder,
        "oracle": flags.oracle,
        "plain": flags.plain,
        "costs": schedule.known([records.folder, _reference(made)]),
    }
    if flags.launcher is None:
        about["stale"] = records.stale
        job = jobs.job(flags, choice, made, units, len(left), **about)
        print(devices.named(job.devices), flush=True)
        return workers.run(job)
    about["stale"] = {**records.stale, **records.uncounted(left)}
    array = launch.submit(flags, jobs.job(flags, choice, made, left, None, **about))
    if flags.detach:
        print(launch.advice(flags, parser()))
        return None
    launch.follow(array, units, records, flags.jobs or 1)
    return records


def _report(
    flags: argparse.Namespace,
    choice: Choice,
    made: Plan,
    folder: ResultsFolder,
    units: Sequence[Unit],
) -> None:
    """Write the report, print the main table and how it compares with the reference."""
    from benchmark import report
    from benchmark.miniature import build

    images = choice.data_root or build.built(environment.cache())  # None: not rendered yet
    layout = made.layout
    workers = flags.workers or min(environment.cores(), devices.MOST_WORKERS)
    path = report.write(units, folder.path, layout, images, workers, anew=flags.force)
    print(f"\n{path.with_name(report.SUMMARY).read_text(encoding='utf-8')}")
    reference = _reference(made)
    if reference.has_records() and reference.path.resolve() != folder.path.resolve():
        print(f"\n{report.against_reference(units, folder.path, reference.path, layout)}")
    print(f"\npage: {path.with_name('index.html')}\nreport: {path}")


def _reference(made: Plan) -> ResultsFolder:
    """The folder of the repository's own records of the suite at this scale; it may be absent."""
    from benchmark.records import store

    return store.paths(HOME / "results" / "reference", made.suite.name, made.scale)


def _seeds(given: Sequence[str] | None) -> tuple[int, ...] | None:
    seeds = names(given)
    if seeds is None:
        return None
    return tuple(dict.fromkeys(whole_number(seed, "--seeds") for seed in seeds))


main = command(parser, _dispatch, interrupted="interrupted; the same command goes on from here")
