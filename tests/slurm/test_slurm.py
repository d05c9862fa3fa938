"""The launcher against a real Slurm: whatever happens to jobs, the records are the same.

What takes its time in the tiny suite does so until the file $TINY_GO is there.
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

JOBS = ("--launcher", "slurm", "--jobs", "2", "--workers", "1", "--slurm", "cpus_per_task=1")
ONE = (*JOBS, "--jobs", "1")
NODE = platform.node().partition(".")[0]
PATIENCE = 4  # seconds that a requeued job is left alone


def wait_for(condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.2)


class Cluster:
    """The tiny world with a suite of slow units, and Slurm's commands."""

    def __init__(self, world, conf):
        self.world, self.conf, self.started = world, str(conf), []
        self.waiting = {}  # jobs, and when they were first seen to wait
        self.results = world.folder / "shared results"  # a folder with a space

    def suite(self, method="prior"):
        """Flags for two units that are done at once, and one or two that take their time."""
        path = self.world.folder / "slow.yaml"
        entry = f"  slow: {{method: {method}, hyperparameters: {{sleep: 900}}}}\n  prior:"
        path.write_text((self.world.folder / "tiny.yaml").read_text().replace("  prior:", entry))
        return ("--suite", str(path), "--methods", "slow", "prior", "--tasks", "voc-lt")

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
        """Have jobs begin that were requeued, which Slurm lets wait for two minutes; after a while
        too, as where it still ends a job it cannot start the same one, and drops it."""
        now = time.monotonic()
        waiting = [job for job, state in self.queue().items() if state == "PENDING"]
        self.waiting = {job: self.waiting.get(job, now) for job in waiting}
        for job in (job for job, since in self.waiting.items() if now - since > PATIENCE):
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

    def node(self, state):
        self.slurm("scontrol", "update", f"NodeName={NODE}", f"State={state}", "Reason=test")

    def computing(self):
        """The processes of jobs that are in the middle of a unit."""
        found = []
        for path in store.paths(self.results, "tiny", "miniature").locks.glob("*.json"):
            with contextlib.suppress(OSError, ValueError):
                found.append(json.loads(path.read_text())["process"])
        return list(filter(is_alive, found))

    def in_the_middle(self, jobs):
        """Wait until so many jobs run and each is in the middle of a unit; their processes."""
        wait_for(lambda: self.hurry() or len(self.running()) == len(self.computing()) == jobs)
        return self.computing()

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
        found.node("RESUME")


def is_alive(process):
    return os.path.exists(f"/proc/{process}")


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


def test_whatever_happens_to_jobs_the_records_are_those_of_an_undisturbed_run(cluster):
    """Each time to a job in the middle of a unit: it, or what stands in its place, goes on."""
    flags = cluster.suite()
    process = cluster.start(*flags, *JOBS)
    two = cluster.in_the_middle(2)
    cluster.node("DRAIN")
    cluster.slurm("scontrol", "requeue", cluster.running()[-1])
    wait_for(lambda: not all(map(is_alive, two)))
    cluster.node("RESUME")
    two = cluster.in_the_middle(2)
    cluster.slurm("scancel", "--signal=USR2", cluster.running()[-1])
    wait_for(lambda: not all(map(is_alive, two)))
    two = cluster.in_the_middle(2)
    cluster.node("DOWN")
    wait_for(lambda: not any(map(is_alive, two)))
    cluster.node("RESUME")
    cluster.in_the_middle(2)
    cluster.slurm("scancel", cluster.running()[-1])
    cluster.in_the_middle(1)
    cluster.world.go.touch()
    cluster.ended(process)
    assert "this job is preempted" in cluster.logs()
    other = cluster.world.folder / "alone"
    assert cluster.world.run(*flags, "--results-dir", other)[0] == 0
    assert cluster.outcomes() == cluster.outcomes(other) and len(cluster.outcomes()) == 4


def test_a_time_limit_strikes_and_a_unit_that_is_longer_is_named(cluster):
    """Of two minutes: Slurm warns up to a minute early."""
    flags = cluster.suite("steady")  # of one seed
    limit = ("--slurm", "time=2", "signal_delay_s=5")
    text = cluster.run(*flags, *ONE, *limit, code=1)
    assert "TimeoutError: not done in two jobs of 2:00 each" in text
    assert len(cluster.outcomes()) == 2 and "this job is timed-out" in cluster.logs()


def test_detach_then_status_then_report(cluster):
    flags = cluster.suite()
    text = cluster.run(*flags, *ONE, "--detach")
    assert "to collect: python run_all.py" in text
    cluster.in_the_middle(1)
    assert re.search(r"job \d+: running for \d+:\d\d, ", cluster.run(*flags, "--status"))
    cluster.world.go.touch()
    wait_for(lambda: not cluster.queue())
    assert "4 done" in cluster.run(*flags, "--status")
    cluster.run(*flags, "--report")
    report = store.paths(cluster.results, "tiny", "miniature").report
    assert (report / "report.md").is_file()


def test_ctrl_c_cancels_the_array(cluster):
    process = cluster.start(*cluster.suite(), *JOBS)
    cluster.in_the_middle(2)
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
