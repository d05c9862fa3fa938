"""Start-up: what the first look at the methods, with no cards kept yet, brings in."""

import json
import shutil
import subprocess
import sys

from benchmark.common import environment

ROOT = environment.ROOT
HEAVY = ("open_clip", "torchvision", "timm", "sklearn", "scipy", "pandas", "matplotlib")


def test_asking_the_methods_for_the_first_time_brings_torch_and_no_other_heavy_library(tmp_path):
    """They take longer than torch itself, and names and defaults need none of them."""
    code = (
        "import json, sys\nfrom benchmark.method import registry\n"
        "found = sorted(registry.methods())\n"
        f"print(json.dumps([found, [m for m in {HEAVY} if m in sys.modules]]))"
    )
    env = {"PATH": "", "CIMLIC_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    methods, heavy = json.loads(done.stdout.splitlines()[-1])
    assert {"zeroshot", "coop", "dualcoop", "finetune", "hpdval"} <= set(methods)
    assert heavy == []
    assert list((tmp_path / "methods").glob("*.json")), "the cards were not kept"


def test_a_report_that_would_be_the_same_brings_no_heavy_library(tmp_path):
    shutil.copytree(ROOT / "results" / "reference" / "cimlic", tmp_path / "cimlic")
    flags = ["--report", "--suite", "cimlic", "--results-dir", str(tmp_path), "--workers", "1"]
    undrawn = "from benchmark.report.figures import draw\ndraw._kinds = lambda *_: ()\n"
    code = (
        "import sys\nfrom benchmark.cli.run import main\n"
        f"code = main({flags})\n"
        f"print([m for m in {('torch', 'jinja2', *HEAVY)} if m in sys.modules])\nexit(code)"
    )
    env = {"PATH": "", "CIMLIC_CACHE": str(tmp_path / "cache")}
    found = []
    for before in (undrawn, ""):
        done = subprocess.run(
            [sys.executable, "-c", before + code], cwd=ROOT, env=env, capture_output=True,
            text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.splitlines()[-1])
    assert "matplotlib" in found[0] and found[1] == "[]"


def test_a_reader_that_stops_early_gets_no_traceback():
    """As `run_all.py --list | head -1`: the exit code is that of a broken pipe."""
    code = (
        "from benchmark.cli.parser import guarded\n"
        "exit(guarded(lambda: print('x\\n' * 100_000) or 0))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (141, b"")
