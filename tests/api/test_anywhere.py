"""Calls from wherever Python can be: standard input, a bare script, a notebook's cell, threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from benchmark.common import environment
from tests.helpers import signals, tiny_suite

START = """
import multiprocessing, signal, subprocess, threading, os
from pathlib import Path
from benchmark.common import processes
from tests.helpers import tiny_suite
apart = processes.apart
tiny_suite.install_quickly()
processes.apart = apart
from benchmark import api

world = Path(os.environ["TINY"])
given = {"suite": world / "tiny.yaml", "plugins": [world / "fast.py"], "device": "cpu"}
kept = {"results_dir": world / "results", "report": False, "workers": 2}

def handlers():
    return [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

def ours():
    listed = subprocess.run(["ps", "-o", "args=", "-s", str(os.getsid(0))], capture_output=True)
    return [line for line in listed.stdout.decode().splitlines() if "forkserver" in line]

before = handlers()
"""
CALLS = """
cell = "records = api.run(methods=['prior'], tasks=['voc-lt'], **given, **kept)"
exec(compile(cell, "<ipython-input-1>", "exec"))
print("cell", *records["status"])

def call(task):
    found[task] = api.run(methods=["based"], tasks=[task], **given, **kept)

found = {}
threads = [threading.Thread(target=call, args=(task,)) for task in ("voc-lt", "voc-fs-1")]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("threads", *(status for task in sorted(found) for status in found[task]["status"]))

(world / "one.jpg").touch()
with api.fit("voc-lt", "prior", **given) as fitted:
    print("fit", *fitted.scores([world / "one.jpg"]).shape)
left_open = api.fit("voc-lt", "prior", **given)

import __main__
print("kept", handlers() == before, __main__.given is given, len(multiprocessing.active_children()))
"""
INTERRUPTED = """
(world / "tiny.yaml").write_text(
    tiny_suite.SUITE.replace("  prior:", "  slow: {method: prior, hyperparameters: {sleep: 1000}}")
)
for number in (1, 2):
    try:
        if number == 1:
            api.run(methods=["slow"], tasks=["voc-lt"], **given, **kept)
        else:
            api.fit("voc-lt", "slow", **given)
    except KeyboardInterrupt:
        print("interrupted", handlers() == before, multiprocessing.active_children(), len(ours()))
    Path(os.environ["TINY_LOG"]).unlink()
"""
PLUGIN = """
from benchmark.method.base import Method

class Mine(Method):
    name = "mine"
    fit = predict = None

records = api.run(**given | {"plugins": [__file__]}, **kept)
"""


def start(world, text, by_name=True):
    """A process with the text as its script, or on its standard input."""
    path = world.folder / "script.py"
    path.write_text(START + text)
    searched = os.pathsep.join([str(environment.ROOT), tiny_suite.search_path(world.folder)])
    places = {"PYTHONPATH": searched, "TINY": str(world.folder)}
    with path.open() as script:
        return subprocess.Popen(
            [sys.executable, str(path) if by_name else "-"],
            stdin=subprocess.DEVNULL if by_name else script,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env=os.environ | places, cwd=world.folder, preexec_fn=signals.hear,
        )  # fmt: skip


@pytest.fixture
def started(world, request):
    """Starts a script, which ends with the test."""

    def begin(*given):
        process = start(world, *given)
        request.addfinalizer(lambda: (process.kill(), process.communicate()))
        return process

    return begin


@pytest.mark.parametrize("where", ["standard input", "a script without a main guard"])
def test_calls_work_wherever_they_are_made(started, where):
    out, err = started(CALLS, where != "standard input").communicate(timeout=180)
    assert out.splitlines() == [
        "cell done done",
        "threads done done done done",
        "fit 1 6",
        "kept True True 1",
    ], err
    assert "Traceback" not in err


def test_an_interrupt_in_a_notebook_leaves_nothing(world, started):
    process = started(INTERRUPTED)
    for wanted in (2, 1):
        end = time.monotonic() + 90
        while world.computed().count("fit") < wanted and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        while world.computed() and time.monotonic() < end:
            time.sleep(0.05)
    out, err = process.communicate(timeout=180)
    server = int(sys.platform == "linux")
    assert out.splitlines() == [f"interrupted True [] {server}"] * 2, err
    assert process.returncode == 0 and "Traceback" not in err
    assert not [path for path in world.records.iterdir() if path.suffix == ".json"]


def test_a_script_that_is_its_own_plugin_ends_with_one_line(world, started):
    out, err = started(PLUGIN).communicate(timeout=120)
    assert err.splitlines()[-1].startswith("benchmark.common.errors.InputError: ")
    assert "below `if __name__ == '__main__':`" in err.splitlines()[-1] and not out
