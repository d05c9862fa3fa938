"""The reference records of the repository: all there in one call, and small enough to carry."""

import subprocess

import pytest

from benchmark import records
from benchmark.common import environment

REFERENCE = environment.ROOT / "results" / "reference"


def test_all_load_in_one_call():
    frame = records.frame(REFERENCE)
    counts = frame.groupby("suite").size()
    assert counts.min() > 10 and {"cimlic", "tune"} <= set(counts.index)
    assert not frame.duplicated(["suite", "scale", "key"]).any()


def git(*arguments: str) -> list[str]:
    if not (environment.ROOT / ".git").exists():
        pytest.skip("no git checkout")
    command = ["git", "-C", str(REFERENCE), *arguments]
    return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()


def test_the_repository_carries_little():
    files = [path for name in git("ls-files") if (path := REFERENCE / name).exists()]
    assert 0 < len(files) < 180 and sum(path.stat().st_size for path in files) < 8_000_000


def test_a_report_built_there_leaves_git_as_it_was():
    folder = "cimlic/miniature/report"
    kept = [
        "report.md",
        "significance.md",
        "significance.json",
        "table_lt.csv",
        "groups_voc-lt.png",
    ]
    built = ["index.html", "table_lt.md", "table_lt.tex", "groups_voc-lt.svg"]
    assert set(git("ls-files")) >= {f"{folder}/{name}" for name in kept}
    names = [f"{folder}/{name}" for name in kept + built]
    assert git("check-ignore", "--no-index", *names) == names[len(kept) :]
