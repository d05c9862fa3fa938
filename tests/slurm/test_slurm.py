"""The launcher against a real Slurm: whatever happens to jobs, the records are the same.

Each test computes the tiny suite and compares it with what an undisturbed run recorded.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import signal
import subprocess
import time

import pytest

from benchmark.records import store
from tests.helpers import tiny_suite

JOBS = ("--launcher", "slurm", "--jobs", "2", "--workers", "1", "--slurm", "cpus_per_task=1")
SECONDS = 1.5  # of a unit, where something is to happen in its middle


def wait_for(condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.2)


class Cluster:
    """The tiny world with a suite of slow units, and Slurm's commands."""

    def __init__(self, world, conf):
        self.world, self.conf, self.started = world, str(conf), []
        self.results = world.folder / "shared results"  # a folder with a space

    def suite(self, seconds, seeds=6):
        """Flags for one method whose units take so long."""
        entry = f"  slow: {{method: prior, hyperparameters: {{sleep: {seconds}}}}}"
        text = tiny_suite.SUITE.replace("  prior:", entry)
        text = text.replace("[0, 1]", str(list(range(seeds))))
        path = self.world.folder / "slow.yaml"
        path.write_text(text)
        return ("--suite", str(path), "--methods", "slow", "--tasks", "voc-lt")

    def start(self, *flags, **more):
        """The command in a process of its own, beside this Slurm."""
        place = ("--results-dir", str(self.results))
        process = self.world.start(*place, *flags, SLURM_CONF=self.conf, **more)
        self.started.append(process)
        return process

    def run(self, *flags, code=0):
        """What the command printed."""
        return self.ended(self.start(*flags), code)

    def ended(self, process, code=0):
        text, _ = self.wait(process)
        assert process.returncode == code, f"{text}\n{self.logs()}"
        return text

    def wait(self, process, seconds=600):
        """As `communicate`; meanwhile no requeued job waits for long."""
        end = time.monotonic() + seconds
        while True:
            try:
                return process.communicate(timeout=1)
            except subprocess.TimeoutExpired:
                assert time.monotonic() < end, self.logs()
                self.hurry()

    def hurry(self):
        """Have jobs begin that were requeued, which Slurm lets wait for two minutes."""
        for job in (job for job, state in self.queue().items() if state == "PENDING"):
            with contextlib.suppress(subprocess.CalledProcessError):
                self.slurm("scontrol", "update", f"JobId={job}", "StartTime=now")

    def slurm(self, *command):
        env = os.environ | {"SLURM_CONF": self.conf}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        return done.stdout

    def queue(self):
        """The jobs that have not ended, `77_0`, by state."""
        lines = self.slurm("squeue", "--noheader", "--array", "--format", "%i %T").splitlines()
        return dict(line.split() for line in lines)

    def running(self):
        return [job for job, state in self.queue().items() if state == "RUNNING"]

    def computing(self):
        """The processes of jobs that are in the middle of a unit."""
        found = []
        for path in store.paths(self.results, "tiny", "miniature").locks.glob("*.json"):
            with contextlib.suppress(OSError, ValueError):
                found.append(json.loads(path.read_text())["process"])
        return found

    def outcomes(self, results=None):
        """What must not depend on who computed, and when; each unit once."""
        found = store.load((results or self.results) / "tiny" / "miniature", failures=False)
        keyed = {r["key"]: (r["metrics"], r["per_class_ap"], r["curve"]) for r in found}
        assert len(keyed) == len(found)
        return keyed

    def logs(self):
        jobs = store.paths(self.results, "tiny", "miniature").jobs
        return "\n".join(path.read_text() for path in sorted(jobs.glob("*/*_log.*")))


@pytest.fixture
def cluster(world, slurm, monkeypatch):
    here = world.folder / "a folder with spaces"
    here.mkdir()
    monkeypatch.chdir(here)  # jobs are submitted from here
    found = Cluster(world, slurm)
    yield found
    for process in found.started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    user = found.slurm("id", "-un").strip()
    found.slurm("scancel", "--user", user)
    wait_for(lambda: not found.queue())
    with contextlib.suppress(subprocess.CalledProcessError):  # Slurm refuses where nothing is amiss
        found.slurm("scontrol", "update", f"NodeName={node()}", "State=RESUME")


def is_alive(process):
    return os.path.exists(f"/proc/{process}")


def node():
    return platform.node().partition(".")[0]


ALONE = {}  # what the slow suite comes to: computed once, as its world is drawn alike each time


@pytest.fixture
def undisturbed(cluster):
    """What the slow suite comes to where nothing happens, as (flags, outcomes)."""
    flags = cluster.suite(SECONDS)
    if not ALONE:
        place = ("--workers", "2", "--results-dir", str(cluster.world.folder / "alone"))
        cluster.ended(cluster.start(*flags, *place, TINY_PACE="0"))
        ALONE.update(cluster.outcomes(cluster.world.folder / "alone"))
    return flags, ALONE


def test_an_array_of_two_records_what_two_workers_do(cluster):
    flags = ("--methods", "prior", "based")
    other = cluster.world.folder / "alone"
    alone = cluster.start(
        *(*flags, "--workers", "2", "--results-dir", str(other)),
        CIMLIC_CACHE=str(cluster.world.folder / "cache two"),
    )
    cluster.ended(alone)
    text = cluster.run(*flags, *JOBS)
    assert cluster.outcomes() == cluster.outcomes(other) and len(cluster.outcomes()) == 8
    assert re.search(r"2 job\(s\) submitted: \d+_\[0-1\]", text)
    assert "0 to run" in cluster.run(*flags, *JOBS) and not cluster.queue()


def disturbed(cluster, flags, what):
    """The outcomes of a run, again with the same command if it says so, to which `what` happens
    in the middle of a unit."""
    process = cluster.start(*flags, *JOBS)
    wait_for(lambda: cluster.computing() and len(cluster.outcomes()) >= 1)
    what()
    text, _ = cluster.wait(process)
    if process.returncode:
        assert "not finished" in text, f"{text}\n{cluster.logs()}"
        cluster.run(*flags, *JOBS)
    return cluster.outcomes()


def test_tasks_that_are_cancelled_requeued_or_warned_are_made_up_for(cluster, undisturbed):
    flags, expected = undisturbed

    def disturb():
        for command in (["scontrol", "requeue"], ["scancel", "--signal=USR2"], ["scancel"]):
            wait_for(lambda: cluster.hurry() or (cluster.running() and cluster.computing()))
            cluster.slurm(*command, cluster.running()[-1])
            time.sleep(1)

    assert disturbed(cluster, flags, disturb) == expected
    assert "this job is" in cluster.logs()


@pytest.mark.parametrize("state", ["DRAIN", "DOWN"])
def test_a_node_that_goes_and_comes_back(cluster, undisturbed, state):
    flags, expected = undisturbed

    def away():
        jobs = cluster.computing()
        update = ("scontrol", "update", f"NodeName={node()}")
        cluster.slurm(*update, f"State={state}", "Reason=test")
        if state == "DOWN":  # Slurm starts no job where it still ends the same one
            wait_for(lambda: not any(map(is_alive, jobs)))
            time.sleep(5)
        cluster.slurm(*update, "State=RESUME")

    assert disturbed(cluster, flags, away) == expected


def test_a_time_limit_strikes_the_jobs_go_on_and_a_unit_that_is_longer_is_named(cluster):
    """Of two minutes: Slurm warns up to a minute early, and there is work for longer."""
    flags = cluster.suite(15, seeds=9)
    path = cluster.world.folder / "slow.yaml"
    long = "  long: {method: steady, hyperparameters: {sleep: 900}}\n  slow:"  # of one seed
    path.write_text(path.read_text().replace("  slow:", long))
    chosen = ("--methods", "long")
    limit = ("--slurm", "time=2", "signal_delay_s=5")
    text = cluster.run(*flags, *chosen, *JOBS, *limit, code=1)
    assert "TimeoutError: not done in two jobs of 2:00 each" in text
    assert len(cluster.outcomes()) == 9 and "this job is timed-out" in cluster.logs()


def test_detach_then_status_then_report(cluster):
    flags = cluster.suite(20, seeds=2)
    text = cluster.run(*flags, *JOBS, "--detach")
    assert "to collect: python run_all.py" in text
    wait_for(lambda: cluster.running())
    assert re.search(r"job \d+_\d: running for \d+:\d\d, ", cluster.run(*flags, "--status"))
    wait_for(lambda: not cluster.queue())
    assert "2 done" in cluster.run(*flags, "--status")
    cluster.run(*flags, "--report")
    report = store.paths(cluster.results, "tiny", "miniature").report
    assert (report / "report.md").is_file()


def test_ctrl_c_cancels_the_array(cluster):
    process = cluster.start(*cluster.suite(SECONDS, seeds=40), *JOBS)
    wait_for(lambda: cluster.outcomes())
    process.send_signal(signal.SIGINT)
    assert "the same command goes on from here" in cluster.ended(process, 130)
    wait_for(lambda: not cluster.queue(), 60)


def test_a_partition_that_is_not_there_is_one_line(cluster):
    text = cluster.run("--methods", "prior", *JOBS, "--slurm", "partition=gone", code=2)
    (line,) = (line for line in text.splitlines() if line.startswith("error: "))
    assert "partition" in line and "Traceback" not in text


def test_jobs_that_slurm_will_never_start_are_one_line_and_withdrawn(cluster):
    short = ("--slurm", "partition=short", "time=2")
    text = cluster.run("--methods", "prior", *JOBS, *short, code=2)
    assert "jobs wait in vain (PartitionTimeLimit); mend --slurm" in text
    wait_for(lambda: not cluster.queue())
