"""A Slurm of this machine for the tests in this folder; where it has none they skip, saying why."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NEEDED = ("slurmctld", "slurmd", "munged", "sbatch", "srun")
SCRIPT = Path(__file__).with_name("cluster.sh")


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """SLURM_CONF of a cluster that lives as long as the tests."""
    if os.environ.get("CIMLIC_TEST_SLURM") == "apart":
        pytest.skip("CIMLIC_TEST_SLURM=apart: these tests run beside the others")
    pytest.importorskip("submitit", reason="the extra [slurm] is not installed")
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing and os.environ.get("CIMLIC_TEST_SLURM") != "must":
        pytest.skip(f"no Slurm here: {', '.join(missing)} missing (Debian: slurm-wlm, munge)")
    folder = tmp_path_factory.mktemp("cluster")
    done = subprocess.run([SCRIPT, "start", folder], capture_output=True, text=True, timeout=120)
    if done.returncode and os.environ.get("CIMLIC_TEST_SLURM") != "must":
        pytest.skip(f"Slurm does not start here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    yield folder / "slurm.conf"
    subprocess.run([SCRIPT, "stop", folder], timeout=60)
