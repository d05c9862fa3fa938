"""Kept memory: what was freed is there again, without the system's help."""

import os
import platform
import subprocess
import sys

import pytest

CODE = """
import resource
import torch
from benchmark.runner import process
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    parts = [torch.ones(1 << 20) for _ in range(8)]
if {keep}:
    assert process.keep_freed_memory()
for _ in range(20):
    step()
before = faults()
for _ in range(20):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_steps_find_the_memory_of_the_steps_before():
    """Of 20 steps of 8 x 1024 pages, where malloc would otherwise give each block back."""
    small = {"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}
    found = [
        int(subprocess.check_output([sys.executable, "-c", code], env=os.environ | small))
        for code in (CODE.format(keep=keep) for keep in (True, False))
    ]
    assert found[0] < 1024 and found[1] > 20 * 8 * 1000
