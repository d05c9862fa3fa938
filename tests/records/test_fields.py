"""A record is held against the table of its fields, and that against what the README says."""

from __future__ import annotations

import copy
import json
import re

import pytest

from benchmark.common import environment
from benchmark.records import fields, reading, store
from tests.helpers import suite_records as fakes

UNIT = fakes.unit("coco-fs-1", "coop", episode=3)
BEST = {"map": 1.0, "tail": None, "epoch": 2, "stage": "prompts", "epochs": 2, "curve": [0.5, 1.0]}
GOOD = fakes.record(UNIT) | {"oracle": BEST, "oracle_reason": None, "scores_sha256": "ab" * 32}
TOO_DEEP = {"a": [[[[[[[[[1]]]]]]]]]}


def test_the_readme_explains_each_field():
    text = (environment.ROOT / "results" / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Fields of a record")[2].partition("\n## ")[0]
    cells = (row.split("|")[1] for row in table.splitlines() if row.startswith("| `"))
    explained = {n.partition(".")[0] for cell in cells for n in re.findall(r"`([a-z]\w+)", cell)}
    of_errors = set(re.findall(r"`(\w+)`", table.partition("An error file has ")[2]))
    known = set(fields.FIELDS)
    assert explained == known - {"kind", "error", "traceback"}
    assert {*fields.NEEDED, "kind", "error", "traceback"} <= of_errors


def test_all_fields_of_a_new_record_are_known(world):
    assert world.run("--methods", "prior", "breaks", "refuses", "--seeds", "0")[0] == 1
    found = store.load(world.records)
    assert {r["status"] for r in found} == {"done", "failed", "skipped"}
    assert {name for record in found for name in record} == set(fields.FIELDS)


WRONG = {
    "schema": [True, 1.0, "1"],
    "key": [5, None, ["a"]],
    "label": [{}, None],
    "method_version": ["one", 1.5, None],
    "seed": [None, "0", 1.0, True, 2**64],
    "episode": ["3", 3.0, False],
    "status": ["failed", "finished", None, 1],
    "reason": [1, []],
    "metrics": [None, [], 5.0, {"map": "12"}, {"map": True}, {"map": [1.0]}, {"map": 10**400}],
    "oracle": [[], 1.0, BEST | {"curve": [None]}, BEST | {"map": "x"}, BEST | {"epoch": 1.5}],
    "n_classes": [None, {"all": 1.5}, 3],
    "per_class_ap": [None, {"ant": "x"}, {"ant": {}}],
    "train_counts": [[1], {"ant": "1"}],
    "curve": [None, {}, [1], [{"loss": "x"}], [{"epoch": None}], [{"stage": 1}], [[]]],
    "hyperparameters": [None, [], "lr", TOO_DEEP, {"lr": 10**400}],
    "split_sha256": [None, 1],
    "seconds": ["x", {"fit": "x"}, {"fit": [1]}],
    "provenance": [None, [], {"versions": []}, {"threads": "2"}, {"device": 1}, {"new": TOO_DEEP}],
    "unknown": [TOO_DEEP, 10**400],
}


@pytest.mark.parametrize("name, value", [(n, v) for n, each in WRONG.items() for v in each])
def test_a_field_of_another_type_is_named(name, value):
    with pytest.raises(ValueError, match=name) as error:
        fields.check(GOOD | {name: value})
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("name", [*fields.NEEDED, *fields.OF_RESULTS])
def test_a_field_that_is_missing_is_named(name):
    record = copy.deepcopy(GOOD)
    del record[name]
    with pytest.raises(ValueError, match=f"'{name}' is missing"):
        fields.check(record)


@pytest.mark.parametrize("missing", [*fields.LATER, "oracle", "curve", "seconds", "train_counts"])
def test_other_fields_may_be_missing_and_new_ones_may_come(missing):
    fields.check({name: value for name, value in GOOD.items() if name != missing})
    fields.check(GOOD | {"new": {"a": [1, None, "x"]}, "seconds": {"new": 1}})
    fields.check(GOOD | {"metrics": {"new": 1.0, "map": None}})


def test_an_error_file_says_why_a_unit_failed():
    failure = fakes.failed(UNIT, "RuntimeError: x")
    fields.check(failure, failure=True)
    with pytest.raises(ValueError, match="'status' must be failed"):
        fields.check(failure | {"status": "done"}, failure=True)
    with pytest.raises(ValueError, match="'status' must be done or skipped"):
        fields.check(GOOD | {"status": "failed"})


def test_what_could_not_be_read_is_not_written(tmp_path, monkeypatch):
    folder = store.paths(tmp_path, "cimlic", "miniature")
    bad = GOOD | {"curve": [{"stage": "a", "epoch": "1", "loss": 0.5}]}
    with pytest.raises(ValueError, match="'curve' must be"):
        store.write(folder, UNIT, bad)
    monkeypatch.setattr(store, "LARGEST", 100)
    with pytest.raises(ValueError, match="more than"):
        store.write(folder, UNIT, GOOD)
    assert store.load(folder.path) == []


def test_texts_are_plain_when_written_and_when_read(tmp_path):
    odd = "\x1b[2Jan \udcff odd\x00 text\nin two lines"
    folder = store.paths(tmp_path, "cimlic", "miniature")
    record = fakes.failed(UNIT, odd) | {"error": odd}
    path = store.write(folder, UNIT, record)
    assert "u001b" not in path.read_text() and "udcff" not in path.read_text()
    path.write_text(json.dumps(record))
    (found,) = store.load(folder.path)
    assert found["error"] == "an \ufffd odd text\nin two lines"
    assert reading.parsed(json.dumps(GOOD).encode()) == GOOD
