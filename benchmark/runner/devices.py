"""Which device each worker computes on, how many workers there are, how a process is set up.

Threads, deterministic kernels, kept memory. torch is brought only by what needs it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform

from benchmark.common import errors
from benchmark.common.environment import GIB, cores, memory
from benchmark.common.errors import InputError

WORKER_BYTES = 1.5 * GIB  # what one CPU worker may need
MOST_WORKERS = 8
_TRIM, _MAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h
_MOST_PIXELS = 1024**3 // 4 // 3  # as Pillow has it: more is a decompression bomb
_LARGEST = 32 * 1024**2  # bytes: more it does not take from the heap


def check_device(name: str) -> None:
    """InputError unless it is a device's name; whether it is there, `worker_devices` says."""
    kind, _, number = name.partition(":")
    numbered = kind == "cuda" and number.isdecimal() and len(number) < 4
    if name not in ("auto", "cpu", "cuda") and not numbered:
        raise errors.unknown("device", name, ("auto", "cpu", "cuda", "cuda:0"))


def worker_devices(choice: str, workers: int | None, units: int) -> tuple[str, ...]:
    """The device of each worker, no more workers than units; InputError for a device not there.

    By default one worker a GPU; on the CPU one a core, at most 8, if the memory suffices.
    """
    check_device(choice)
    gpus = 0 if choice == "cpu" else _gpus()
    if choice == "cpu" or (choice == "auto" and not gpus):
        count = workers or min(cores(), MOST_WORKERS, max(1, int(memory() / WORKER_BYTES)))
        return ("cpu",) * max(1, min(count, units))
    _, _, number = choice.partition(":")
    if not gpus or (number and int(number) >= gpus):
        raise InputError(f"--device {choice}: not there ({gpus} CUDA devices found); try auto")
    named = [int(number)] if number else list(range(gpus))
    count = max(1, min(workers or len(named), units))
    return tuple(f"cuda:{named[i % len(named)]}" for i in range(count))


def named(devices: tuple[str, ...]) -> str:
    """`2 worker(s) on cpu`, of the device of each."""
    return f"{len(devices)} worker(s) on {', '.join(dict.fromkeys(devices))}"


def _gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def make_deterministic(device: str) -> None:
    """Make this process compute the same bits whatever runs beside it, and whatever ran in it.

    On the CPU one thread: sums depend on how many threads share them. On CUDA the deterministic
    kernels, with a warning where there is none. What libraries let anyone set for a whole process
    is as they come.
    """
    import numpy as np
    import threadpoolctl
    import torch
    from PIL import Image, ImageFile

    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_float32_matmul_precision("highest")
    torch.autograd.set_detect_anomaly(False)
    np.seterr(divide="warn", over="warn", under="ignore", invalid="warn")
    ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = False, _MOST_PIXELS

    # As use_deterministic_algorithms(True, warn_only=True), which also brings the compiler: 1 s.
    torch.set_deterministic_debug_mode("warn")
    # The above also fills each new tensor with NaN, to show code that reads what it never wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False
    if device == "cpu":
        keep_freed_memory()
        torch.set_num_threads(1)
        threadpoolctl.threadpool_limits(limits=1)
    else:
        # Deterministic matrix products; read when the first of them is made.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.cuda.set_device(device)
        # Its backward pass sums in any order while a missing kernel only warns.
        torch.backends.cuda.enable_mem_efficient_sdp(False)


def keep_freed_memory() -> bool:
    """Let glibc keep freed blocks of up to 32 MiB in the process; False with another libc.

    Otherwise it may give the heap's free end back after each training step and ask for it again in
    the next, and the system fills each page with zeros anew.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_MAP, _LARGEST) and mallopt(_TRIM, 2**31 - 1))
    return False
