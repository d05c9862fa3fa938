"""The flags --launcher, --jobs, --slurm and --detach: an array of jobs that compute the units."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from benchmark.common import environment, errors
from benchmark.common.errors import InputError
from benchmark.common.text import one_line

if TYPE_CHECKING:
    from benchmark.records.store import RecordStore, ResultsFolder
    from benchmark.runner.job import Job
    from benchmark.runner.launcher import Array
    from benchmark.suites.unit import Unit

KINDS = ("local", "slurm")
HELP = {
    "launcher": "slurm: an array of jobs computes; local: as many processes of this machine",
    "jobs": "with --launcher: how many jobs (default: 1); each goes on where another has left off",
    "slurm": """what each job gets, as sbatch and submitit call it: partition=gpu gres=gpu:1
time=04:00:00 "setup=module load cuda"; see docs/cluster.md""",
    "detach": "with --launcher: return once the jobs are submitted",
}
_FLAGS = ("jobs", "slurm", "detach")
_PAUSE = 0.5  # seconds between two looks at whether the jobs have ended
_UNLOCKED = "each job computes its own share first, and the last units may be computed twice"
_OFFLINE = {"HF_HUB_OFFLINE": "1"}  # what is to be fetched is fetched where the jobs are submitted


def check(flags: argparse.Namespace) -> None:
    """InputError for flags of the launcher without one, or that cannot be."""
    if flags.launcher is None:
        for name in _FLAGS:
            if getattr(flags, name) not in (None, False):
                raise InputError(f"--{name}: only with --launcher local or slurm; add it")
        return
    if flags.launcher not in KINDS:
        raise errors.unknown("launcher", flags.launcher, KINDS)
    if flags.jobs is not None and flags.jobs < 1:
        raise InputError(f"--jobs {flags.jobs}: must be 1 or more")
    from benchmark.runner import launcher

    launcher.parameters(flags.launcher, flags.slurm or ())


def submit(flags: argparse.Namespace, job: Job) -> Array:
    """Submit an array of jobs that compute the job's units, no more of them than units."""
    from benchmark.runner import launcher
    from benchmark.runner.launch_file import Launch

    launcher.check_there(flags.launcher)
    launcher.check_files(job)
    given = launcher.parameters(flags.launcher, flags.slurm or ())
    exclude = launcher.locks_exclude(job.folder.locks)
    if not exclude:
        print(f"locks do not exclude in {job.folder.locks}: {_UNLOCKED}", flush=True)
    count = min(flags.jobs or 1, len(job.units))
    launch = Launch(
        job=job,
        device=flags.device,
        workers=flags.workers or launcher.fair_workers(flags.launcher, given, count),
        count=count,
        limit=given.limit,
        notice=given.notice,
        locks="unsure" if exclude else "none",
        environment=environment.ours() | _OFFLINE,
    )
    folder = launcher.new_folder(job.folder.jobs)
    array = launcher.submit(flags.launcher, launch, given, f"cimlic-{job.suite}", folder)
    print(f"{launch.count} job(s) submitted: {_ids(array)}; logs in {folder}", flush=True)
    return array


def follow(array: Array, units: Collection[Unit], records: RecordStore, jobs: int) -> None:
    """Show progress until all units are settled or no job is left; Ctrl-C cancels the jobs.

    InputError with what a job said against its input, or if none could as much as begin.
    """
    from benchmark.runner import array_worker
    from benchmark.runner.progress import Progress

    try:
        with Progress(units, records, jobs, beside=array.text):
            while array.is_alive() and not all(map(records.settled, units)) and not array.stuck:
                time.sleep(_PAUSE)
    except KeyboardInterrupt:
        array.cancel()
        raise
    array.cancel(queued=True)  # nothing is left for them to do
    if array.stuck and not all(map(records.settled, units)):
        raise InputError(f"--launcher slurm: jobs wait in vain ({array.stuck}); mend --slurm")
    refused = array_worker.refusals(array.folder)
    if refused and not all(map(records.settled, units)):
        raise InputError(refused[0])
    for line in refused:
        print(f"warning: a job could not take part: {line}", file=sys.stderr)
    if not refused and not array_worker.arrivals(array.folder):
        reason = "no job could begin, or see this folder"
        remedy = "name a --results-dir on a disk that all machines share; logs, if any, are there"
        raise InputError(f"{array.folder}: {reason}; {remedy}")


def advice(flags: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    """How to look at detached jobs, and how to collect what they made."""
    parts = [parser.prog]
    for name, value in vars(flags).items():
        if value != parser.get_default(name) and name not in ("launcher", "force", *_FLAGS):
            values = value if isinstance(value, list) else [] if value is True else [value]
            parts += [f"--{name.replace('_', '-')}", *map(str, values)]
    again = shlex.join(parts)
    return f"to look:    python {again} --status\nto collect: python {again} --report"


def status(folder: ResultsFolder) -> list[str]:
    """Lines about the jobs of a suite that are queued or running, and where their logs are."""
    if not folder.jobs.is_dir():
        return []
    from benchmark.runner import launcher, slurm_queue

    found = launcher.launched(folder.jobs)
    arrays = [array for array in found if array.kind == "slurm"]
    queued = slurm_queue.queued(id for array in arrays for id in array.ids)
    lines = []
    if queued is None and arrays:
        lines = ["jobs: Slurm cannot be asked here"]
    for job in queued or ():
        about = f"{job.state.lower()} for {job.elapsed}, {job.place}"
        lines.append(f"job {job.id}: {one_line(about)}")
    return [*lines, f"logs of the last jobs: {found[0].folder}"] if found else []


def _ids(array: Array) -> str:
    """`1234_[0-7]`, or the processes' numbers."""
    if array.kind == "slurm" and len(array.ids) > 1:
        return f"{array.ids[0].partition('_')[0]}_[0-{len(array.ids) - 1}]"
    return ", ".join(array.ids)
