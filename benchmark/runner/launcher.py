"""Has an array of jobs compute units, through submitit: by Slurm, or as processes of this machine.

Slurm queues, places, limits and requeues; the records say what is done.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmark.common import environment, errors, files, processes
from benchmark.common.errors import InputError
from benchmark.method import discovery
from benchmark.runner import devices, launch_file, slurm_queue
from benchmark.runner.array_worker import ArrayWorker
from benchmark.runner.job import Job
from benchmark.runner.launch_file import Launch

LOCAL, SLURM = "local", "slurm"
_LISTS = ("setup", "teardown", "srun_args")  # a key that is given again adds a line
_SBATCH = (  # of sbatch's options those that submitit does not know, handed on as they are
    *("reservation", "licenses", "begin", "deadline", "prefer", "hint", "nice", "tmp", "mincpus"),
    *("cluster_constraint", "clusters", "core_spec", "export", "gpu_bind", "gpu_freq", "gpus"),
    *("network", "no_requeue", "power", "priority", "sockets_per_node", "switches", "uid"),
)
_OURS = {"additional_parameters", "num_gpus", "job_name", "nodes", "ntasks_per_node"}
_LIMIT = {LOCAL: "365-0", SLURM: "4:00:00"}  # of a job, unless it is given
_NOTICE = 90  # seconds before the limit
_OFTEN = 10**6  # requeued after so many time limits: a job that gets nowhere ends by itself
_ABOUT = "launch.json"


def submitit() -> ModuleType:
    """The library; InputError that says how to install it."""
    os.environ.setdefault("SUBMITIT_LOG_LEVEL", "WARNING")
    try:
        import submitit
    except ImportError:
        remedy = "which is not there: pip install submitit"
        raise InputError(f"--launcher needs submitit, {remedy}") from None
    return submitit


def check_there(kind: str) -> None:
    """InputError where there is no Slurm for a launcher that needs one."""
    missing = [name for name in ("sbatch", "srun", "squeue", "scancel") if not shutil.which(name)]
    if kind == SLURM and missing:
        remedy = "start it where Slurm is, such as a login node, or take --launcher local"
        raise InputError(f"--launcher slurm: there is no {' or '.join(missing)} here; {remedy}")


def check_files(job: Job) -> None:
    """InputError for what a unit's method needs beside the data and CLIP and this machine lacks.

    Said once, before anything is submitted: the machines that compute may have no network. What
    else a method raises, or does to its process, fails its units alone.
    """
    rows = {(unit.method, unit.hyperparameters): unit.label for unit in job.units}
    if not job.foreign:
        _check_files(rows, ())
        return
    with contextlib.suppress(processes.Died):
        processes.apart(_check_files, rows, job.plugins)


def _check_files(rows: Mapping[tuple[str, tuple], str], plugins: Sequence[Path]) -> None:
    classes = discovery.discover(list(plugins))
    for (method, hyperparameters), label in rows.items():
        try:
            classes[method](**dict(hyperparameters)).check_files()
        except InputError as error:
            raise InputError(f"{label}: {error}") from None
        except Exception:
            continue


@dataclass(frozen=True)
class Parameters:
    """What --slurm gives a job, in submitit's words.

    limit, notice   seconds that a job may take, and before that at which it is warned
    """

    given: Mapping[str, Any]
    limit: float
    notice: float


def parameters(kind: str, pairs: Sequence[str]) -> Parameters:
    """Of texts KEY=VALUE; InputError for a key that nobody knows or a value that cannot be.

    A dash and an underline are the same in a key, as sbatch has the one and submitit the other.
    """
    submitit()
    from submitit.slurm import slurm

    defaults = slurm._get_default_parameters()
    known = {*defaults, *_SBATCH} - _OURS
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip().lstrip("-").replace("-", "_")
        if not equals or not value:
            raise InputError(f"--slurm {pair}: not KEY=VALUE, such as partition=gpu")
        if key not in known:
            raise errors.unknown("key of --slurm", key, known)
        if key in _LISTS:
            found.setdefault(key, []).append(value)
        else:
            found[key] = _value(value)
    limit = slurm_queue.seconds(str(found.pop("time", _LIMIT[kind])))
    if not limit:
        raise InputError("--slurm time=: not a time limit as 30 (minutes), 4:00:00 or 2-12:00:00")
    notice = found.setdefault("signal_delay_s", min(_NOTICE, limit // 4))
    if not isinstance(notice, int) or not 0 < notice < limit:
        raise InputError(f"--slurm signal_delay_s={notice}: must be seconds within the time limit")
    beside = {key.replace("_", "-"): found.pop(key) for key in _SBATCH if key in found}
    return Parameters(_words(kind, found, beside, limit), limit, notice)


def _value(text: str) -> Any:
    """A number or a truth value where it is one."""
    return {"true": True, "false": False}.get(text.lower(), int(text) if text.isdecimal() else text)


def _words(kind: str, found: dict[str, Any], beside: dict[str, Any], limit: int) -> dict[str, Any]:
    """The parameters as the kind's executor takes them."""
    if kind == SLURM:
        extra = {} if "no-requeue" in beside else {"requeue": True}
        return found | {"time": math.ceil(limit / 60), "additional_parameters": extra | beside}
    taken = ("signal_delay_s", "setup", "gpus_per_node", "stderr_to_stdout")
    return {key: found[key] for key in taken if key in found} | {"timeout_min": limit / 60}


def fair_workers(kind: str, given: Parameters, count: int) -> int | None:
    """The workers of each of so many jobs where they share this machine's cores; None where each
    sees for itself what Slurm or a GPU gives it."""
    if kind == SLURM or given.given.get("gpus_per_node"):
        return None
    return max(1, min(environment.cores(), devices.MOST_WORKERS) // count)


def locks_exclude(folder: Path) -> bool:
    """Whether a lock file that this process holds in the folder keeps out another process."""
    probe = folder / f".probe-{uuid.uuid4().hex[:12]}.lock"
    try:
        with files.claimed(probe), processes.pool(1) as pool:
            return pool.submit(files.is_claimed, probe).result() is True
    except (OSError, NotImplementedError):
        return False
    finally:
        probe.unlink(missing_ok=True)


@dataclass
class Array:
    """A submitted array of jobs.

    folder   of the launch: what the jobs are told, their logs
    ids      as Slurm has them; of processes their numbers
    stuck    what all that is left waits for in vain, as Slurm calls it
    """

    kind: str
    folder: Path
    ids: tuple[str, ...]
    jobs: Sequence[Any] = ()  # submitit's, of who submitted them
    states: Counter[str] = field(default_factory=Counter)
    stuck: str | None = None
    _asked: float = -math.inf

    def is_alive(self, every: float = 10.0) -> bool:
        """Whether any job has not ended; Slurm is asked no more often than `every` seconds.

        While it cannot be asked, they have not.
        """
        if self.kind == LOCAL:
            self.states = Counter("running" for job in self.jobs if not job.done())
        elif time.monotonic() - self._asked > every:
            self._asked = time.monotonic()
            found = slurm_queue.queued(self.ids)
            if found is not None:
                self.states = Counter(job.state.lower() for job in found)
                in_vain = all(job.is_hopeless for job in found)
                self.stuck = found[0].place.strip("()") if found and in_vain else None
            elif not self.states:
                self.states["out of sight"] = len(self.ids)
        return self.states.total() > 0

    def cancel(self, queued: bool = False) -> None:
        """Ask that its jobs end and none begins; or only the latter, where they are `queued`."""
        if self.kind == LOCAL:
            for job in () if queued else self.jobs:
                job.cancel()
        else:
            only = ["--state=PENDING"] if queued else []
            array = self.ids[0].partition("_")[0]
            with contextlib.suppress(OSError):
                subprocess.run(["scancel", *only, array], capture_output=True)

    def text(self) -> str:
        """`3 jobs running, 5 pending`."""
        parts = [f"{count} {state}" for state, count in self.states.items()]
        return "jobs: " + ", ".join(parts) if parts else "no job left"


def new_folder(jobs: Path) -> Path:
    """A folder for a launch below `jobs`, by the time; InputError for a name that Slurm reads as
    more than a name."""
    if "%" in str(jobs):
        raise InputError(f"--results-dir {jobs}: has a %, which Slurm would replace; name another")
    folder = jobs / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"
    folder.mkdir(parents=True)
    return folder


def submit(kind: str, launch: Launch, given: Parameters, name: str, folder: Path) -> Array:
    """Submit the launch's jobs; InputError with the reason if they are not taken.

    name     of the jobs, in Slurm's queue
    folder   an empty one on a disk that all machines share
    """
    launch_file.write(launch, folder)
    try:
        executor = _executor(kind, folder, given.given, name, launch.count)
        with _output_to(folder / "submission.log"):
            jobs = executor.map_array(ArrayWorker(folder), range(launch.count))
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        reason = str(error).removeprefix("sbatch: error: ") or type(error).__name__
        raise InputError(f"--launcher {kind}: not submitted ({reason}); mend --slurm") from None
    array = Array(kind, folder, tuple(job.job_id for job in jobs), jobs)
    about = {"kind": kind, "ids": array.ids, "limit": launch.limit}
    with files.atomic(folder / _ABOUT) as temporary:
        temporary.write_text(json.dumps(about), encoding="utf-8")
    return array


@contextlib.contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """What this process and those that it starts meanwhile print goes to a file: what sbatch says
    stands in the error, and processes of this machine outlive a command that detaches them."""
    kept = [(number, os.dup(number)) for number in (1, 2)]
    try:
        with path.open("a") as log, contextlib.redirect_stderr(log):
            for number, _ in kept:
                os.dup2(log.fileno(), number)
            yield
    finally:
        for number, old in kept:
            os.dup2(old, number)
            os.close(old)


def _executor(kind: str, folder: Path, given: Mapping[str, Any], name: str, count: int) -> Any:
    """submitit's, with the parameters; jobs import this very code, wherever they start."""
    library = submitit()
    paths = os.pathsep.join(filter(None, [str(environment.ROOT), os.environ.get("PYTHONPATH")]))
    python = shlex.join(["env", f"PYTHONPATH={paths}", sys.executable])
    if kind == LOCAL:
        executor = library.LocalExecutor(folder, max_num_timeout=_OFTEN, python=python)
        executor.update_parameters(**given)
        return executor
    executor = library.SlurmExecutor(folder, max_num_timeout=_OFTEN, python=python)
    executor.update_parameters(**{"array_parallelism": count} | given, job_name=name)
    return executor


def launched(jobs: Path) -> list[Array]:
    """The launches below a suite's folder of jobs, newest first; damaged ones are passed over."""
    found = []
    for path in sorted(jobs.glob(f"*/{_ABOUT}"), reverse=True):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            about = json.loads(path.read_text(encoding="utf-8"))
            ids = tuple(id for id in map(str, about["ids"]) if re.fullmatch(r"\d+(_\d+)?", id))
            found.append(Array(str(about["kind"]), path.parent, ids))
    return found
