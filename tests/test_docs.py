"""What the pages in docs/ show must be true: the walk-through is walked, command by command."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from benchmark.__main__ import COMMANDS as COMMANDS_BESIDE
from benchmark.api import selection
from benchmark.cli.check import main as check
from benchmark.cli.run import main, parser
from benchmark.common import environment
from benchmark.method.base import Method
from benchmark.method.run import Run
from benchmark.report.figures import draw
from benchmark.runner import devices

ROOT = environment.ROOT
DOCS = ROOT / "docs"
WALK = (DOCS / "walk-through.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
SCORED = re.compile(r"(voc\S+ \S+ episode \d+): mAP (\d+\.\d+)")


def run_all(arguments: list[str]) -> int:
    """run_all.py in this process, its modules of plugin files read anew."""
    for name in [n for n in sys.modules if n.startswith("cimlic_plugin_")]:
        del sys.modules[name]
    return main(arguments)


def checking(arguments: list[str]) -> int:
    """benchmark.diagnostics.check in this process, likewise."""
    for name in [n for n in sys.modules if n.startswith("cimlic_plugin_")]:
        del sys.modules[name]
    return check(arguments)


COMMANDS = {"python run_all.py ": run_all, "python -m benchmark check ": checking}


def execute(line: str) -> int:
    """A command of the page; AssertionError for one that this test cannot run."""
    start = next((start for start in COMMANDS if line.startswith(start)), None)
    assert start, f"not a command that is tested: {line}"
    return COMMANDS[start](shlex.split(line.removeprefix(start)))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to walk in, where results/ is its own, with one worker in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CIMLIC_DATA_ROOT", raising=False)
    monkeypatch.setattr(selection, "HOME", tmp_path)
    monkeypatch.setattr(devices, "worker_devices", lambda *_: ("cpu",))
    monkeypatch.setattr(devices, "make_deterministic", lambda device: None)
    monkeypatch.setattr(draw, "_kinds", lambda *_: ())  # test_report.py looks at them
    return tmp_path


def test_the_walk_through_is_true(here, capfd):
    """Every command runs, every file is as shown, and the numbers are those of the page."""
    told: list[str] = []
    for kind, content in BLOCK.findall(WALK):
        if kind == "bash":
            for line in content.splitlines():
                code = execute(line)
                told.append("".join(capfd.readouterr()))
                assert code == 0, f"{line}\n{told[-1]}"
        elif kind == "python" and content.startswith('"""'):
            (here / "tip_adapter.py").write_text(content)
        elif kind == "yaml":
            (here / "tip.yaml").write_text(content)
        elif kind == "python":
            mistaken(here, content)
            told.append("".join(capfd.readouterr()))
        else:
            assert kind == "text"
            for line in content.splitlines():
                words = re.escape(" ".join(line.split()))
                assert re.search(words, " ".join(told[-1].split())), f"{line}\n{told[-1]}"
    found = dict(SCORED.findall("\n".join(told)))
    shown = dict(SCORED.findall(WALK))
    assert len(shown) == 6
    for what, value in shown.items():
        assert abs(float(found[what]) - float(value)) < 0.2, (what, value, found[what])
    table = here / "results" / "cimlic" / "miniature" / "report" / "table_fs.csv"
    assert "tip_adapter" in table.read_text()


def mistaken(folder: Path, lines: str) -> None:
    """Check the method with the end of its predict replaced by these lines: it must fail."""
    text = (folder / "tip_adapter.py").read_text()
    last = next(line for line in text.splitlines(True) if "return run.clip.logit_scale" in line)
    (folder / "wrong.py").write_text(text.replace(last, lines))
    assert checking(["wrong.py"]) == 1


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_flags_and_files_exist(page):
    text = page.read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (page.parent / target).exists(), target
    known = parser().format_help()
    for line in re.findall(r"run_all\.py[^\n`|]*", text):
        for flag in re.findall(r"--[a-z-]+", line):
            assert flag in known, flag
    for command in re.findall(r"python -m benchmark ([\w-]+)", text):
        assert command in COMMANDS_BESIDE, command


def test_the_contract_names_what_there_is():
    text = (DOCS / "add-a-method.md").read_text()
    run = Run(clip=None, store=None, device="cpu", identity="")
    for name in set(re.findall(r"`run\.(\w+)", text)):
        assert hasattr(Run, name) or hasattr(run, name), f"run.{name}"
    for row in re.findall(r"^\| (`.*?) \|", text, re.M):
        for name in re.findall(r"`(\w+)", row):
            assert name == "name" or hasattr(Method, name), name
    checks = "".join(
        path.read_text() for path in (ROOT / "benchmark" / "diagnostics" / "check").glob("*.py")
    )
    section = text.partition("## What is checked")[2]
    for row in re.findall(r"^\| (.*?) \|", section, re.M)[2:]:
        for name in row.split(", "):
            assert f'"{name}"' in checks, name
