"""The command `python -m benchmark tune`: the same search for hyperparameters for every method."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.api import computing
from benchmark.api.computing import Means
from benchmark.cli.parser import TIMEOUT, Parser, command, names
from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.runner import devices

if TYPE_CHECKING:
    from benchmark.records.store import RecordStore
    from benchmark.runner.search import Search
    from benchmark.suites.plan import Choice, Plan
    from benchmark.suites.unit import Unit

EPILOG = """
Every method gets the same number of trials on the same tasks; the first trial is what the suite
sets, the others are proposed by Optuna within the method's `search_space`. A method without one
has one trial. Long-tailed and few-shot settings are searched apart, if tasks of both are given.
Run the same command again to go on after an interruption: trials are ordinary units, and what is
recorded in results/tune/<scale>/records is not computed again. More --trials go on from there.
What the search chose goes into a settings file, which a suite takes up by its field `settings`.
Exit code: 0 all done, 1 a unit failed, 2 bad input. See docs/tuning.md.
"""


def parser() -> argparse.ArgumentParser:
    """All flags, each with its help."""
    several = {"nargs": "+", "action": "extend"}
    out = Parser(
        prog="python -m benchmark tune",
        description="Choose hyperparameters on development or hold-out tasks, never on test data.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = out.add_argument
    add("--methods", **several, metavar="NAME", help=_METHODS)
    add("--tasks", **several, metavar="NAME", required=True, help=_TASKS)
    add("--trials", type=int, default=24, metavar="N", help="settings a method (default: 24)")
    add("--episodes", type=int, default=2, metavar="N", help="few-shot episodes (default: 2)")
    add("--suite", default="cimlic", help="whose settings are the first trial (default: cimlic)")
    add("--plugin", **several, metavar="FILE.py", help="a file with methods of your own")
    add("--seed", type=int, default=0, metavar="N", help="of the proposals (default: 0)")
    add("--out", type=Path, metavar="FILE.yaml", help=_OUT)
    add("--results-dir", type=Path, default=environment.ROOT / "results", help=_RESULTS)
    add("--data-root", metavar="DIR", help="real images, not the miniature; with hold-outs")
    add("--backbone", metavar="SPEC", help="an open_clip model, as of run_all.py")
    add("--workers", type=int, metavar="N", help="processes (default: one a GPU, else one a core)")
    add("--unit-timeout", type=float, metavar="SECONDS", help=TIMEOUT)
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    return out


_METHODS = "labels of the suite or methods (default: all of the suite and of --plugin)"
_TASKS = "tasks whose names end in -dev or -holdout, such as coco-lt-dev"
_RESULTS = "tune/<scale> is made in it"
_OUT = """the settings file, into which the best settings are merged (default: settings.yaml in
results/tune/<scale>)"""


def _tune(flags: argparse.Namespace) -> int:
    from benchmark.records import store
    from benchmark.runner import proposals, search
    from benchmark.suites import plan

    means, choice = _means(flags), _choice(flags)
    proposals.optuna()  # before any work: it may not be installed
    made = plan.make(choice)
    folder = store.paths(flags.results_dir, search.SUITE, made.scale)
    computing.check_folders(folder, flags.results_dir)
    searches = _searches(flags, choice, made)
    records = store.RecordStore(folder, store.outdated(folder))
    computed: dict[str, Unit] = {}

    def compute(units: list[Unit]) -> RecordStore:
        computed.update({unit.key: unit for unit in units})
        return _computed(means, choice, made, records, units)

    search.run(searches, compute, lambda line: print(line, flush=True))
    return _report(flags, searches, records, list(computed.values()))


def _means(flags: argparse.Namespace) -> Means:
    """By which means it is computed; InputError for numbers that cannot be."""
    for flag, least in (("trials", 1), ("episodes", 1), ("seed", 0)):
        if getattr(flags, flag) < least:
            raise InputError(f"--{flag} {getattr(flags, flag)}: must be {least} or more")
    return Means(flags.workers, flags.device, flags.unit_timeout)


def _choice(flags: argparse.Namespace) -> Choice:
    """What the flags choose; InputError for those that cannot be."""
    from benchmark.common import files
    from benchmark.data import tasks
    from benchmark.suites.plan import Choice

    chosen = names(flags.tasks)
    for name in chosen:
        if tasks.stands_for(name) == name:
            near = f"{name}-holdout" if tasks.is_own(name) else f"{name}-dev or {name}-holdout"
            raise InputError(f"--tasks {name}: nothing is chosen on test data; take {near}")
    root = environment.data_root(flags.data_root)
    files.check_readable(root)
    return Choice(
        suite=flags.suite,
        tasks=chosen,
        methods=names(flags.methods),
        seeds=(0,),
        episodes=flags.episodes,
        data_root=root,
        backbone=flags.backbone,
        plugins=tuple(environment.absolute(path, "--plugin") for path in flags.plugin or ()),
    )


def _searches(flags: argparse.Namespace, choice: Choice, made: Plan) -> list[Search]:
    """A search for each label and setting, in the suite's order."""
    from benchmark.runner.search import Search

    by_setting: dict[str, list[str]] = {}
    for name in choice.tasks:
        by_setting.setdefault(made.known.tasks[name].setting, []).append(name)
    wanted = choice.methods
    return [
        Search(
            *(made.suite, entry, made.known, setting, tuple(tasks)),
            trials=flags.trials,
            episodes=flags.episodes,
            seed=flags.seed,
            title=made.titles.get(entry.label, ""),
        )
        for entry in made.suite.methods
        if wanted is None or entry.label in wanted
        for setting, tasks in by_setting.items()
    ]


def _computed(
    means: Means, choice: Choice, made: Plan, records: RecordStore, units: list[Unit]
) -> RecordStore:
    """The records once those of the units are there, or have failed."""
    records.scan()
    left = {unit.key: unit for unit in units if not records.settled(unit)}
    if left:
        from benchmark.runner import schedule, search, workers

        job = computing.job(
            *(choice, made, means, left.values(), len(left)),
            suite=search.SUITE,
            folder=records.folder,
            stale=records.stale,
            costs=schedule.expected(left.values(), records.done.values()),
        )
        print(f"{len(left)} units, {devices.named(job.devices)}", flush=True)
        workers.run(job)
        records.scan()
    return records


def _report(
    flags: argparse.Namespace, searches: list[Search], records: RecordStore, units: list[Unit]
) -> int:
    """Write and print what was found; the exit code."""
    from benchmark.cli import status
    from benchmark.report import search as report
    from benchmark.suites import settings

    results = [search.result for search in searches]
    tables = records.folder.path / "search"
    report.write(results, tables)
    out = flags.out or records.folder.path / "settings.yaml"
    found: dict[str, dict] = {}
    for result in results:
        if result.names and result.best:
            found.setdefault(result.label, {})[result.setting] = dict(result.best.values)
    print(f"\n{report.summary(results)}\ntables and figures: {tables}")
    if found:
        settings.merge(out, found, _command(flags))
        print(f"settings: {out}")
    for search in searches:
        if own := search.overridden:
            what = f"{search.suite.origin}: the overrides of {search.entry.label}"
            print(f"note: {what} set {', '.join(own)}, which win over a settings file")
    lines = status.unfinished(units, records)
    wrong = computing.bad_input(units, records)
    for line in [*lines, *(f"error: {message}" for message in wrong)]:
        print(line, file=sys.stderr)
    return 2 if wrong else 1 if lines else 0


def _command(flags: argparse.Namespace) -> str:
    """The command that searches so again, without paths of this machine."""
    parts = [f"--suite {Path(flags.suite).name}"]
    for flag, given in (("methods", names(flags.methods)), ("tasks", names(flags.tasks))):
        parts += [f"--{flag} {' '.join(given)}"] if given else []
    parts += [f"--plugin {Path(path).name}" for path in flags.plugin or ()]
    numbers = (f"--{flag} {getattr(flags, flag)}" for flag in ("trials", "episodes", "seed"))
    return " ".join(["python -m benchmark tune", *parts, *numbers])


main: Callable[..., int] = command(
    parser, _tune, interrupted="interrupted; the same command goes on from here"
)
