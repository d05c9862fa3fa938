"""The runner: resume, retry, isolation, claims, base states, the same results from any workers."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time

import pytest

from benchmark.common import environment, files
from benchmark.common.errors import InputError
from benchmark.records import store
from benchmark.records.record import METRICS
from benchmark.runner import devices, schedule
from benchmark.runner.devices import worker_devices
from benchmark.suites.unit import Unit
from tests.helpers import suite_records, tiny_suite


def load(world, status="done"):
    found = [r for r in store.load(world.records.parent) if r["status"] == status]
    return {(r["task"], r["label"], r["seed"], r["episode"]): r for r in found}


def values(world):
    """What must not depend on how a run was made."""
    return {k: (r["metrics"], r["per_class_ap"], r["curve"]) for k, r in load(world).items()}


def wait_for(condition, seconds=40):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


def test_a_record_has_every_field(world):
    assert world.run("--methods", "prior")[0] == 0
    record = load(world)["voc-lt", "prior", 1, None]
    assert record["suite"] == "tiny" and record["scale"] == "miniature"
    assert record["setting"] == "long-tailed" and record["selection"] == "last"
    assert set(record["metrics"]) == set(METRICS)
    assert record["metrics"]["map"] == record["metrics"]["tail"] > 0
    assert record["metrics"]["novel"] is None and record["metrics"]["head"] is None
    assert record["n_classes"]["tail"] == 6 and record["n_classes"]["absent"] == 0
    assert set(record["per_class_ap"]) == set(record["train_counts"]) == set(tiny_suite.CLASSES)
    assert record["curve"] == [{"stage": "fit", "epoch": 1, "loss": 0.5}]
    assert record["hyperparameters"] == {"noise": 0.5, "sleep": 0.0}
    assert record["preprocess"] == "clip" and record["restriction"] is None
    assert record["metrics"]["map_redraw"] is None
    assert record["seconds"]["base"] is None and record["seconds"]["fit"] >= 0
    origin = record["provenance"]
    assert {"commit", "dirty", "versions", "device", "threads", "host", "utc"} <= set(origin)
    assert origin["device"] == "cpu" and origin["threads"] == 1
    readme = environment.ROOT / "results" / "README.md"
    assert all(f"`{name}" in readme.read_text() for name in record)
    few = load(world)["voc-fs-1", "prior", 0, 2]
    assert few["metrics"]["novel"] == few["metrics"]["map"]
    assert set(few["per_class_ap"]) == set(tiny_suite.CLASSES[4:])


def test_the_same_command_again_runs_nothing(world):
    assert world.run("--methods", "prior")[0] == 0
    before = files.file_times(world.records)
    code, out, _ = world.run("--methods", "prior")
    assert code == 0 and "4 units, 0 to run" in out
    assert files.file_times(world.records) == before
    assert world.computed() == ["fit"] * 4


def test_more_seeds_later_run_only_what_is_new(world):
    assert world.run("--methods", "prior", "--seeds", "0", "--episodes", "1")[0] == 0
    assert world.computed() == ["fit"] * 2
    code, out, _ = world.run("--methods", "prior")
    assert code == 0 and "2 to run" in out and len(load(world)) == 4


def test_same_seed_twice_gives_identical_results(world):
    assert world.run("--methods", "prior", "based")[0] == 0
    first = values(world)
    world.records = world.folder / "second" / "tiny" / "miniature" / "records"
    os.environ["CIMLIC_CACHE"] = str(world.folder / "other cache")  # monkeypatch restores it
    assert (
        world.run("--methods", "prior", "based", "--results-dir", world.folder / "second")[0] == 0
    )
    assert values(world) == first and len(first) == 8


def test_force_computes_again(world):
    assert world.run("--methods", "based")[0] == 0
    before = values(world)
    code, out, _ = world.run("--methods", "based", "--tasks", "voc-fs-1", "--force")
    assert code == 0 and "2 units, 2 to run" in out
    assert world.computed().count("base") == 2 and world.computed().count("fit") == 6
    assert values(world) == before


def test_a_deterministic_method_runs_once_a_task(world):
    assert world.run("--methods", "steady", "--seeds", "1", "0")[0] == 0
    assert list(load(world)) == [
        ("voc-fs-1", "steady", 0, 1),
        ("voc-lt", "steady", 0, None),
    ]


def test_a_refusal_is_recorded_with_its_reason(world):
    assert world.run("--methods", "refuses", "--tasks", "voc-fs-1")[0] == 0
    record = load(world, "skipped")["voc-fs-1", "refuses", 0, 1]
    assert record["reason"] == "needs many images" and record["metrics"]["map"] is None
    assert "0 to run" in world.run("--methods", "refuses", "--tasks", "voc-fs-1")[1]


FAULTS = {
    "raises": "RuntimeError: no luck today",
    "nan": "1 of 216 scores that are NaN or infinite",
    "inf": "1 of 216 scores that are NaN or infinite",
    "shape": "shape (36, 5); expected (N, C) = (36, 6)",
    "array": "ndarray; expected a torch.Tensor",
    "int": "expected floating point",
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_failure_is_recorded_and_the_rest_goes_on(world, monkeypatch, how):
    monkeypatch.setenv("TINY_HOW", how)
    flags = ("--methods", "breaks", "prior", "--tasks", "voc-lt", "--seeds", "0")
    code, out, err = world.run(*flags)
    assert code == 1 and FAULTS[how] in err and "1 of 2 units failed" in err
    failure = load(world, "failed")["voc-lt", "breaks", 0, None]
    assert FAULTS[how] in failure["error"] and "Traceback" in failure["traceback"]
    assert list(load(world)) == [("voc-lt", "prior", 0, None)]
    if how == "raises":
        assert "in predict" in failure["traceback"]
        monkeypatch.setenv("TINY_HOW", "not at all")
        code, out, _ = world.run(*flags)  # tried again
        assert code == 0 and "1 to run" in out
        assert not load(world, "failed") and len(load(world)) == 2


INPUT = (
    "from benchmark.common.errors import InputError; raise InputError('a.jpg: cut off;\\n get it')"
)


def test_bad_input_inside_a_unit_is_exit_code_2_and_the_rest_goes_on(world, monkeypatch):
    path = world.folder / "fast.py"
    good = path.read_text()
    path.write_text(good.replace('raise RuntimeError("no luck today")', INPUT))
    flags = ("--methods", "breaks", "prior", "--tasks", "voc-lt")
    code, out, err = world.run(*flags)
    assert code == 2 and "2 of 4 units failed" in err and "prior" in out
    assert [x for x in err.splitlines() if "error:" in x] == ["error: a.jpg: cut off; get it"]
    assert "traceback in" not in err
    failures = load(world, "failed")
    assert {r["kind"] for r in failures.values()} == {"input"} and len(failures) == 2
    assert {r["error"] for r in failures.values()} == {"a.jpg: cut off; get it"}
    assert len(load(world)) == 2 and world.run(*flags, "--report")[0] == 0
    path.write_text(good)
    monkeypatch.setenv("TINY_HOW", "not at all")
    code, _, err = world.run(*flags)  # the input is mended
    assert code == 0 and "error:" not in err and not load(world, "failed")


def test_bad_input_outweighs_another_failure(world, monkeypatch):
    path = world.folder / "fast.py"
    broken = INPUT.replace("raise", "raise RuntimeError('bad luck') if self.sleep else")
    text = path.read_text().replace('raise RuntimeError("no luck today")', broken)
    path.write_text(text)
    entry = "  breaks:\n  other: {method: breaks, hyperparameters: {sleep: 0.001}}"
    (world.folder / "tiny.yaml").write_text(tiny_suite.SUITE.replace("  prior:", entry))
    flags = ("--tasks", "voc-lt", "--seeds", "0", "--methods")
    code, _, err = world.run(*flags, "breaks", "other")
    kinds = {at[1]: r["kind"] for at, r in load(world, "failed").items()}
    assert code == 2 and kinds == {"breaks": "input", "other": "error"}
    assert "other seed 0: traceback in" in err and "breaks seed 0: bad input" in err
    assert world.run(*flags, "other")[0] == 1  # what another command left does not count here


def test_bad_input_in_a_base_stage(world):
    path = world.folder / "fast.py"
    path.write_text(path.read_text().replace('note("base")', f'note("base"); {INPUT}'))
    code, _, err = world.run("--methods", "based", "--tasks", "voc-fs-1")
    assert code == 2 and world.computed() == ["base"]
    assert err.count("error: a.jpg: cut off; get it\n") == 1


def test_a_full_disk_stops_the_run_in_one_line_and_with_room_it_completes(world, monkeypatch):
    assert world.run("--methods", "prior", "--seeds", "0", "--episodes", "1")[0] == 0
    before = values(world)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        code, _, err = world.run("--methods", "prior")
    assert code == 2 and err.count("error: ") == 1 and "error: disk full: " in err
    assert world.computed() == ["fit"] * 3  # the other units were not tried in vain
    assert not list(world.folder.rglob("*.tmp")) and values(world) == before
    assert world.run("--methods", "prior")[0] == 0
    assert before.items() <= values(world).items() and len(values(world)) == 4


def test_coco_few_shot_tasks_record_the_redraw(world):
    splits = world.folder / "splits" / "miniature"
    shutil.copytree(splits / "voc-fs", splits / "coco-fs")
    manifest = splits / "coco-fs" / "manifest.json"
    text = manifest.read_text().replace('"voc-fs"', '"coco-fs"').replace('"voc"', '"coco"')
    manifest.write_text(text)
    flags = ("--methods", "prior", "--episodes", "1", "--seeds", "0")
    assert world.run(*flags, "--tasks", "coco-fs-1", "voc-fs-1", "voc-lt")[0] == 0
    found = {at[0]: r["metrics"] for at, r in load(world).items()}
    redrawn = {task: m["map_redraw"] for task, m in found.items()}
    assert redrawn["voc-lt"] is None and redrawn["voc-fs-1"] is None
    assert 0 < redrawn["coco-fs-1"] != found["coco-fs-1"]["map"]
    page = (world.records.parent / "report" / "report.md").read_text()
    assert "### COCO 1-shot" in page and "| method | novel | redraw | n |" in page


def test_a_base_state_is_trained_once_and_loaded_by_all(world):
    assert world.run("--methods", "based", "--tasks", "voc-fs-1", "voc-fs-5")[0] == 0
    assert world.computed().count("base") == 1  # both tasks, all episodes
    found = load(world)
    assert len(found) == 4
    assert all([c["stage"] for c in r["curve"]] == ["base", "fit"] for r in found.values())
    assert len({r["seconds"]["base"] for r in found.values()}) == 1
    first = values(world)
    world.records = world.folder / "other" / "tiny" / "miniature" / "records"
    other = ("--results-dir", world.folder / "other")
    code, *_ = world.run("--methods", "based", "--tasks", "voc-fs-5", "voc-fs-1", *other)
    assert code == 0 and values(world) == first  # the order of episodes does not matter


def test_a_base_stage_that_fails_is_tried_once_a_run(world):
    text = (world.folder / "fast.py").read_text()
    (world.folder / "fast.py").write_text(text.replace('note("base")', 'note("base"); 1 / 0'))
    code, _, err = world.run("--methods", "based", "--tasks", "voc-fs-1")
    assert code == 1 and world.computed() == ["base"]
    assert len(load(world, "failed")) == 2 and "ZeroDivisionError" in err


def test_a_truncated_record_is_computed_again(world):
    assert world.run("--methods", "prior")[0] == 0
    path = sorted(world.records.glob("*.json"))[0]
    path.write_text(path.read_text()[:100])
    foreign = world.records / "foreign.json"
    foreign.write_text('{"a": 1}')
    code, out, err = world.run("--methods", "prior")
    assert code == 0 and "1 to run" in out and err.count(str(path)) == 1
    assert json.loads(path.read_text())["status"] == "done" and foreign.exists()


def test_two_workers_give_the_same_results_even_if_one_is_killed(world):
    assert world.run("--methods", "prior", "based")[0] == 0
    one = values(world)
    world.log.unlink()
    folder = world.folder / "two"
    process = world.start(
        *("--methods", "prior", "based", "--workers", "2", "--results-dir", folder),
        CIMLIC_CACHE=str(world.folder / "cache two"),
        TINY_KILL="the worker that begins the fourth fit",
    )
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 0, text
    world.records = folder / "tiny" / "miniature" / "records"
    assert values(world) == one and len(one) == 8
    assert sorted(world.computed()) == ["base"] + ["fit"] * 9  # the other took the unit over
    assert "2 worker(s) on cpu" in text and "ended by SIGKILL (too little memory" in text


def slow(world, method, seconds, seeds):
    """Flags for a suite whose only method takes its time."""
    entry = f"  slow: {{method: {method}, hyperparameters: {{sleep: {seconds}}}}}"
    text = tiny_suite.SUITE.replace("  prior:", entry).replace("[0, 1]", str(list(range(seeds))))
    (world.folder / "slow.yaml").write_text(text)
    return ("--methods", "slow", "--suite", str(world.folder / "slow.yaml"))


def test_kill_9_in_the_middle_then_the_same_command_completes(world):
    flags = slow(world, "prior", 0.3, seeds=6)
    process = world.start(*flags, "--workers", "1")
    wait_for(lambda: len(files.file_times(world.records)) >= 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = files.file_times(world.records)
    assert 3 <= len(before) < 8
    world.go.touch()  # nobody has to watch it work any more
    code, out, err = world.run(*flags)
    assert code == 0, err
    after = files.file_times(world.records)
    assert len(after) == 8 and before.items() <= after.items()  # nothing lost or repeated
    assert len(load(world)) == 8 and len(world.computed()) <= 8 + 1


def test_workers_stop_when_the_parent_dies(world):
    process = world.start(*slow(world, "prior", 0.15, seeds=60), "--workers", "2")
    wait_for(lambda: len(files.file_times(world.records)) >= 2)
    process.kill()
    process.wait()
    claims = list(store.paths(world.results, "tiny", "miniature").locks.glob("*.lock"))
    wait_for(lambda: not any(files.is_claimed(path) for path in claims), 20)
    time.sleep(0.25)
    count = len(files.file_times(world.records))
    time.sleep(0.5)  # in which two workers would do six units
    assert len(files.file_times(world.records)) == count < 62


def test_two_commands_at_once_share_the_work(world):
    flags = slow(world, "based", 0.1, seeds=10)
    process = world.start(*flags, "--workers", "1")
    wait_for(lambda: len(files.file_times(world.records)) >= 1)
    code, _, err = world.run(*flags)
    text, _ = process.communicate(timeout=120)
    assert (code, process.returncode) == (0, 0), text + err
    assert len(load(world)) == 12
    assert sorted(world.computed()) == ["base"] + ["fit"] * 12  # none twice


def test_two_labels_for_one_unit_compute_it_once(world):
    text = tiny_suite.SUITE + "  again: {method: prior}\n"
    (world.folder / "tiny.yaml").write_text(text)
    code, out, _ = world.run("--methods", "prior", "again")
    assert code == 0 and world.computed() == ["fit"] * 4
    assert "again" in out


def test_order_keeps_what_shares_data_together(world):
    def unit(task, label, seed, split):
        return Unit(task, label, label, 1, (), "miniature", seed, None, split, "t", "f")

    units = tuple(
        unit(task, label, seed, task[:3])
        for task in ("coco-lt", "voc-lt")
        for label in ("a", "b")
        for seed in (0, 1)
    )
    assert schedule.order(units, {}, 0, 1, 3) == list(units)
    orders = [schedule.order(units, {}, index, 2, 3) for index in (0, 1)]
    for found in orders:
        assert sorted(found, key=units.index) == list(units)
        blocks = [(u.task, u.label) for u in found]
        assert all(blocks[i] == blocks[i + 1] for i in range(0, 8, 2))
    assert orders[0][0].task != orders[1][0].task  # they begin with different data


def test_with_known_costs_the_longest_come_first_and_workers_begin_with_different_data():
    def unit(task, label, seed):
        return Unit(task, label, label, 1, (), "miniature", seed, None, task[:3], "t", "f")

    tasks, labels = ("coco-lt", "voc-lt"), ("quick", "slow", "new")
    units = tuple(unit(t, label, seed) for t in tasks for label in labels for seed in (0, 1))
    known = {
        schedule.name(u): 90.0 if u.label == "slow" else 1.0 for u in units if u.label != "new"
    }
    orders = [schedule.order(units, known, index, 2, 0) for index in (0, 1)]
    for found in orders:
        assert sorted(found, key=units.index) == list(units)
        assert [u.label for u in found] == ["new"] * 4 + ["slow"] * 4 + ["quick"] * 4
    assert orders[0][0].task != orders[1][0].task
    assert schedule.order(units, known, 0, 1, 0) == list(units)


def test_costs_come_from_the_first_folder_that_knows_a_unit(tmp_path):
    def put(folder, unit, **seconds):
        store.write(folder, unit, suite_records.record(unit, seconds=seconds))

    here, other = (store.paths(tmp_path / x, "s", "miniature") for x in ("here", "other"))
    units = [Unit("voc-fs-1", "a", "a", 1, (), "m", 0, e, "s", "t", "f") for e in (1, 2)]
    assert schedule.known([here, other]) == {}
    put(other, units[0], fit=1.0, base=5.0)
    put(other, units[1], fit=1.0, base=5.0, shared=2.0)
    put(here, units[0], fit=9.0, predict=0.5, base=None)
    assert schedule.known([here, other]) == {
        ("voc-fs-1", "a", 0, 1): 9.5,
        ("voc-fs-1", "a", 0, 2): 3,
    }


def test_devices(monkeypatch):
    monkeypatch.setattr(devices, "cores", lambda: 16)
    monkeypatch.setattr(devices, "memory", lambda: 100 * environment.GIB)
    assert worker_devices("cpu", None, 100) == ("cpu",) * 8
    assert worker_devices("cpu", None, 3) == ("cpu",) * 3
    assert worker_devices("cpu", 12, 100) == ("cpu",) * 12
    monkeypatch.setattr(devices, "memory", lambda: 4 * environment.GIB)
    assert worker_devices("cpu", None, 100) == ("cpu",) * 2
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert worker_devices("auto", None, 100) == ("cpu",) * 2
    with pytest.raises(InputError, match="cuda: not there"):
        worker_devices("cuda", None, 1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert worker_devices("auto", None, 100) == ("cuda:0", "cuda:1")
    assert worker_devices("cuda", 3, 100) == ("cuda:0", "cuda:1", "cuda:0")
    assert worker_devices("cuda:1", None, 100) == ("cuda:1",)
    with pytest.raises(InputError, match="cuda:2: not there"):
        worker_devices("cuda:2", None, 1)
    assert worker_devices("cpu", None, 100)[0] == "cpu"
