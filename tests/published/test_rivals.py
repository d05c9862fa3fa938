"""The numbers of later methods: their status, logged curves and sweeps, and what they state."""

from __future__ import annotations

import pytest

from benchmark.common.errors import InputError
from benchmark.published import audit, reading
from benchmark.published.model import Place, Spot
from tests.helpers.small_numbers import written

COLUMNS = ("total", "head", "medium", "tail")


@pytest.fixture(scope="module")
def data():
    return reading.load()


@pytest.fixture(scope="module")
def checks(data):
    return {check.name: check for check in audit.audit(data)}


def said(check):
    return "\n".join(flag.text for flag in check.flags)


# -- what there is --------------------------------------------------------------------------------


def test_every_table_has_the_status_of_its_source(data):
    others = ("lmclip", "mlc-nc", "dp-vlpa", "capnet")
    assert [data.tables[name].source.status for name in others] == [
        "logged", "printed", "abstract only", "second hand",
    ]  # fmt: skip
    assert {run.source.status for run in data.runs} == {"logged"}
    assert all(not row.printed for row in data.tables["lmclip"].rows.values())


def test_the_published_runs_with_their_curves(data):
    row = data.row("lmclip/LM-CLIP")
    numbers = {
        task: [row.number(Place(task, c)) for c in COLUMNS] for task in ("coco-lt", "voc-lt")
    }
    assert numbers["coco-lt"] == [74.33, 63.12, 78.09, 79.23]
    assert numbers["voc-lt"] == [92.54, 82.84, 94.42, 98.39]
    coco, voc = (run for run in data.runs if run.curve)
    assert coco.rows == voc.rows == ("lmclip/LM-CLIP",)
    assert (coco.epoch, coco.last, voc.epoch, voc.last) == (38, 74.28, 18, 91.56)
    assert list(coco.curve) == [1, 2, 5, 10, 20, 38, 50] and coco.curve[1] == 67.16
    assert list(voc.curve) == [1, 2, 5, 10, 18, 22] and voc.curve[1] == 87.40


def test_all_runs_of_a_method_stand_in_its_table(data):
    runs = [run for run in data.runs if run.source == data.tables["lmclip"].source]
    assert len(runs) == 13 and all(run.epoch and run.last for run in runs)
    filled = {name for run in runs for name in run.rows}
    assert filled == {f"lmclip/{row}" for row in data.tables["lmclip"].rows}
    assert [(s.setting, s.task, len(s.totals)) for s in data.sweeps] == [
        ("lambda", "coco-lt", 11), ("s", "coco-lt", 8), ("lambda", "voc-lt", 7), ("s", "voc-lt", 7),
    ]  # fmt: skip


# -- the audit of the real numbers ----------------------------------------------------------------


def test_stated_gains_are_those_over_the_row_that_they_name(data, checks):
    assert checks["rival"].tested == 5 and not checks["rival"].flags
    lmpt = data.row("long-tailed/LMPT (ViT16)").printed
    (first, *_) = data.gains
    assert {place: round(lmpt[place] + x, 2) for place, x in first.gains.items()} == {
        Place("voc-lt", "total"): 92.54, Place("coco-lt", "total"): 74.33,
    }  # fmt: skip
    assert [each.method for each in data.gains if not each.row] == ["TailCLIP"]


def test_what_does_not_add_up_is_said(checks):
    assert checks["best"].tested == 13 and not checks["best"].flags
    assert said(checks["sweep"]) == (
        "LM-CLIP's logs lambda = 10, coco-lt: total 74.72, but 74.47 in the sweep of lambda at 10"
    )
    voc, coco = checks["chosen"].flags
    assert voc.text.endswith("92.54 is published, above it L_clip (92.83), "
                             "L_clip + ASL + sampling (93.05)")  # fmt: skip
    assert "L_bal (75.11), L_bal + w + a (74.94), lambda = 10 (74.72)" in coco.text
    assert coco.spots == (Spot("lmclip", "LM-CLIP", Place("coco-lt", "total")),)
    assert "MLC-NC, voc-lt: total 84.37, the groups give 84.39 (-0.02)" in said(checks["groups"])
    assert "LM-CLIP" not in said(checks["log sums"]) + said(checks["log"]) + said(checks["run"])


def test_the_papers_own_gains_are_its_alone(data, checks):
    assert checks["gain"].tested == 4
    assert {c.table for c in data.claims} & {"lmclip", "mlc-nc", "dp-vlpa", "capnet"} == set()


# -- the rules, on numbers made up ----------------------------------------------------------------

RUN = ("runs", "files", 1)
VARIANT = {"log": "c", "task": "voc-lt", "values": {"total": 60.5}, "rows": ["other/variant"]}
WRONG = (
    ("best", ((*RUN, "last"), 60.5), "total 60.00 is below the last epoch's 60.50"),
    ("best", ((*RUN, "last"), 58.0), "the curve ends at 59.00, the last epoch has 58.00"),
    ("best", ((*RUN, "curve"), {1: 61.0}), "total 60.00 is below the 61.00 of epoch 1"),
    ("best", ((*RUN, "epoch"), 4), "total 60.00, but the curve has 59.00 in epoch 4"),
    ("sweep", (("sweeps", 0, "rows"), {1: "other/theirs"}), "60.00, but 61.00 in the sweep of x"),
    ("chosen", (("runs", "files", 0), VARIANT), "60.00 is published, above it variant (60.50)"),
    ("rival", (("gains", 0, "gains"), {"voc-lt total": 5.1}), "+5.10 is stated over Table I plain"),
)


@pytest.mark.parametrize(("name", "change", "words"), WRONG, ids=[words for *_, words in WRONG])
def test_each_rule_finds_what_breaks_it(tmp_path, name, change, words):
    checks = audit.audit(reading.load(written(tmp_path, change)))
    assert words in next(said(check) for check in checks if check.name == name)


def test_a_log_that_adds_up_is_not_said_to_be_printed(tmp_path):
    data = reading.load(written(tmp_path))
    assert [run.log for run in data.unprinted()] == ["b"]
    assert all(not check.flags for check in audit.audit(data))


# -- what is refused ------------------------------------------------------------------------------

REFUSED = (
    (("sources", "here", "status"), "rumour", "unknown status 'rumour'"),
    (("runs",), {"here": []}, "runs.here: this source is printed, not logged"),
    (("runs",), {"nowhere": []}, "unknown source 'nowhere'"),
    ((*RUN, "curve"), {"one": 50.0}, "the text 'one' is not a whole number"),
    ((*RUN, "curve"), {1: 150.0}, "curve.1: 150 is not between 0 and 100"),
    ((*RUN, "values"), {"tail": 60.0}, "a run with a curve needs its total"),
    (("tables", "other", "chosen"), "ours", "unknown row 'ours'"),
    (("sweeps", 0, "rows"), {2: "other/theirs"}, "unknown point '2'"),
    (("sweeps", 0, "rows"), {1: "other/nobody"}, "unknown row 'nobody'"),
    (("sweeps", 0, "task"), "voc-lx", "unknown task 'voc-lx'"),
    (("gains", 0, "over"), "main/nobody", "unknown row 'nobody'"),
    (("gains", 0, "gains"), {"coco-lt total": 5.0}, "unknown column 'coco-lt total'"),
)


@pytest.mark.parametrize(("keys", "value", "words"), REFUSED, ids=[words for *_, words in REFUSED])
def test_wrong_files_are_refused_in_one_line(tmp_path, keys, value, words):
    with pytest.raises(InputError) as error:
        reading.load(written(tmp_path, (keys, value)))
    assert words in str(error.value) and "\n" not in str(error.value)
