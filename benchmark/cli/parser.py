"""What all commands share: a parser whose errors are one line, and the exit code 2."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from benchmark.common.errors import InputError
from benchmark.common.text import shortened

TIMEOUT = "a unit that takes longer is ended and recorded as failed (default: no limit)"
_DIGITS = 18  # so many fit 64 bits
_NO_NAME = (errno.ENAMETOOLONG, errno.ELOOP)  # of a path: nothing but another one helps


class Parser(argparse.ArgumentParser):
    """argparse prints its usage before an error; here an error is one line."""

    def parse_args(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """As argparse; InputError for an empty value, such as a shell's variable that is not set.

        None of them would mean what was meant: an empty path is this folder, no name is no
        choice and thus everything.
        """
        arguments = sys.argv[1:] if arguments is None else arguments
        _check_filled(arguments)
        return super().parse_args(arguments)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see --help")


def _check_filled(arguments: Sequence[str]) -> None:
    """InputError, which names the flag, if an argument is empty or commas and spaces alone."""
    flag = "an argument"
    for text in arguments:
        if text.startswith("--"):
            flag, equals, text = text.partition("=")
            if not equals:
                continue
        if not text.replace(",", " ").strip():
            raise InputError(f"{flag}: {text!r} is empty; give a value or leave it out")


def whole_number(text: str, flag: str) -> int:
    """The number, 0 or more, that a flag is given; InputError for any other text."""
    if not text.isdecimal() or len(text) > _DIGITS:
        rule = f"a whole number, 0 or more, of at most {_DIGITS} digits"
        raise InputError(f"{flag} {shortened(text)}: not {rule}")
    return int(text)


def names(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Comma- or space-separated names, each once; None when the flag is absent."""
    found = (name for part in given or () for name in part.split(",") if name)
    return None if given is None else tuple(dict.fromkeys(found))


def command(
    parser: Callable[[], argparse.ArgumentParser],
    run: Callable[[argparse.Namespace], int],
    interrupted: str = "interrupted",
) -> Callable[..., int]:
    """A command's `main(arguments=None)`: parses them, runs it, and returns the exit code."""

    def main(arguments: Sequence[str] | None = None) -> int:
        whole = arguments is None  # the process's own command line: nothing comes after it
        return guarded(lambda: run(parser().parse_args(arguments)), interrupted, whole)

    return main


class Ended(KeyboardInterrupt):
    """A signal to end came: Ctrl-C, a request to terminate, a terminal that was closed."""

    def __init__(self, number: int) -> None:
        self.number = number


def guarded(run: Callable[[], int], interrupted: str = "interrupted", whole: bool = False) -> int:
    """The exit code of `run`; 2 and one line on stderr for bad input, a name that is none included.

    141, as shells have it, and not a word, if whoever reads the output stops early, as `head` does;
    130, 143 or 129 and the line `interrupted` where a signal ends it. A character that the output
    cannot show is replaced.

    whole   the process ends with it: after a signal it stays deaf to more, so that a second Ctrl-C
            leaves no traceback
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        with _ends_heard(whole):
            code = run()
            sys.stdout.flush()
            return code
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as end:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"\n{interrupted}", file=sys.stderr)
        return 128 + getattr(end, "number", signal.SIGINT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 141
    except OSError as error:
        if error.errno not in _NO_NAME:
            raise
        print(f"error: {error.filename}: {error.strerror}; name another", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _ends_heard(whole: bool) -> Iterator[None]:
    """Signals to end raise Ended in the block, the first of them alone: cleaning up has its time.

    What this process was started to ignore, as `nohup` has it, is ignored still.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {n: signal.getsignal(n) for n in numbers if n is not None}
    before = {n: handler for n, handler in before.items() if handler is not signal.SIG_IGN}

    def hear(number: int, frame: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise Ended(number)

    for number in before:
        signal.signal(number, hear)
    try:
        yield
    finally:
        deaf = whole and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        for number, handler in () if deaf else before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
