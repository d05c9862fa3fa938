"""How a worker's process is set up: freed memory is there again, without the system's help."""

import os
import platform
import subprocess
import sys

import pytest

CODE = """
import resource
import torch
from benchmark.runner import devices
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    parts = [torch.ones(1 << 20) for _ in range(8)]
def measured():
    for _ in range(20):
        step()
    before = faults()
    for _ in range(20):
        step()
    return faults() - before
usual = measured()
assert devices.keep_freed_memory()
print(measured(), usual)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_steps_find_the_memory_of_the_steps_before():
    """Of 20 steps of 8 x 1024 pages, where malloc would otherwise give each block back."""
    small = {"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}
    done = subprocess.check_output([sys.executable, "-c", CODE], env=os.environ | small)
    kept, usual = map(int, done.split())
    assert kept < 1024 and usual > 20 * 8 * 1000


def test_matrix_products_are_deterministic_from_the_first_on(monkeypatch):
    """cuBLAS reads it when it is first used; of the caller's process nothing is changed."""
    from benchmark.runner import devices

    found = []
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that it is put back
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    monkeypatch.setattr("torch.cuda.set_device", lambda _: found.append(dict(os.environ)))
    monkeypatch.setattr("torch.backends.cuda.enable_mem_efficient_sdp", lambda _: None)
    devices.make_deterministic("cuda:0")
    assert found[0]["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
