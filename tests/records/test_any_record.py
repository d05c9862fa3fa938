"""Random records: whatever a file says, no reader of records raises anything."""

from __future__ import annotations

import copy
import json
import types

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmark.api import computing
from benchmark.cli import status
from benchmark.records import recompute, scores, store, table
from benchmark.report import grid
from tests.helpers import suite_records as fakes
from tests.records import test_scores as scored

_, TASK = scored.made()
UNIT = fakes.unit("voc-lt", "coop", split_sha256=TASK.split_sha256)
BEST = {"map": 1.0, "tail": None, "epoch": 2, "stage": "prompts", "epochs": 2, "curve": [0.5, 1.0]}
PLAN = types.SimpleNamespace(
    suite=types.SimpleNamespace(name="cimlic"), scale="miniature", units=(UNIT,)
)


def good(folder: store.ResultsFolder) -> dict:
    """A record with stored scores and each field, of which those of a class or epoch are few."""
    record = fakes.record(UNIT, oracle=BEST, oracle_reason=None, precision="float32")
    record |= scores.write_scores(folder.path, record, TASK, "logits", scored.SCORES)
    truth = scores.read_truth(folder.path, record)
    found = scored.metric_fields(scored.SCORES, truth, "logits")
    counts = {"all": 3, "head": 1, "tail": 2, "absent": found.pop("absent")}
    counted = dict.fromkeys(TASK.class_names, 5)
    return record | found | {"n_classes": counts, "train_counts": counted}


def places(value: object, start: tuple = ()) -> list[tuple]:
    """Where something stands in nested lists and objects, outer ones first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = [(start + (key,), part) for key, part in inner]
    deeper = [places(part, at) for at, part in found if isinstance(part, dict | list)]
    return [at for at, _ in found] + [at for each in deeper for at in each]


MISSING = object()
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]  # as on a machine with much else to do
ODD = st.sampled_from(
    ["", "\x1b[2J", "\x00", "\ud800", "../../x", "/x", "x" * 999, "done", "failed", 1e308, 10**400]
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | ODD
NAMES = st.text(max_size=5) | st.sampled_from(["map", "fit", "epoch", "\ud800", "\x00"])
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return store.paths(tmp_path_factory.mktemp("any"), "cimlic", "miniature")


@pytest.fixture(scope="module")
def base(folder):
    return good(folder)


def put(record: dict, at: tuple, value: object) -> None:
    """Change what stands there, as far as something still does."""
    for key in at[:-1]:
        try:
            record = record[key]
        except (KeyError, IndexError, TypeError):
            return
    try:
        if value is MISSING:
            del record[at[-1]]
        else:
            record[at[-1]] = value
    except (KeyError, IndexError, TypeError):
        return


@st.composite
def contents(draw: st.DrawFn, base: dict, parts: list[tuple]) -> bytes:
    """A good record with some of its parts changed, or its bytes, or both."""
    record = copy.deepcopy(base)
    changes = st.tuples(st.sampled_from([*parts, ("new",)]), st.just(MISSING) | VALUES)
    for at, value in draw(st.lists(changes, max_size=3)):
        put(record, at, value)
    content = json.dumps(record).encode()
    where = draw(st.integers(0, len(content)))
    kind = draw(st.sampled_from(["whole"] * 6 + ["cut", "put in", "replaced", "nested"]))
    if kind == "nested":
        return content[:where] + b"[" * 3000
    if kind == "whole" or kind == "cut":
        return content if kind == "whole" else content[:where]
    more = draw(st.binary(min_size=1, max_size=9))
    return content[:where] + more + content[where + (len(more) if kind == "replaced" else 0) :]


def every_reader(folder: store.ResultsFolder) -> None:
    """What a run, --status, the library, a report and --recompute do with the records."""
    records = store.RecordStore(folder)
    records.scan()
    text = status.status(PLAN, records)
    text.encode()
    assert len(computing.bad_input([UNIT], records)) < 2
    assert "\x1b" not in text and len(status.unfinished([UNIT], records)) < 4
    assert len(store.load(folder.path)) <= 1
    assert len(table.frame(folder.path)) <= 1
    cell = grid.gather([UNIT], folder.path).cell("voc-lt", "coop")
    assert cell.stat("headline") is None or cell.done
    recompute.recompute(folder, [UNIT])


@pytest.mark.parametrize("ending, examples", [("json", 1000), ("error.json", 100)])
def test_no_record_stops_a_reader(folder, base, ending, examples):
    @given(contents(base, places(base)))
    @example(json.dumps(base).encode())
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=SLOW)
    def with_any(content: bytes) -> None:
        for path in folder.records.glob("*"):
            path.unlink()
        folder.records.mkdir(exist_ok=True)
        path = folder.records / f"x.{ending}"
        path.write_bytes(content)
        every_reader(folder)
        assert path.read_bytes() == content

    with_any()
