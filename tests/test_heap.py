"""Kept memory: what was freed is there again, without the system's help."""

import platform
import subprocess
import sys

import pytest

CODE = """
import resource
import torch
from benchmark import heap
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    parts = [torch.ones(1 << 20) for _ in range(8)]
if {keep}:
    assert heap.keep()
step()
before = faults()
for _ in range(20):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_steps_find_the_memory_of_the_steps_before():
    """20 steps of 8 x 1024 pages."""
    found = [
        int(subprocess.check_output([sys.executable, "-c", CODE.format(keep=keep)], timeout=120))
        for keep in (True, False)
    ]
    assert found[0] < 8 * 1024 < found[1]
