"""Units in processes of their own: what one does to its process costs that unit alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from benchmark.cli import check
from benchmark.common import environment, processes
from benchmark.records import store
from tests.helpers import tiny_suite

RECKLESS = '''

class Reckless(Prior):
    """Does to its process what it is told to."""
    name = "reckless"
    def __init__(self, *, how: str = "nothing"):
        super().__init__()
        self.how = how
    def fit(self, train, run):
        super().fit(train, run)
        if self.how == "sys.exit":
            raise SystemExit
        if self.how == "interrupt":
            raise KeyboardInterrupt
        if self.how == "os._exit":
            os._exit(0)
        if self.how == "segfault":
            os.kill(os.getpid(), 11)
        if self.how == "labels":
            train.labels[:] = 1 - train.labels
        if self.how == "hang":
            time.sleep(1000)
        if self.how == "settings":
            torch.set_default_dtype(torch.float64)
            torch.set_grad_enabled(False)
            np.random.seed(0)
            os.chdir("/")
        if self.how == "patch":
            import benchmark.metrics
            benchmark.metrics.evaluate = None
            import sklearn.metrics
            sklearn.metrics.average_precision_score = lambda *a, **k: 1.0
            torch.randn = torch.zeros
'''
FAILS = {
    "sys.exit": "SystemExit",
    "interrupt": "KeyboardInterrupt",
    "os._exit": "its process ended with exit code 0",
    "segfault": "its process was ended by SIGSEGV",
    "labels": "read-only; labels are lent: copy them",
    "hang": "it had no end after 20 s (--unit-timeout)",
    "patch": "TypeError",
}
HOWS = ("settings", *FAILS)
SOON = tuple(how for how in HOWS if how != "hang")  # nobody waits for one that hangs twice


def records_of(world, status="done"):
    found = store.load(world.records.parent)
    return {r["label"]: r for r in found if r["status"] == status}


@pytest.mark.parametrize(("workers", "hows"), [("1", SOON), ("2", HOWS)], ids=["1", "2"])
def test_whatever_a_unit_does_the_others_get_the_same_bits(world, workers, hows):
    path = world.folder / "fast.py"
    path.write_text(path.read_text() + RECKLESS)
    rows = [
        f"  r{n}: {{method: reckless, hyperparameters: {{how: {how}}}}}\n  p{n}: {{method: "
        f"prior, hyperparameters: {{noise: 0.{n + 1}}}}}\n"
        for n, how in enumerate(hows)
    ]
    suite = tiny_suite.SUITE.replace("  prior:\n", "".join(rows))
    (world.folder / "tiny.yaml").write_text(suite)
    flags = ("--tasks", "voc-lt", "--seeds", "0")
    priors, reckless = ([f"{letter}{n}" for n in range(len(hows))] for letter in "pr")
    assert world.run(*flags, "--methods", *priors)[0] == 0
    alone = records_of(world)
    other = world.folder / "other"
    process = world.start(
        *(*flags, "--results-dir", other, "--workers", workers, "--unit-timeout", "20"),
        *("--methods", *priors, *reckless),
        CIMLIC_CACHE=str(world.folder / "other cache"),
    )
    text, _ = process.communicate(timeout=150)
    assert process.returncode == 1, text
    world.records = other / "tiny" / "miniature" / "records"
    done, failed = records_of(world), records_of(world, "failed")
    assert set(done) == {*priors, "r0"}, text
    for label in priors:
        assert done[label]["metrics"] == alone[label]["metrics"]
        assert done[label]["scores_sha256"] == alone[label]["scores_sha256"]
    for n, how in enumerate(hows[1:], 1):
        assert FAILS[how] in failed[f"r{n}"]["error"], (how, failed[f"r{n}"]["error"])
    assert f"{len(hows) - 1} of {2 * len(hows)} units failed" in text


def alive(group: int) -> list[str]:
    """The processes of a session that still run."""
    listed = subprocess.run(["ps", "-o", "args=", "-s", str(group)], capture_output=True, text=True)
    return [line for line in listed.stdout.splitlines() if "python" in line]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"])
def test_a_signal_ends_all_in_the_middle_of_a_unit(world, request, name):
    number = getattr(signal, name)
    entry = "  slow: {method: prior, hyperparameters: {sleep: 1000}}"
    (world.folder / "tiny.yaml").write_text(tiny_suite.SUITE.replace("  prior:", entry))
    process = world.start("--workers", "2", "--methods", "slow")
    request.addfinalizer(process.kill)
    end = time.monotonic() + 60
    while world.computed().count("fit") < 2 and time.monotonic() < end:
        time.sleep(0.05)
    for _ in range(3 if name == "SIGINT" else 1):
        process.send_signal(number)
        time.sleep(0.1)
    text, _ = process.communicate(timeout=20)
    if name != "SIGKILL":
        assert process.returncode == 128 + number
        assert "interrupted; the same command goes on from here" in text
    assert "Traceback" not in text
    end = time.monotonic() + 5
    while alive(process.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert alive(process.pid) == []
    assert not any(world.records.glob("*"))


CALL = """
from concurrent.futures import ProcessPoolExecutor
from benchmark.common import processes
print(processes.apart(len, "four"))
with processes.pool(2) as pool:
    print(list(pool.map(abs, [-1, -2])))
"""


@pytest.mark.parametrize("how", ["standard input", "a script without a main guard"])
def test_a_call_from_python_works_wherever_it_is_made(tmp_path, how):
    path = tmp_path / "script.py"
    path.write_text(CALL)
    command = [sys.executable, "-" if how == "standard input" else str(path)]
    with path.open() as script:
        done = subprocess.run(
            command, stdin=script, capture_output=True, text=True, timeout=300,
            env=os.environ | {"PYTHONPATH": str(environment.ROOT)},
        )  # fmt: skip
    assert done.stdout.split("\n")[:2] == ["4", "[1, 2]"], done.stderr


ENDING = """
import os
from benchmark.method.base import Method
class Ending(Method):
    "Ends its process."
    name = "ending"
    def fit(self, train, run): {fit}
    def predict(self, images, run): return None
{last}
"""


@pytest.mark.parametrize("where", ["fit", "last"])
def test_a_checked_method_that_ends_its_process_is_told_of(tmp_path, capfd, where):
    path = tmp_path / "ending.py"
    path.write_text(ENDING.format(**{"fit": "pass", "last": ""} | {where: "os._exit(0)"}))
    assert check.main([str(path)]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: {path}: its process ended with exit code 0")


def test_a_process_that_ends_without_an_answer(tmp_path):
    with pytest.raises(processes.Died, match="exit code 3"):
        processes.apart(os._exit, 3)
    with pytest.raises(processes.Died, match="SIGABRT"):
        processes.apart(os.abort)
    with pytest.raises(FileNotFoundError):
        processes.apart(os.listdir, tmp_path / "none")
