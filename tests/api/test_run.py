"""`api.run`: a row a unit, bad input raised, nothing computed twice."""

from __future__ import annotations

import importlib.util
import io
import json
import signal
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from pandas.testing import assert_frame_equal

from benchmark import api
from benchmark.common import files, processes
from benchmark.method.base import Method
from benchmark.records import store
from tests.helpers import tiny_suite

FIRST = ("task", "label", "title", "method", "seed", "episode", "status", "map", "head", "medium")


@pytest.fixture
def given(world):
    """What every call in the tiny world is given."""
    return {
        "suite": world.folder / "tiny.yaml",
        "plugins": [world.folder / "fast.py"],
        "results_dir": world.results,
        "device": "cpu",
        "workers": 1,
        "progress": False,
    }


def test_a_row_a_unit_with_its_record(world, given, capsys):
    found = api.run(methods=["prior", "refuses"], **given)
    assert tuple(found.columns[: len(FIRST)]) == FIRST
    assert len(found) == 8 and list(found["task"].unique()) == ["voc-lt", "voc-fs-1"]
    recorded = {record["key"]: record for record in store.load(world.records)}
    assert recorded.keys() == set(found["key"])
    for row in found.to_dict("records"):
        record = recorded[row["key"]]
        assert json.loads(Path(row["file"]).read_text()) == record
        assert row["status"] == record["status"] and row["hyperparameters"]["noise"] == 0.5
        if row["status"] == "done":
            assert row["map"] == record["metrics"]["map"] and pandas.isna(row["error"])
            assert row["seconds.fit"] == record["seconds"]["fit"]
    refused = found[found["status"] == "skipped"]
    assert set(refused["error"]) == {"needs many images"} and refused["map"].isna().all()
    assert found["map"].dtype == found["head"].dtype == np.float64
    assert list(found[found["label"] == "prior"]["episode"].dropna()) == [1, 2]
    page = world.records.parent / "report" / "index.html"
    assert found.attrs["page"] == str(page) and page.is_file()
    assert capsys.readouterr() == ("", "")


def test_the_same_call_computes_nothing_and_force_all(world, given):
    first = api.run(methods="prior", tasks="voc-lt", seeds=[3], report=False, **given)
    again = api.run(methods="prior", tasks="voc-lt", seeds=3, report=False, **given)
    assert_frame_equal(again, first)
    assert world.computed() == ["fit"] and list(first["seed"]) == [3]
    assert not (world.records.parent / "report").exists() and "page" not in first.attrs
    api.run(methods="prior", tasks="voc-lt", seeds=3, force=True, report=False, **given)
    assert world.computed() == ["fit", "fit"]


def test_what_the_command_recorded_is_there_and_the_other_way_round(world, given):
    assert world.run("--methods", "prior", "--tasks", "voc-lt")[0] == 0
    found = api.run(methods=["prior"], **given)
    assert world.computed() == ["fit"] * 4
    code, out, _ = world.run("--methods", "prior")
    assert code == 0 and "4 units, 0 to run" in out
    mean = found[found["task"] == "voc-lt"]["map"].mean()
    assert f"{mean:.2f} ±" in out


def test_a_unit_that_fails_is_a_row(world, given, monkeypatch):
    monkeypatch.setenv("TINY_HOW", "raises")
    found = api.run(methods=["breaks", "prior"], seeds=[0], episodes=1, **given)
    failed = found[found["label"] == "breaks"]
    assert set(failed["status"]) == {"failed"} and failed["map"].isna().all()
    assert set(failed["error"]) == {"RuntimeError: no luck today"}
    assert failed["file"].str.endswith(".error.json").all()
    assert set(found[found["label"] == "prior"]["status"]) == {"done"}
    assert api.run(methods=["breaks"], tasks=["voc-lt"], seeds=[0], report=False, **given).shape[0]


def test_bad_input_that_a_unit_meets_is_raised_once_the_rest_is_done(world, given):
    path = world.folder / "fast.py"
    path.write_text(
        path.read_text()
        + "\nclass Picky(Prior):\n    name = 'picky'\n    def fit(self, train, run):\n"
        "        from benchmark.common.errors import InputError\n"
        "        raise InputError('x.jpg: cannot be read as an image')\n"
    )
    with pytest.raises(api.InputError, match="^x.jpg: cannot be read as an image$") as caught:
        api.run(methods=["picky", "prior"], tasks=["voc-lt"], **given)
    assert list(caught.value.records["status"]) == ["done"] * 2 + ["failed"] * 2
    assert (world.records.parent / "report" / "index.html").is_file()


BAD = [
    ({"suite": "tinny"}, "unknown suite 'tinny'"),
    ({"suite": 3}, "--suite: 3 is not a name"),
    ({"tasks": ["voc-ld"]}, "unknown task 'voc-ld'; did you mean 'voc-lt'"),
    ({"tasks": []}, "--tasks: is empty"),
    ({"tasks": ["voc-lt", None]}, "--tasks: None is not a name"),
    ({"tasks": 7}, "--tasks: 7 is no list"),
    ({"methods": "priro"}, "unknown method 'priro'; did you mean 'prior'"),
    ({"methods": [3]}, "--methods: 3 is not a name"),
    ({"methods": ["prior", Method]}, "--methods: Method: 'name' is missing"),
    ({"seeds": [-1]}, "--seeds -1: must be a whole number, 0 or more"),
    ({"seeds": 0.5}, "--seeds: 0.5 is no list"),
    ({"seeds": ["0"]}, "--seeds '0': must be a whole number"),
    ({"episodes": 0}, "--episodes 0: must be"),
    ({"episodes": 11}, "episodes: 11 asked for"),
    ({"workers": 1.5}, "--workers 1.5: must be"),
    ({"device": "cda"}, "unknown device 'cda'"),
    ({"device": None}, "--device: None is not a name"),
    ({"unit_timeout": 0}, "--unit-timeout 0: must be more than 0"),
    ({"unit_timeout": "soon"}, "--unit-timeout 'soon': must be a number"),
    ({"data_root": "/nowhere/at/all"}, "--data-root /nowhere/at/all: no such folder"),
    ({"data_root": " "}, "--data-root: is empty"),
    ({"data_root": 5}, "--data-root: 5 is no path"),
    ({"preprocess": "sqare"}, "unknown preprocess"),
    ({"precision": 16}, "--precision: 16 is not a name"),
    ({"plugins": "gone.py"}, "gone.py"),
    ({"plugins": [None]}, "--plugin: None is no path"),
    ({"results_dir": "/proc/none"}, "--results-dir /proc/none: cannot be written"),
]


@pytest.mark.parametrize("wrong, line", BAD, ids=lambda part: str(part)[:30])
def test_bad_arguments_are_one_line_and_leave_nothing(world, given, wrong, line):
    with pytest.raises(api.InputError) as caught:
        api.run(**given | wrong)
    assert line in str(caught.value) and "\n" not in str(caught.value)
    assert not world.results.exists() and not world.computed()


def loaded(path):
    """The module of a file, imported under its own name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_class_of_a_file_is_a_method(world, given, monkeypatch):
    monkeypatch.setitem(sys.modules, "mine", None)
    path = world.folder / "mine.py"
    path.write_text(tiny_suite.PLUGIN.replace('name = "', 'name = "my_'))
    cls = loaded(path).Steady
    found = api.run(methods=[cls, "prior"], tasks="voc-lt", report=False, **given)
    assert list(found["method"]) == ["prior", "prior", "my_steady"]


@pytest.mark.parametrize("module", ["__main__", "builtins"])
def test_a_class_of_a_notebook_is_refused(world, given, module):
    scope = {"__name__": module, "Method": Method}
    exec("class Mine(Method):\n    name = 'mine'\n    fit = predict = None\n", scope)
    with pytest.raises(api.InputError, match="Mine is defined in a notebook.* name that in plug"):
        api.run(methods=[scope["Mine"]], **given)


def test_progress_goes_where_it_is_told(world, given, capsys):
    stream = io.StringIO()
    api.run(methods="prior", tasks="voc-lt", report=False, **given | {"progress": stream})
    assert "[2/2] voc-lt prior seed 1: mAP" in stream.getvalue()
    assert capsys.readouterr() == ("", "")
    kept = {**given, "progress": True, "force": True}
    api.run(methods="prior", tasks="voc-lt", report=False, **kept)
    assert "[2/2] voc-lt prior" in capsys.readouterr().err


def test_an_interrupt_leaves_no_half_record_and_no_handler(world, given, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.runner.workers.connection.wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            api.run(methods="prior", **given)
    assert not files.file_times(world.records)
    assert [signal.getsignal(number) for number in numbers] == before
    assert set(api.run(methods="prior", **given)["status"]) == {"done"}


def test_a_call_in_a_process_of_ours_is_refused(world, given, monkeypatch):
    """As a script without a main guard makes it that names itself as a plugin."""
    monkeypatch.setattr(processes, "is_ours", lambda: True)
    with pytest.raises(api.InputError, match="if __name__ == '__main__'"):
        api.run(**given)
