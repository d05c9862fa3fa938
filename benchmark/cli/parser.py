"""What all commands share: a parser whose errors are one line, and the exit code 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from benchmark.common.errors import InputError


class Parser(argparse.ArgumentParser):
    """argparse prints its usage before an error; here an error is one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see --help")


def guarded(command: Callable[[], int]) -> int:
    """The command's exit code; 2 and one line on stderr for bad input.

    141, as shells have it, and not a word, if whoever reads the output stops early, as `head` does.
    """
    try:
        code = command()
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 141
