"""Bad input and its one answer: exit code 2 and one line that begins with `error: `."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from benchmark import __main__ as commands
from benchmark.cli import run

LOOKS = ("--status", "--list", "--report", "--compare", "--new-method", "--dry-run")


def refused(capsys: pytest.CaptureFixture, call: Callable[[], int]) -> str:
    """The line with which a command refuses its input."""
    capsys.readouterr()
    code = call()
    line = capsys.readouterr().err
    assert code == 2, line
    assert line.startswith("error: ") and line.endswith("\n") and len(line.splitlines()) == 1, line
    return line


def run_all(arguments: Sequence[str]) -> int:
    """run_all.py, which only looks at the plan: nothing is computed if the input is let pass."""
    given = [part.partition("=")[0] for part in arguments]
    return run.main([*arguments, *([] if set(given) & set(LOOKS) else ["--dry-run"])])


def typed(line: str, folder: Path) -> int:
    """A command line as a shell reads it, of run_all.py or, with a name first, of that command.

    {here} stands for a folder with `file`, a text, `empty`, a folder, and `loop`, a link to itself;
    {digits} for 5,000 digits, {long} for a name of 300 letters.
    """
    places = {"here": str(folder), "digits": "9" * 5000, "long": "x" * 300}
    arguments = [part.format(**places) for part in shlex.split(line)]
    if arguments and arguments[0] in commands.COMMANDS:
        return commands.main(arguments)
    return run_all(arguments)


def make(folder: Path) -> Path:
    """The folder that `typed` calls {here}."""
    (folder / "empty").mkdir()
    (folder / "file").write_text("a text\n")
    (folder / "loop").symlink_to(folder / "loop")
    return folder
