"""A job of an array: its share, what goes on in its place after a warning, machines without it."""

from __future__ import annotations

import itertools
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.clip.backbone import Backbone
from benchmark.common.errors import InputError
from benchmark.records.store import ResultsFolder
from benchmark.runner import array_worker, launch_file, schedule, workers
from benchmark.runner.array_worker import ArrayWorker
from benchmark.runner.job import Job
from benchmark.runner.launch_file import Launch
from tests.helpers import many_machines

submitit = pytest.importorskip("submitit", reason="the extra [slurm] is not installed")


class Walk:
    """What a job sees of its walk: units that are being computed, each first or not."""

    def __init__(self, computing, begun=1):
        self.units, self.begun, self.failed = dict(computing), begun, []

    def computing(self):
        return dict(self.units)

    def fail(self, unit, error):
        self.failed.append(unit.key)
        del self.units[unit]


ONE, TWO = many_machines.units(20)[:2]


def warned(walk, struck=(), taken=3600.0, limit=3600.0, in_vain=False):
    """The job that goes on in the place of one that was warned after `taken` seconds."""
    job = ArrayWorker(Path("launch"), frozenset(unit.key for unit in struck), in_vain)
    job.launch = Launch(None, "cpu", None, 2, limit=limit, notice=90, locks="unsure")
    job.walk, job.began = walk, array_worker.time.time() - taken
    heard = signal.getsignal(signal.SIGTERM)
    try:
        found = job.checkpoint(1)
    finally:
        signal.signal(signal.SIGTERM, heard)
    return found and (found.function.struck, found.args)


def test_a_job_that_is_preempted_goes_on_with_its_share():
    assert warned(Walk({ONE: True}), taken=60.0) == (frozenset(), (1,))
    assert warned(Walk({TWO: False}), struck=[ONE], taken=60.0) == (frozenset({ONE.key}), (1,))


def test_at_the_time_limit_it_begins_with_what_it_was_in_the_middle_of():
    walk = Walk({ONE: True, TWO: False})
    assert warned(walk) == (frozenset({ONE.key, TWO.key}), (1,)) and not walk.failed


def test_a_unit_that_had_a_whole_job_in_vain_after_a_first_try_has_failed():
    walk = Walk({ONE: True, TWO: True})
    assert warned(walk, struck=[ONE]) == (frozenset({TWO.key}), (1,)) and walk.failed == [ONE.key]


def test_one_that_began_late_the_second_time_too_is_tried_again():
    walk = Walk({ONE: False})
    assert warned(walk, struck=[ONE]) == (frozenset({ONE.key}), (1,)) and not walk.failed


def test_a_job_that_gets_nowhere_is_requeued_once():
    """Slurm may warn a minute early, and where much is loaded a start takes long."""
    assert warned(Walk({}, begun=0), struck=[ONE]) == (frozenset({ONE.key}), (1,))
    assert warned(Walk({}, begun=0), in_vain=True) is None
    assert warned(Walk({}, begun=0), in_vain=True, taken=60.0) is not None  # it was preempted


def test_slurms_own_clock_counts(monkeypatch):
    job_began = array_worker.time.time() - 3600
    monkeypatch.setenv("SLURM_JOB_START_TIME", str(job_began))
    assert warned(Walk({ONE: True}), taken=1.0) == (frozenset({ONE.key}), (1,))


def test_shares_are_disjoint_and_the_costly_units_are_dealt_out_evenly():
    units = many_machines.units(60)
    costs = {schedule.name(u): 9.0 if u.label == "method 3" else 1.0 for u in units}
    orders = [
        schedule.share_first(units, costs, (number, 3), worker, 2)
        for number, worker in itertools.product(range(3), range(2))
    ]
    for found in orders:
        assert sorted(found, key=units.index) == units
    own = [found[:10] for found in orders]
    assert len({unit for units in own for unit in units}) == 60
    assert [sum(u.label == "method 3" for u in units) for units in own] == [1] * 6
    beside = [set(found[10:20]) for found in orders]
    assert beside[::2] == [set(units) for units in own[1::2]]  # then its own machine's others
    assert len({tuple(found[20:]) for found in orders}) == 6


def test_a_job_begins_with_what_it_was_told_to(tmp_path):
    units = tuple(many_machines.units(20))
    told = {"share": (0, 2), "first": frozenset({units[7].key})}
    job = Job(units, "s", None, tmp_path, tmp_path, None, **told)
    assert workers._order(job, 0)[0] == units[7]


def planned(folder, **more):
    """A job of ten units, as a command plans it for other machines."""
    units = tuple(
        replace(unit, hyperparameters=(("betas", (0.9, 0.98)), ("rate", 1e-3)))
        for unit in many_machines.units(10)
    )
    clip = Backbone("RN50:random", "RN50", folder / "weights", "f" * 64, (0.5, 0.4, 0.3))
    place, costs = ResultsFolder(folder), {schedule.name(unit): 1.5 for unit in units}
    return Job(units, "s", place, folder, folder, clip, devices=(), costs=costs, **more)


def test_a_launch_is_the_same_when_read_again(tmp_path):
    more = {"plugins": (tmp_path / "x.py",), "foreign": frozenset("ab"), "stale": {"r.json": 7}}
    launch = Launch(planned(tmp_path, **more), "auto", 2, 3, 60.0, 9.0, "none", {"CIMLIC_X": "y"})
    launch_file.write(launch, tmp_path)
    read = launch_file.read(tmp_path)
    assert replace(read, job=None) == replace(launch, job=None)
    assert replace(read.job, devices=()) == launch.job


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"rate", 0.001', '"rate", 0.002', "another key for voc-lt method 0 seed 0"),
        ('"shuffle"', '"shuffled"', "unexpected keyword"),
        ('"units"', '"unit', "no plan of this version"),
        ("{", "[", "no plan of this version"),
    ],
)
def test_a_plan_that_is_damaged_or_of_other_code_is_one_line(tmp_path, old, new, reason):
    launch_file.write(Launch(planned(tmp_path), "cpu", None, 1, 60.0, 9.0, "none"), tmp_path)
    path = tmp_path / launch_file.NAME
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=reason) as caught:
        launch_file.read(tmp_path)
    assert "submit the jobs anew" in str(caught.value) and "\n" not in str(caught.value)


def test_a_plan_or_a_plugin_that_a_machine_cannot_see_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CIMLIC_LOCKS", "sure")  # a job sets it for its process
    ArrayWorker(tmp_path)(0)
    (line,) = array_worker.refusals(tmp_path)
    assert "plan.json: cannot be read on " in line and "all machines share" in line
    assert array_worker.arrivals(tmp_path) == []
    job = planned(tmp_path, plugins=(tmp_path / "gone.py",))
    launch_file.write(Launch(job, "cpu", None, 1, 60.0, 9.0, "unsure"), tmp_path)
    ArrayWorker(tmp_path)(0)
    (line,) = array_worker.refusals(tmp_path)
    assert "gone.py: not there on " in line and capsys.readouterr().err.count("error: ") == 2


def test_what_is_asked_of_a_shared_disk_for_a_unit_does_not_grow_with_the_cluster(tmp_path):
    few = many_machines.simulate(tmp_path / "few", 240, 8)
    many = many_machines.simulate(tmp_path / "many", 720, 24)
    for cost in (few, many):
        assert cost.computed == cost.units  # none twice
        assert cost.finished < 1.25 * cost.least
        assert cost.per_unit("stat") < 2.5 and cost.per_unit("listing") < 0.5
    assert many.per_unit() < 1.3 * few.per_unit()
