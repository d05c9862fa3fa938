"""What squeue says, and time limits as Slurm writes them."""

from __future__ import annotations

import pytest

from benchmark.runner import slurm_queue
from benchmark.runner.slurm_queue import Queued, queued


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("30", 1800),
        ("1:30", 90),
        ("4:00:00", 14400),
        ("2-12", 216000),
        ("1-02:30", 95400),
        ("1-02:30:05", 95405),
        ("UNLIMITED", None),
        ("1:2:3:4", None),
        ("-5", None),
    ],
)
def test_time_limits(text, seconds):
    assert slurm_queue.seconds(text) == seconds


@pytest.mark.parametrize(
    "script, found",
    [
        ("echo '7_1|RUNNING|1:02|node4'", [Queued("7_1", "RUNNING", "1:02", "node4")]),
        ("echo slurm_load_jobs error: Invalid job id specified >&2; exit 1", []),
        ("echo Unable to contact slurm controller >&2; exit 1", None),
    ],
)
def test_a_controller_that_does_not_answer_is_no_empty_queue(tmp_path, monkeypatch, script, found):
    (tmp_path / "squeue").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert queued(["7_0", "7_1"]) == found


def test_without_squeue_nothing_is_known(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert queued(["7"]) is None


def test_what_waits_in_vain_is_told_from_what_waits_its_turn():
    waiting = [Queued("7_0", "PENDING", "0:00", f"({why})") for why in ("Priority", "InvalidQOS")]
    assert [job.is_hopeless for job in waiting] == [False, True]
    assert not Queued("7_1", "RUNNING", "1:02", "InvalidQOS").is_hopeless  # a node of that name
