"""The launcher's flags: bad ones, jobs on this machine, and Slurm's commands as they are called."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import time

import pytest

from benchmark.common import environment, files
from benchmark.records import store
from tests.helpers import bad_input, tiny_suite

BAD = {
    "--jobs 0 --launcher local": "--jobs 0: must be 1 or more",
    "--jobs 4": "--jobs: only with --launcher local or slurm",
    "--detach": "--detach: only with --launcher",
    "--slurm partition=gpu": "--slurm: only with --launcher",
    "--launcher slrum": "did you mean 'slurm'",
    "--launcher local --slurm partion=gpu": "did you mean 'partition'",
    "--launcher local --slurm gpu": "--slurm gpu: not KEY=VALUE",
    "--launcher local --slurm time=soon": "--slurm time=: not a time limit",
    "--launcher local --slurm time=0": "--slurm time=: not a time limit",
    "--launcher local --slurm time=1 signal_delay_s=60": "within the time limit",
}


@pytest.mark.parametrize("line", BAD)
def test_flags_that_cannot_be(capsys, place, line):
    found = bad_input.refused(capsys, lambda: bad_input.typed(f"{line} --tasks voc-lt", place))
    assert BAD[line] in found


def test_submitit_that_is_not_there_is_one_line(capsys, place, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    line = "--launcher local --tasks voc-lt"
    found = bad_input.refused(capsys, lambda: bad_input.typed(line, place))
    assert "pip install submitit" in found


@pytest.fixture
def start(world):
    """As world.start; whatever is left of it ends with the test, its jobs too."""
    begun = []
    yield lambda *flags, **more: begun.append(world.start(*flags, **more)) or begun[-1]
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def outcomes(results):
    """What must not depend on who computed."""
    found = store.load(results / "tiny" / "miniature", failures=False)
    return {r["key"]: (r["metrics"], r["per_class_ap"], r["curve"]) for r in found}


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


def slow(world, seconds, seeds):
    """Flags for a suite whose only method takes its time."""
    entry = f"  slow: {{method: prior, hyperparameters: {{sleep: {seconds}}}}}"
    text = tiny_suite.SUITE.replace("  prior:", entry).replace("[0, 1]", str(list(range(seeds))))
    (world.folder / "slow.yaml").write_text(text)
    return ("--methods", "slow", "--tasks", "voc-lt", "--suite", str(world.folder / "slow.yaml"))


def ended(process, code=0):
    text, _ = process.communicate(timeout=400)
    assert process.returncode == code, text
    return text


def test_two_jobs_record_what_one_process_does_and_nothing_is_submitted_twice(world, start):
    """In a folder with a space; a base stage is trained by one of them."""
    flags = ("--methods", "prior", "based")
    assert world.run(*flags)[0] == 0
    one = outcomes(world.results)
    world.log.unlink()
    other = world.folder / "other results"
    launcher = ("--launcher", "local", "--jobs", "2", "--workers", "1", "--results-dir", other)
    cache = {"CIMLIC_CACHE": str(world.folder / "cache two")}
    text = ended(start(*flags, *launcher, **cache))
    assert outcomes(other) == one and len(one) == 8
    assert sorted(world.computed()) == ["base"] + ["fit"] * 8
    assert "2 job(s) submitted" in text and "[8/8]" in text and "locks do not" not in text
    (launch,) = (other / "tiny" / "miniature" / "jobs").iterdir()
    assert f"logs in {launch}" in text and len(list(launch.glob("*_log.out"))) == 2
    again = ended(start(*flags, *launcher, **cache))
    assert "8 units, 0 to run" in again and "submitted" not in again


def test_without_locks_nothing_is_lost_and_at_most_the_last_units_are_done_twice(world, start):
    """Detached jobs, looked at by the command that it names; what is built for the cache, here a
    base stage, is still built once."""
    flags = (*slow(world, 0.3, seeds=4), "--methods", "based", "--tasks", "voc-fs-1")
    launcher = ("--launcher", "local", "--jobs", "2", "--workers", "1", "--detach")
    text = ended(start(*flags, *launcher, CIMLIC_LOCKS="none"))
    assert "locks do not exclude in" in text and "its own share first" in text
    look = re.search(r"^to look: +python run_all.py (.*)$", text, re.M)[1]
    assert "--launcher" not in look and "--detach" not in look and look.endswith("--status")
    jobs = world.records.parent / "jobs"
    wait_for(lambda: len(list(jobs.glob("*/*_result.pkl"))) == 2)
    code, text, _ = world.run(*flags, "--status")
    assert code == 0 and "12 done" in text and "logs of the last jobs: " in text
    units, fits = len(outcomes(world.results)), world.computed().count("fit")
    assert units == 12 and units <= fits <= units + 2
    assert world.computed().count("base") == 1
    assert not [*(world.folder / "cache").rglob("*.lease"), *world.folder.rglob("*.tmp")]


def test_ctrl_c_ends_the_jobs_and_the_same_command_goes_on(world, start):
    flags = slow(world, 2, seeds=8)
    launcher = ("--launcher", "local", "--jobs", "2", "--workers", "1")
    process = start(*flags, *launcher)
    wait_for(lambda: len(outcomes(world.results)) >= 1)
    process.send_signal(signal.SIGINT)
    assert "the same command goes on from here" in ended(process, 130)
    claims = list(store.paths(world.results, "tiny", "miniature").locks.glob("*.lock"))
    wait_for(lambda: not any(files.is_claimed(path) for path in claims))
    before = outcomes(world.results)
    assert 1 <= len(before) < 8
    world.go.touch()
    code, text, _ = world.run(*flags)
    assert code == 0 and f"8 units, {8 - len(before)} to run" in text
    assert before.items() <= outcomes(world.results).items()
    assert len(outcomes(world.results)) == 8


def holders(world):
    """The processes whose jobs compute units just now."""
    found = []
    for path in store.paths(world.results, "tiny", "miniature").locks.glob("*.json"):
        try:
            found.append(json.loads(path.read_text())["process"])
        except (OSError, ValueError):
            continue
    return found


def warn(world):
    """Send the one job what Slurm sends before it takes the machine away."""
    os.kill(holders(world)[0], signal.SIGUSR2)


def test_a_job_that_is_asked_to_end_and_warned_goes_on_with_what_is_left(world, start):
    flags = slow(world, 300, seeds=2)
    launcher = ("--launcher", "local", "--jobs", "1", "--workers", "1")
    process = start(*flags, *launcher)
    wait_for(lambda: len(world.computed()) == 1)
    (job,) = holders(world)
    os.kill(job, signal.SIGTERM)
    wait_for(lambda: not holders(world))  # the unit is put back at once
    world.go.touch()
    os.kill(job, signal.SIGUSR2)
    ended(process)
    assert len(outcomes(world.results)) == 2
    assert world.computed() == ["fit"] * 3  # what it was in the middle of was begun anew


def test_a_unit_that_takes_longer_than_the_limit_is_named_after_its_second_try(world, start):
    entry = "  slow: {method: prior, hyperparameters: {sleep: 300}}\n  prior:"
    (world.folder / "tiny.yaml").write_text(tiny_suite.SUITE.replace("  prior:", entry))
    chosen = ("--methods", "slow", "prior", "--tasks", "voc-lt", "--seeds", "0")
    # So long a notice that every warning is one of the limit, and none comes but the test's own.
    limit = ("--slurm", "time=20", "signal_delay_s=1020")
    launcher = ("--launcher", "local", "--jobs", "1", "--workers", "1", *limit)
    process = start(*chosen, *launcher)
    for times in (1, 2):
        wait_for(lambda times=times: len(world.computed()) == times)
        warn(world)
    text = ended(process, 1)
    assert "slow seed 0: FAILED: TimeoutError: not done in two jobs of 20:00 each" in text
    assert "--slurm time=" in text and world.computed() == ["fit"] * 3
    assert len(outcomes(world.results)) == 1


LACKING = """
from benchmark.common.errors import InputError
class Lacking(Prior):
    name = "lacking"
    def __init__(self, *, network: str = "none"):
        super().__init__()
        self.network = network
    def check_files(self):
        if self.network != "none":
            raise InputError(f"network {self.network} needs x.safetensors: get it")
    def fit(self, train, run):
        self.check_files()
        super().fit(train, run)
"""


def test_weights_that_a_row_lacks_are_one_line_before_anything_is_submitted(world):
    """Without a launcher that is said of the row's own units, once the others are done."""
    rows = "  lacking:\n  deep: {method: lacking, hyperparameters: {network: deep}}\n"
    for name, more in (("fast.py", LACKING), ("tiny.yaml", rows)):
        with (world.folder / name).open("a") as file:
            file.write(more)
    flags = ("--tasks", "voc-lt", "--seeds", "0", "--methods", "prior", "lacking", "deep")
    code, _, err = world.run(*flags, "--launcher", "local")
    assert (code, err) == (2, "error: deep: network deep needs x.safetensors: get it\n")
    assert not world.computed() and not (world.records.parent / "jobs").exists()
    assert world.run(*flags)[0] == 2 and len(outcomes(world.results)) == 2


SLURM = {
    "sbatch": 'cp "$1" "$FAKE/script"; echo Submitted batch job 77',
    "squeue": 'echo "$@" > "$FAKE/asked"; cat "$FAKE/queue"',
    "scancel": 'echo "$@" > "$FAKE/cancelled"',
    "srun": "exit 1",
}


@pytest.fixture
def slurm(world, monkeypatch):
    """Slurm's commands, which do nothing but note that they were called; their folder."""
    folder = world.folder / "slurm"
    folder.mkdir()
    for name, what in SLURM.items():
        (folder / name).write_text(f"#!/bin/sh\n{what}\n")
        (folder / name).chmod(0o755)
    (folder / "queue").write_text("")
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("FAKE", str(folder))
    return folder


def test_without_slurm_the_launcher_says_what_to_do(world, monkeypatch):
    monkeypatch.setenv("PATH", "")
    code, _, err = world.run("--launcher", "slurm")
    assert code == 2 and err.count("\n") == 1 and "there is no sbatch" in err


def test_a_detached_array_as_sbatch_gets_it_and_as_the_status_shows_it(world, slurm):
    asked = ("time=1-02:30", "partition=gpu", "gres=gpu:1", "setup=module load x", "reservation=r")
    launcher = ("--launcher", "slurm", "--jobs", "3", "--detach", "--slurm", *asked)
    code, out, err = world.run("--methods", "prior", *launcher)
    assert code == 0, err
    assert "3 job(s) submitted: 77_[0-2]; logs in " in out and "to collect: python run_all" in out
    script = (slurm / "script").read_text()
    lines = ("--array=0-2%3", "--time=1590", "--partition=gpu", "--gres=gpu:1", "--requeue")
    for line in (*lines, "--job-name=cimlic-tiny", "--reservation=r", "--signal=USR2@90"):
        assert f"#SBATCH {line}\n" in script, line
    assert "\nmodule load x\n" in script and f"PYTHONPATH={environment.ROOT}" in script
    queue = "77_0|RUNNING|1:02|node4\n77_[1-2]|PENDING|0:00|(Priority)\n"
    (slurm / "queue").write_text(queue)
    code, out, _ = world.run("--methods", "prior", "--status")
    assert "job 77_0: running for 1:02, node4\n" in out and "pending for 0:00, (Priority)" in out
    assert "--jobs 77 " in (slurm / "asked").read_text()


def test_what_sbatch_refuses_is_one_line(world, slurm):
    refusal = "sbatch: error: invalid partition specified: gone"
    (slurm / "sbatch").write_text(f"#!/bin/sh\necho {refusal} >&2\nexit 1\n")
    code, _, err = world.run("--launcher", "slurm", "--slurm", "partition=gone")
    assert code == 2 and err.count("\n") == 1 and "invalid partition specified: gone" in err
    assert not list((world.records.parent / "jobs").iterdir())


def test_jobs_that_end_without_having_begun_are_one_line_and_what_is_queued_is_withdrawn(
    world, slurm
):
    code, _, err = world.run("--launcher", "slurm", "--jobs", "2", "--methods", "prior")
    assert code == 2 and "no job could begin, or see this folder" in err
    assert (slurm / "cancelled").read_text() == "--state=PENDING 77\n"


def test_the_command_itself_needs_no_submitit(world, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert world.run("--methods", "prior", "--tasks", "voc-lt", "--seeds", "0")[0] == 0
