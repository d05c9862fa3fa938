"""What all commands share: a parser whose errors are one line, and the exit code 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from benchmark.common.errors import InputError


class Parser(argparse.ArgumentParser):
    """argparse prints its usage before an error; here an error is one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see --help")


def names(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Comma- or space-separated names, each once; None when the flag is absent."""
    found = (name for part in given or () for name in part.split(",") if name)
    return None if given is None else tuple(dict.fromkeys(found))


def command(
    parser: Callable[[], argparse.ArgumentParser],
    run: Callable[[argparse.Namespace], int],
    interrupted: str | None = None,
) -> Callable[..., int]:
    """A command's `main(arguments=None)`: parses them, runs it, and returns the exit code."""

    def main(arguments: Sequence[str] | None = None) -> int:
        return guarded(lambda: run(parser().parse_args(arguments)), interrupted)

    return main


def guarded(run: Callable[[], int], interrupted: str | None = None) -> int:
    """The exit code of `run`; 2 and one line on stderr for bad input.

    141, as shells have it, and not a word, if whoever reads the output stops early, as `head` does;
    130 and the line `interrupted`, if there is one to say, where the user interrupts.
    """
    try:
        code = run()
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if interrupted is None:
            raise
        print(f"\n{interrupted}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 141
