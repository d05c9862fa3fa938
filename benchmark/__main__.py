"""One door for every command beside run_all.py: `python -m benchmark COMMAND`; without one, a list.

Exit code: the command's; 2 for a command that there is not.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from benchmark.cli.parser import guarded
from benchmark.common.errors import unknown

COMMANDS = {  # each is benchmark/cli/<name>.py; what it answers
    "check": "what is wrong with a method, in words",
    "data-root": "is everything there that the tasks need?",
    "pack-records": "a run's records as one file, as results/reference has them",
    "parity": "do our methods compute what the authors' do?",
    "published": "do the papers' tables add up?",
    "speed": "fast against plain, and what a step costs on this machine",
    "splits": "the official split lists: fetched, verified, restricted",
    "tune": "the same search for hyperparameters for every method, without test data",
}


def main(arguments: Sequence[str]) -> int:
    """Hand the arguments to the command that the first one names."""
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, COMMANDS))
        print("usage: python -m benchmark COMMAND [--help]\n")
        print("\n".join(f"  {name:<{width}}  {about}" for name, about in COMMANDS.items()))
        return 0
    return guarded(lambda: _run(*arguments), whole=True)


def _run(name: str, *arguments: str) -> int:
    if name not in COMMANDS:
        raise unknown("command", name, COMMANDS)
    return importlib.import_module(f"benchmark.cli.{name.replace('-', '_')}").main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
