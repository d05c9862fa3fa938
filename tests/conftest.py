"""Shared by the tests: the tiny world, installed for one test or for processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.runner import workers
from tests.helpers import bad_input, signals, tiny_suite
from tests.helpers.in_process import InProcess


class World:
    """A folder with the tiny world, and the command run in it, here or in a new process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture):
        self.folder, self.capsys = folder, capsys
        self.results = folder / "results"
        self.records = self.results / "tiny" / "miniature" / "records"
        self.log = folder / "log"
        self.go = folder / "go"  # once it is there, no method takes its time any more

    def arguments(self, *flags: str) -> list[str]:
        """The flags after those that every run needs; a later one wins."""
        ours = ["--suite", str(self.folder / "tiny.yaml"), "--plugin", str(self.folder / "fast.py")]
        return [*ours, "--results-dir", str(self.results), "--device", "cpu", *map(str, flags)]

    def run(self, *flags: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of the command, in this process."""
        from benchmark.cli.run import main

        self.capsys.readouterr()
        code = main(self.arguments("--workers", "1", *flags))
        return code, *self.capsys.readouterr()

    def start(self, *flags: str, **environment: str) -> subprocess.Popen:
        """The command in a process (and a process group) of its own, deaf to no signal."""
        command = [sys.executable, str(Path(tiny_suite.__file__)), *self.arguments(*flags)]
        tiny = {"TINY": str(self.folder), "PYTHONPATH": tiny_suite.search_path(self.folder)}
        return subprocess.Popen(
            command,
            env=os.environ | tiny | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=signals.hear,
        )

    def computed(self) -> list[str]:
        """What the fast methods noted: a line for each fit and each base stage."""
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def world(tmp_path, monkeypatch, capsys):
    """The tiny world in this process, with a cache of its own."""
    for name in ("CIMLIC_LOCK_DIR", "CIMLIC_DATA_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CIMLIC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TINY_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("TINY_GO", str(tmp_path / "go"))

    def put(target, name, value):
        monkeypatch.setattr(target, name, value, raising=False)

    tiny_suite.install(tiny_suite.make(tmp_path), put)
    tiny_suite.install_world(tmp_path, put)
    put(workers, "UnitProcess", InProcess)
    return World(tmp_path, capsys)


@pytest.fixture(scope="session")
def cards(tmp_path_factory):
    """A cache for commands that only look: what the shipped methods say is asked once."""
    return tmp_path_factory.mktemp("cards")


@pytest.fixture
def place(monkeypatch, tmp_path, cards):
    """The working folder of a bad command, without settings of the user's: see bad_input.make."""
    for name in ("CIMLIC_LOCK_DIR", "CIMLIC_DATA_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CIMLIC_CACHE", str(cards))
    monkeypatch.chdir(tmp_path)
    return bad_input.make(tmp_path)


@pytest.fixture(scope="session")
def captioned(tmp_path_factory):
    """A data root of the miniature that has its captions and nothing else."""
    from benchmark.miniature import build

    folder = tmp_path_factory.mktemp("captioned")
    build.write_captions(folder)
    return folder
