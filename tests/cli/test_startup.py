"""Start-up: what the first look at the methods, with no cards kept yet, brings in."""

import json
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
