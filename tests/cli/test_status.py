"""What --status and its like answer where folders, locks and texts are odd: one line."""

from __future__ import annotations

import json
import os
import platform

import filelock
import pytest

from benchmark.common import files
from benchmark.records import store
from benchmark.suites import plan

BAD_TEXT = '''\
"""A method that fails with a text of its own."""
from benchmark.method.base import Method

class Bad(Method):
    """Fails."""
    name = "bad"
    def fit(self, train, run):
        raise RuntimeError("no file caf\\udce9.jpg \\x1b[2J\\x00\\nin a second line")
    def predict(self, images, run):
        return None
'''


@pytest.mark.parametrize("flag", ["--status", "--report", "--dry-run", ""])
def test_a_file_as_results_folder_is_one_line(world, flag):
    world.results.write_text("")
    code, out, err = world.run(*filter(None, [flag]), "--methods", "prior")
    assert code == 2 and out == ""
    assert err.startswith("error: ") and err.count("\n") == 1 and "--results-dir" in err
    assert world.results.read_text() == ""


def test_a_failure_with_an_odd_text_is_recorded_shown_and_reported(world):
    (world.folder / "bad.py").write_text(BAD_TEXT)
    plugin = ("--plugin", str(world.folder / "bad.py"), "--methods", "bad", "prior")
    code, out, err = world.run(*plugin)
    assert code == 1 and "\x1b[2J" not in out + err
    (world.results / "tiny" / "miniature" / "report" / "report.md").read_text(encoding="utf-8")
    failure = next(r for r in store.load(world.records) if r["status"] == "failed")
    assert failure["error"] == "RuntimeError: no file caf\ufffd.jpg in a second line"
    code, out, _ = world.run(*plugin, "--status")
    assert code == 0 and failure["error"] in out


def test_texts_of_records_from_elsewhere_cannot_steer_the_terminal(world):
    world.run("--methods", "prior", "--tasks", "voc-lt", "--seeds", "0")
    (path,) = world.records.glob("*.json")
    record = json.loads(path.read_text())
    failed = {k: record[k] for k in ("schema", "key", "suite", "scale", "task", "label")}
    failed |= {"status": "failed", "kind": "input", "error": "\x1b]0;title\x07odd\n\ud800 \x9b2J"}
    path.with_suffix(".error.json").write_text(json.dumps(failed))
    path.unlink()
    only = ("--methods", "prior", "--tasks", "voc-lt", "--seeds", "0")
    for flags in (("--status",), ("--report",)):
        code, out, err = world.run(*only, *flags)
        assert code == 0 and not set("\x1b\x07\x9b") & set(out + err)
    assert "voc-lt prior seed 0: odd \ufffd" in world.run(*only, "--status")[1]


def test_a_record_that_is_none_is_missing_in_the_status(world):
    only = ("--methods", "prior", "--tasks", "voc-lt")
    world.run(*only)
    path, *_ = sorted(world.records.glob("*.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "failed"}))
    code, out, err = world.run(*only, "--status")
    assert code == 0 and "2 units: 1 done, 1 missing" in out
    assert err.count("\n") == 1 and str(path) in err
    code, out, err = world.run(*only, "--report", "--recompute")
    assert code == 1 and "1 records agree with their scores, 1 are NO RECORDS" in out


def test_where_a_lock_cannot_be_looked_into_the_unit_is_perhaps_running(world, monkeypatch):
    made = plan.make(
        plan.Choice(str(world.folder / "tiny.yaml"), plugins=(world.folder / "fast.py",))
    )
    unit = next(u for u in made.units if (u.task, u.label) == ("voc-lt", "prior"))
    claim = store.paths(world.results, "tiny", "miniature").claim(unit)
    claim.parent.mkdir(parents=True)
    claim.touch()

    def refused(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    only = ("--methods", "prior", "--tasks", "voc-lt")
    code, out, _ = world.run(*only, "--status")
    assert code == 0 and "2 units: 1 perhaps running, 1 missing" in out
    assert f"perhaps running: only {claim.owner()} can tell" in out
    code, out, err = world.run(*only)
    assert code == 2 and err.count("\n") == 1 and f"it belongs to {claim.owner()}" in err


def test_who_computes_a_unit_since_when(world):
    folder = store.paths(world.results, "tiny", "miniature")
    made = plan.make(
        plan.Choice(str(world.folder / "tiny.yaml"), plugins=(world.folder / "fast.py",))
    )
    first, second, third, *_ = (unit for unit in made.units if unit.label == "prior")
    with files.claimed(folder.claim(first)), files.claimed(folder.claim(second)):
        with folder.held(first):
            out = world.run("--methods", "prior", "--status")[1]
        about = f"process {os.getpid()} on {platform.node()}, for 0:0"
        assert f"{first.text}: {about}" in out and f"{second.text}: by whom is not known" in out
        folder.claim(second).with_suffix(".json").write_text('{"host": [')
        assert f"{second.text}: by whom" in world.run("--methods", "prior", "--status")[1]
    assert "running" not in world.run("--methods", "prior", "--status")[1]
    with folder.held(third):  # and no lock: on a disk that has none
        out = world.run("--methods", "prior", "--status")[1]
    assert "1 perhaps running" in out and f"{third.text}: {about}" in out and "can tell" not in out
