"""docs/own-data.md is true: each of its commands and its Python run on the drawn example."""

from __future__ import annotations

import re
import shlex

import pandas as pd
import pytest

from benchmark import __main__ as commands
from benchmark.api import selection
from benchmark.cli import run
from benchmark.clip import resolve
from benchmark.common import environment
from benchmark.report.figures import draw

PAGE = (environment.ROOT / "docs" / "own-data.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
CLIP = "benchmark/miniature/clip"
LISTS = ("zoo-lt/train.txt", "zoo-lt/test.txt", "zoo-fs/episodes/5-shot-02.txt")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder that the page's paths begin in, results/ among them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CIMLIC_DATA_ROOT", raising=False)
    monkeypatch.setattr(selection, "HOME", tmp_path)
    monkeypatch.setattr(draw, "_kinds", lambda *_: ())  # tests/report look at them
    (tmp_path / CLIP).parent.mkdir(parents=True)
    (tmp_path / CLIP).symlink_to(resolve.MINIATURE)
    return tmp_path


def execute(line: str) -> int:
    """A command of the page, in this process."""
    python, *arguments = shlex.split(line)
    assert python == "python"
    if arguments[0] == "run_all.py":
        return run.main(arguments[1:])
    assert arguments[:2] == ["-m", "benchmark"]
    return commands.main(arguments[2:])


def test_the_page_is_true(here, capfd):
    lists, told, report = [], [], here / "results" / "cimlic" / "paper" / "report"
    for kind, content in BLOCK.findall(PAGE):
        if kind == "python":
            page = (report / "index.html").read_text()
            exec(compile(content, "own-data.md", "exec"), {"__name__": "notebook"})
        for line in content.splitlines() if kind == "bash" else ():
            assert execute(line) == 0, f"{line}\n{capfd.readouterr()}"
            if " splits make " in line:
                made = here / "my" / "cimlic-splits"
                lists.append([(made / name).read_bytes() for name in LISTS])
        told.append(capfd.readouterr().out)
    assert len(lists) == 2 and lists[0] == lists[1]
    whole = "\n".join(told)
    assert "300, of them 0 without a label" in whole and "zoo-fs-5: ready" in whole
    assert "zoo-LT" in page and "zoo 5-shot" in page and "Own images" in page
    table = pd.read_csv(report / "table_lt.csv")
    assert table.set_index("method").loc["zeroshot", "total_mean"] > 50  # chance is below 20
    shown = told[-1].partition("my/zoo/pictures/000.jpg")[2].splitlines()
    scores = {line.split()[0]: float(line.split()[1]) for line in shown if len(line.split()) == 3}
    assert len(scores) == 12 and max(scores, key=scores.get) == "bear"  # what 000.jpg shows
