"""Processes of our own: none imports the caller's main file, all end with the one that made them.

So a command may be called from a script without a main guard, a notebook, or standard input, and
whatever ends it, be it `kill -9`, leaves nothing running.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, context
from multiprocessing.process import BaseProcess
from typing import Any

from benchmark.common.errors import InputError

# What takes seconds to import and units need: imported once, by a server that they are forks of.
SLOW = ("torch", "open_clip", "sklearn.metrics")


class _Ours:
    """What is ours in a process: environment and working folder of its start, no main file."""

    def start(self) -> None:
        self.environment = dict(os.environ)
        with _without_main():
            super().start()  # type: ignore[misc]

    def run(self) -> None:
        os.environ.clear()
        os.environ.update(self.environment)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and ends its own
        parent = multiprocessing.parent_process()
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
        super().run()  # type: ignore[misc]


class _Spawned(_Ours, context.SpawnProcess):
    pass


class _Spawning(context.SpawnContext):
    Process = _Spawned


if sys.platform == "linux":  # elsewhere a fork of what has threads is not safe

    class _Forked(_Ours, context.ForkServerProcess):
        pass

    class _Forking(context.ForkServerContext):
        Process = _Forked


def is_ours() -> bool:
    """Whether this process is one of them."""
    return isinstance(multiprocessing.current_process(), _Ours)


def spawning() -> context.BaseContext:
    """Makes processes that start from nothing."""
    return _Spawning()


def computing() -> context.BaseContext:
    """Makes processes for units: on Linux forks of a server that has the slow libraries and
    nothing else, so that one starts in the twinkling of an eye; elsewhere from nothing."""
    if sys.platform != "linux":
        return _Spawning()
    found = _Forking()
    found.set_forkserver_preload(list(SLOW))
    return found


_main_is_away = threading.Lock()  # of two threads the later one would put back an empty one


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    with _main_is_away:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _end_with(parent: int) -> None:
    connection.wait([parent])
    os._exit(1)  # at once, whatever this process is in the middle of


def end(process: BaseProcess, patience: float = 2.0) -> None:
    """Ask the process to end, then make it."""
    for ask in (process.terminate, process.kill):
        if process.is_alive():
            ask()
            process.join(patience)


@contextlib.contextmanager
def pool(workers: int, *first: Any) -> Iterator[ProcessPoolExecutor]:
    """So many processes for `map` and `submit`, which end with the block, whatever ends it.

    first   a function that each calls first, and its arguments
    InputError if one of them is ended from outside.
    """
    made = ProcessPoolExecutor(workers, spawning(), first[0] if first else None, first[1:])
    try:
        yield made
    except BrokenProcessPool:
        remedy = "too little memory? use fewer --workers"
        raise InputError(f"one of {workers} processes was ended from outside; {remedy}") from None
    except BaseException:
        for process in [*(made._processes or {}).values()]:  # no other children of the caller's
            process.terminate()
        raise
    finally:
        made.shutdown(cancel_futures=True)


class Died(Exception):
    """A process ended without an answer; `code` as `Process.exitcode` has it."""

    def __init__(self, code: int | None) -> None:
        self.code = code
        super().__init__(self._words())

    def _words(self) -> str:
        if self.code is not None and self.code < 0:
            with contextlib.suppress(ValueError):
                return f"its process was ended by {signal.Signals(-self.code).name}"
        return f"its process ended with exit code {self.code}"


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns or raises, computed in a process of its own; Died if that ends."""
    maker = computing()
    here, there = maker.Pipe(duplex=False)
    process = maker.Process(target=_answer, args=(there, function, arguments))
    process.start()
    there.close()
    try:
        error, found = here.recv()
    except EOFError:
        process.join()
        raise Died(process.exitcode) from None
    finally:
        end(process)
    if error is not None:
        raise error
    return found


def _answer(there: connection.Connection, function: Callable[..., Any], arguments: Any) -> None:
    try:
        answer = None, function(*arguments)
    except Exception as error:
        answer = error, None
    there.send(answer)
