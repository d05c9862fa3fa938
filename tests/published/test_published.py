"""The published numbers: read strictly, and audited by rules that can be checked by hand."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmark.cli.published import main
from benchmark.common.errors import InputError
from benchmark.published import audit, gains, reading
from benchmark.published.model import Place, Spot
from benchmark.suites import load
from tests.helpers.small_numbers import SMALL, written

# -- what there is --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    return reading.load()


@pytest.fixture(scope="module")
def checks(data):
    return {check.name: check for check in audit.audit(data)}


def said(check):
    return "\n".join(flag.text for flag in check.flags)


SOURCES = ("HP-DVAL", "draw_map.ipynb")


def test_every_table_of_the_paper_is_there(data):
    ours = {n: t for n, t in data.tables.items() if t.source.text.startswith(SOURCES)}
    papers = {table.paper for table in ours.values()}
    assert papers == {f"Table {n}" for n in ("I", "II", "III", "IV", "V", "VI")} | {
        "Figures 4 and 5"
    }
    assert {name: len(table.rows) for name, table in ours.items()} == {
        "long-tailed": 21, "few-shot": 12, "losses": 6, "losses-by-method": 10, "components": 5,
        "prompts": 3, "alpha": 6, "k": 6, "m": 6,
    }  # fmt: skip
    for table in ours.values():
        assert table.source.status == "printed"
        assert all(row.printed.keys() == set(table.places) for row in table.rows.values())


def test_printed_and_logged_triples_of_the_method_stand_side_by_side(data):
    row = data.row("long-tailed/HP-DVAL")
    columns = [Place("coco-lt", name) for name in ("total", "head", "medium", "tail")]
    assert [row.printed[place] for place in columns] == [76.19, 72.05, 75.98, 79.12]
    assert [row.logged[place] for place in columns] == [76.19, 72.05, 79.12, 75.96]
    assert data.row("few-shot/HP-DVAL").logged[Place("voc-fs-1", "novel")] == 87.54
    assert not data.row("long-tailed/LMPT (ViT16)").logged


def test_labels_are_those_of_the_suites(data):
    """Every label is one that a suite has, and each row of a suite's table has its row here."""
    suites = {name: load.load_suite(name) for name in load.names()}
    labels = {entry.label for each in suites.values() for entry in each.methods}
    mapped = {x for _, _, row in data.rows() for x in row.labels}
    known = labels | {"lmclip"}  # its suite is not in this repository yet
    assert mapped | {x for t in data.tables.values() for x in t.baselines} <= known
    for each in suites.values():
        for layout in each.layout.tables:
            table = data.tables[layout.name]
            assert table.paper == layout.paper
            here = {label for row in table.rows.values() for label in row.labels}
            assert here == set(layout.rows)


# -- the audit of the real numbers ----------------------------------------------------------------


def test_totals_that_their_groups_do_not_give(checks):
    text = said(checks["groups"])
    for line in (
        "Table I LDAM, voc-lt: total 70.73, the groups give 72.37 (-1.64)",
        "Table I Stitch-Up, coco-lt: total 54.14, the groups give 53.72 (+0.42)",
        "Table I COMIC, coco-lt: total 55.08, the groups give 55.62 (-0.54)",
        "Table VI both, coco-lt: total 76.19, the groups give 75.88 (+0.31)",
    ):
        assert line in text
    assert "DB Focal, voc-lt" not in text and "CoOp (ViT16)" not in text


def test_the_logs_add_up_where_print_does_not(checks):
    assert said(checks["log sums"]) == (
        "Table I HP-DVAL, coco-lt: var 54.91, but the log's APs of the classes have 274.32"
    )
    text = said(checks["log"])
    assert "coco-lt: medium and tail exchanged, medium 75.98 for 75.96" in text
    assert "voc-lt: medium 92.83 for 94.13, tail 98.58 for 97.28" in text
    assert "Table V DVAL, voc-lt: medium 91.59 for 92.89" in text
    assert "novel 90.80 for 87.54" in text
    assert "novel 95.4" not in text  # 95.36, to one decimal


def test_variances_that_are_something_else(checks):
    text = said(checks["variance"])
    assert "CoOp (ViT16), voc-lt: var 157.17 is the variance of the three group means" in text
    assert "zero-shot CLIP (ViT16), voc-lt: var 127.26 is below the 166.29" in text
    assert "OLTR" not in text


def test_one_run_as_several_experiments(data, checks):
    assert not checks["same"].flags
    repeated, runs = said(checks["repeated"]), said(checks["run"])
    assert "Table VI local only; Figures 4 and 5 alpha = 0, M = 64, coco-lt: the same" in repeated
    assert "k = 18, k = 64, coco-lt: one run in print as 2 experiments" in runs
    # Three of four numbers are equal, the fourth was altered.
    assert "Table V DVAL; Table VI global only; Figures 4 and 5 M = 8, voc-lt: the same" in repeated
    # The same experiment in two tables may and must repeat itself.
    assert "Table I CoOp" not in repeated
    assert "DB*" not in repeated + runs


def test_gains_and_claims(checks):
    text = said(checks["gain"])
    assert text == (
        "Table II, coco-fs-5 novel: the abstract says +6.8, the best baseline, LCM, leaves +5.30"
    )
    claims = said(checks["claim"])
    assert "coco-lt tail: HP-DVAL over the best baseline does not hold by the log (-3.12" in claims
    assert "LMPT" in claims
    assert "in print" not in claims


def test_footnotes_give_each_number_what_is_said_of_it(checks):
    notes = audit.footnotes(list(checks.values()))
    tail = Spot("long-tailed", "HP-DVAL", Place("coco-lt", "tail"))
    assert any("exchanged" in text for text in notes[tail])
    assert Spot("long-tailed", "OLTR", Place("coco-lt", "tail")) not in notes
    alpha = notes[Spot("alpha", "alpha = 0", Place("coco-lt", "total"))]
    assert len(alpha) == 1 and "one run in print" in alpha[0]  # and not "the same numbers" as well


# -- the rules, on numbers made up ----------------------------------------------------------------


def found(folder, *changes):
    checks = audit.audit(reading.load(written(folder, *changes)))
    return {check.name: said(check) for check in checks if check.flags}


def test_numbers_that_add_up_are_not_flagged(tmp_path):
    assert found(tmp_path) == {}


RUN = ("runs", "files", 0)
PLAIN = ("tables", "main", "rows", "plain", "printed")
WRONG = {
    "groups": ((PLAIN, [55.5, 40.0, 60.0, 60.0]), "total 55.50, the groups give 55.00 (+0.50)"),
    "same": ((("tables", "curve", "rows", "x = 1", "printed"), [71.0]), "71.00 and 70.00"),
    "repeated": ((("tables", "curve", "rows", "x = 2", "printed"), [55.0]), "the same numbers"),
    "log": (((*RUN, "values"), {"total": 69.9}), "total 70.00 for 69.90"),
    "run": (((*RUN, "rows"), ["main/ours", "curve/x = 2"]), "2 experiments"),
    "gain": ((("claims", 0, "stated"), {"voc-lt total": 12.0}), "leaves +15.00"),
    "claim": ((("claims", 0, "row"), "plain"), "does not hold in print"),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_rule_finds_what_breaks_it(tmp_path, name):
    change, words = WRONG[name]
    assert words in found(tmp_path, change)[name]


def test_variance_against_the_groups(tmp_path):
    columns = [*SMALL["tables"]["main"]["columns"], "voc-lt var"]
    for var, words in ((75.0, "three group means"), (70.0, "below the 75.00"), (76.0, None)):
        # Means 40, 60, 60 of 1, 1, 2 classes: 55 with variance (225 + 25 + 50) / 4 = 75.
        text = found(
            tmp_path,
            (("tables", "main", "columns"), columns),
            (PLAIN, [55.0, 40.0, 60.0, 60.0, var]),
            (("tables", "main", "rows", "ours", "printed"), [70.0, 50.0, 70.0, 80.0, None]),
        )
        assert (words in text["variance"]) if words else ("variance" not in text)


def test_log_classes_are_averaged(tmp_path):
    run = {"log": "a", "task": "voc-lt", "values": {"total": 70.0}, "rows": ["main/ours"]}
    run["classes"] = {"head": {"a": 50.0}, "medium": {"b": 70.0}, "tail": {"c": 75.0, "d": 80.0}}
    text = found(tmp_path, (RUN, run))
    assert text == {"log sums": "log a: total 70.00, its classes give 68.75"}


def test_a_gain_in_one_column_less_that_in_another(tmp_path):
    data = reading.load(written(tmp_path))
    claim, values = data.claims[0], gains.of_print(data.tables["main"])
    assert [gains.gain(values, claim, place) for place in claim.places] == [15.0, 20.0 - 10.0]
    assert gains.opponent(values, claim, claim.places[0]) == "plain"
    assert gains.gain({"ours": values["ours"]}, claim, claim.places[0]) is None


# -- what is refused ------------------------------------------------------------------------------

ROWS = ("tables", "main", "rows")
BEST_TWICE = {"claim": "x", "row": "best", "over": "best", "columns": ["total"]}
REFUSED = (
    ((PLAIN, [55.0, 40.0, 60.0]), "rows.plain: printed: 3 numbers for 4 columns"),
    ((PLAIN, ["55.0", 40.0, 60.0, 60.0]), "(voc-lt total): the text '55.0' is not a number"),
    ((PLAIN, [155.0, 40.0, 60.0, 60.0]), "155 is not between 0 and 100"),
    (((*ROWS, "plain", "note"), "x"), "unknown key 'note'"),
    (((*ROWS, "plain", "notes"), ["even"]), "unknown note 'even'"),
    (((*ROWS, "plain", "also"), "sigmoid"), "unknown metric 'sigmoid'"),
    ((("tables", "main", "columns"), ["voc-lt mean"]), "unknown column 'mean'"),
    ((("tables", "main", "source"), "there"), "unknown source 'there'"),
    ((("same",), [["main/nobody"]]), "unknown row 'nobody'"),
    ((("same",), [["main/ours"], ["main/ours", "main/plain"]]), "same[1]: a row stands in another"),
    (((*RUN, "task"), "voc-lx"), "unknown task 'voc-lx'"),
    (((*RUN, "values"), {"mean": 1.0}), "unknown column 'mean'"),
    ((("claims", 0, "over"), "second"), "unknown row 'second'"),
    ((("claims", 0, "stated"), {"voc-lt head": 1.0}), "unknown column 'voc-lt head'"),
    ((("claims", 0), {**BEST_TWICE, "table": "nowhere"}), "unknown table 'nowhere'"),
    ((("claims", 0), {**BEST_TWICE, "table": "main"}), "unknown row 'best'"),
    ((("groups", "voc-lt", "head"), 1.5), "groups.voc-lt: head: 1.5 is not a whole number"),
    ((("extra",), {}), "unknown key 'extra'"),
)


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_wrong_files_are_refused_in_one_line(tmp_path, capsys, change, words):
    path = written(tmp_path, change)
    with pytest.raises(InputError) as error:
        reading.load(path)
    assert words in str(error.value) and "\n" not in str(error.value)
    reading.load.cache_clear()
    assert main(["--file", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# -- the command ----------------------------------------------------------------------------------


def test_the_command_prints_flags_and_json(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert "92 rows in 13 tables and curves" in text and "none of 28 flagged" in text
    assert "81 printed, 9 logged, 1 abstract only, 1 second hand" in text
    assert "second stage: total 60.03" in text
    assert max(map(len, text.splitlines())) <= 100
    assert main(["--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (gain,) = [check for check in answer["checks"] if check["name"] == "gain"]
    assert gain["tested"] == 4
    assert gain["flags"][0]["cells"] == [
        {
            "table": "few-shot", "row": "HP-DVAL", "task": "coco-fs-5", "column": "novel",
            "printed": 79.2, "logged": 79.2,
        }
    ]  # fmt: skip
    assert len(answer["unprinted"]) == 5 + 13
    assert answer["tables"]["capnet"]["status"] == "second hand"
    assert answer["stated"][1] == {
        "method": "TailCLIP", "status": "abstract only", "over": "long-tailed/LMPT (ViT16)",
        "gains": {"voc-lt total": 4.38, "coco-lt total": 4.88},
    }  # fmt: skip
    assert "TailCLIP over Table I LMPT (ViT16): voc-lt total +4.38, coco-lt total +4.88" in text


def test_the_command_loads_nothing_heavy():
    code = (
        "import sys; from benchmark.cli.published import main; main(['--json']); "
        "heavy = {'torch', 'sklearn', 'pandas', 'matplotlib', 'scipy', 'numpy'}; "
        "print('loaded', heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("loaded set()\n"), done.stderr or done.stdout[-80:]
