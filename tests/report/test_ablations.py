"""Ablation suites: entries mean what their tables say, and tables what the records say."""

from __future__ import annotations

import csv
import io
import shutil
import statistics
from dataclasses import replace

import pytest

from benchmark import report
from benchmark.data.tasks import TaskInfo
from benchmark.method.discovery import discover, hyperparameters
from benchmark.method.registry import MethodInfo
from benchmark.report.figures import bars, sensitivity
from benchmark.report.grid import gather
from benchmark.report.tables import ablations, formats
from benchmark.suites import expand, load, suite
from benchmark.suites.expand import Known
from benchmark.suites.tables import Curve, ReportLayout, TableSpec
from tests.helpers import suite_records as fakes

ABLATIONS = ("losses", "components", "prompts", "sensitivity")
FULL = ("hpdval-db-star", "dval-hpt-sc", "prompts-both", "alpha-0.4", "k-32", "m-4")

# -- the suites ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expanded():
    """{scale: {(label, task): units}} of the suite of everything, with the real methods."""
    facts = {
        name: MethodInfo(name, 1, name == "zeroshot", hyperparameters(kind))
        for name, kind in discover().items()
    }
    tasks = {
        f"{data}-{kind}": TaskInfo(f"{data}-{kind}", setting, data, data, episodes)
        for data in ("coco", "voc")
        for kind, setting, episodes in (
            ("lt", "long-tailed", None),
            ("fs-1", "few-shot", 10),
            ("fs-5", "few-shot", 10),
        )
    }
    found = {}
    for scale in suite.SCALES:
        for unit in expand.expand(load.load_suite("paper"), Known(scale, tasks, facts, "b", "w")):
            here = found.setdefault(scale, {}).setdefault((unit.label, unit.task), [])
            here.append(unit)
    return found


def test_the_full_method_is_one_computation_in_every_table(expanded):
    """The main comparison's own, at both scales; few-shot tasks have epochs of their own."""
    for scale in suite.SCALES:
        units = expanded[scale]
        for task, labels in (("coco-lt", FULL), ("voc-lt", ("dval-hpt-sc", "prompts-both"))):
            keys = {tuple(u.key for u in units[label, task]) for label in ("hpdval", *labels)}
            assert len(keys) == 1
    long, few = (
        dict(expanded["miniature"]["hpdval", task][0].hyperparameters)
        for task in ("coco-lt", "coco-fs-1")
    )
    assert (long["stage1_epochs"], long["stage2_epochs"]) == (4, 2)
    assert (few["stage1_epochs"], few["stage2_epochs"]) == (4, 10)


def differences(scale, label, task, full="dval-hpt-sc"):
    """The settings in which an entry differs from the full method's."""
    mine, theirs = (dict(scale[x, task][0].hyperparameters) for x in (label, full))
    return {name: value for name, value in mine.items() if theirs[name] != value}


def test_an_entry_differs_from_the_full_method_in_what_its_row_says(expanded):
    for scale in expanded.values():
        for task in ("coco-lt", "voc-lt"):
            assert differences(scale, "dval", task) == {"stage2_epochs": 0}
            assert differences(scale, "dval-hpt", task) == {"consistency": 0.0}
            assert differences(scale, "joint", task) == {"joint": True}
            assert differences(scale, "prompts-local", task) == {"learned": "local"}
            assert differences(scale, "prompts-global", task) == {"learned": "global"}
        for loss in ("bce", "mls", "cb-focal", "asl", "db"):
            assert differences(scale, f"hpdval-{loss}", "coco-lt", FULL[0]) == {"loss": loss}
        for name in ("coop", "cocoop", "lmpt"):
            pair = (f"{name}-bce", "coco-lt", f"{name}-db")
            assert differences(scale, *pair) == {"loss": "bce"}


def test_the_sweeps_cover_the_papers_values(expanded):
    wanted = {
        "alpha": [0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
        "k": [12, 18, 24, 32, 48, 64],
        "context": [2, 4, 8, 16, 32, 64],
    }
    layouts = load.load_suite("sensitivity").layout.tables
    assert [layout.curve.hyperparameter for layout in layouts] == list(wanted)
    for layout in layouts:
        name = layout.curve.hyperparameter
        units = [expanded["paper"][label, "coco-lt"][0] for label in layout.rows]
        assert [dict(u.hyperparameters)[name] for u in units] == wanted[name]
        assert [float(text) for (text,) in layout.rows.values()] == wanted[name]
        assert layout.curve.mark in wanted[name]
        for unit in units:
            assert differences(expanded["paper"], unit.label, "coco-lt").keys() <= {name}


def test_every_entry_stands_in_a_table_and_every_part_keeps_to_its_tasks(expanded):
    for name in ABLATIONS:
        part = load.load_suite(name)
        shown = {label for layout in part.layout.tables for label in layout.rows}
        assert shown == {entry.label for entry in part.methods}
    for scale in expanded.values():
        assert ("hpdval-mls", "coco-lt") in scale and ("hpdval-mls", "voc-lt") not in scale
        assert ("dval", "voc-lt") in scale and ("dval", "voc-fs-1") not in scale
        assert len(scale["coop", "coco-fs-5"]) == 10 and len(scale["coop", "voc-lt"]) == 3


def test_the_readme_of_the_suites_names_each():
    text = (load.FOLDER / "README.md").read_text()
    found = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert found == set(load.names())


# -- the report ---------------------------------------------------------------------------------

LOSS = TableSpec(
    "losses",
    "Losses",
    "Table III",
    ("method", "loss"),
    {"zeroshot": ("ZS", "-"), "a": ("A_1", "✓")},
)
ALPHA = TableSpec(
    "alpha",
    "Alpha",
    "Figure 4",
    ("alpha",),
    {"x-0": ("0.0",), "x-1": ("0.5",), "x-2": ("1.0",)},
    ("voc-lt",),
    Curve("alpha", "alpha", 0.5),
)
ARRANGED = ReportLayout((LOSS, ALPHA), frozenset({"zeroshot"}))
TASKS = ("coco-lt", "voc-lt")
VALUES = {"x-0": 0.0, "x-1": 0.5, "x-2": 1.0}


def units_of(tasks=TASKS):
    """Three general methods, one of them in a table too, and the labels of two tables."""
    found = fakes.units(("zeroshot", "coop", "a"), (*tasks, "voc-fs-1"), episodes=2)
    for task in tasks:
        for label, alpha in VALUES.items():
            settings = {"method": "hpdval", "hyperparameters": (("alpha", alpha),)}
            found += [fakes.unit(task, label, seed=seed, **settings) for seed in range(3)]
    return found


@pytest.fixture
def few_figures(monkeypatch):
    """Only the figures of groups and of sensitivity are drawn."""
    fakes.draw_only(monkeypatch, bars.groups_of, sensitivity.figures)


@pytest.fixture(scope="module")
def arranged(tmp_path_factory):
    """Records with a suite's own tables and their report: (units, records, results folder)."""
    results = tmp_path_factory.mktemp("ablations") / "s" / "miniature"
    units = units_of()
    records = [fakes.record(u) for u in units]
    fakes.store(results, records)
    with pytest.MonkeyPatch.context() as patch:
        fakes.draw_only(patch, bars.groups_of, sensitivity.figures)
        report.write(units, results, ARRANGED)
    return units, records, results


def rows(results, name):
    text = (results / "report" / f"{name}.csv").read_text()
    return {(r["task"], r["label"]): r for r in csv.DictReader(io.StringIO(text))}


def test_numbers_of_the_tables_are_those_of_the_records(arranged):
    _, records, results = arranged
    found = rows(results, "ablation_losses") | rows(results, "ablation_alpha")
    assert found.keys() == {(t, x) for t in TASKS for x in ("zeroshot", "a", *VALUES)}
    metrics = {"total": "map", "tail": "tail", "softmax": "map_softmax"}
    for at, row in found.items():
        mine = [r["metrics"] for r in records if (r["task"], r["label"]) == at]
        assert int(row["n"]) == int(row["expected"]) == len(mine)
        for column, metric in metrics.items():
            values = [m[metric] for m in mine]
            assert float(row[f"{column}_mean"]) == pytest.approx(statistics.mean(values), abs=1e-5)
            if len(values) > 1:
                std = statistics.stdev(values)
                assert float(row[f"{column}_std"]) == pytest.approx(std, abs=1e-5)
    assert (found["coco-lt", "a"]["method"], found["coco-lt", "a"]["loss"]) == ("A_1", "✓")
    assert found["voc-lt", "x-1"]["alpha"] == "0.5"


def test_files_and_page(arranged):
    folder = arranged[2] / "report"
    names = {p.name for p in folder.iterdir()}
    for stem in ("ablation_losses", "ablation_alpha"):
        assert {f"{stem}.{kind}" for kind in ("md", "csv", "tex")} <= names
        tex = (folder / f"{stem}.tex").read_text()
        assert tex.count("{") == tex.count("}")
        body = tex.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
        factors = 2 if stem == "ablation_losses" else 1
        assert {line.count("&") for line in body} == {factors + 2 * 5 - 1}
    assert r"A\_1 & $\surd$ &" in (folder / "ablation_losses.tex").read_text()
    assert {"sensitivity.png", "sensitivity.svg"} <= names
    text = (folder / "ablation_losses.md").read_text()
    assert "(the paper's Table III), miniature (rendered images, not COCO/VOC): mAP" in text
    assert "| method | loss | VOC-LT total | VOC-LT head | VOC-LT medium |" in text
    assert r"| A\_1 | ✓ |" in text
    alpha = (folder / "ablation_alpha.md").read_text()
    assert alpha.index("VOC-LT total") < alpha.index("COCO-LT total")  # the order the layout names
    page = (folder / "report.md").read_text()
    assert "## Losses" in page and "(ablation_alpha.csv)" in page and "(sensitivity.png)" in page


@pytest.mark.usefixtures("few_figures")
def test_general_tables_leave_out_what_only_a_suites_table_shows(arranged, tmp_path):
    units, _, results = arranged
    lt = (results / "report" / "table_lt.csv").read_text()
    assert "zeroshot" in lt and "coop" in lt and "x-1" not in lt and "lt,a," not in lt
    few = (results / "report" / "table_fs.csv").read_text()
    assert ",a," in few  # no table of a suite has few-shot results
    text = report.summary(units, results, ARRANGED)
    assert max(map(len, text.splitlines())) <= 100 and "A_1" in text and "Figure 4" in text
    only = [u for u in units if u.label in VALUES]
    other = shutil.copytree(results, tmp_path / "other")
    report.write(only, other, ARRANGED)
    names = {p.name for p in (other / "report").iterdir()}
    assert not any(name.startswith(("table_", "groups_", "ablation_losses")) for name in names)


def test_a_missing_unit_is_a_dash_with_its_count(tmp_path):
    units = units_of(("coco-lt",))
    gone = [u for u in units if u.label == "x-1" or (u.label == "a" and u.seed)]
    fakes.store(tmp_path, [fakes.record(u) for u in units if u not in gone])
    grid = gather(units, tmp_path)
    loss, alpha = (table for _, table in ablations.all_of(grid, ARRANGED))
    assert "| 0.5 | - | - | - | - | 0/3 |" in formats.markdown(alpha)
    assert "| 1/3 |" in formats.markdown(loss)
    assert "x-1 on COCO-LT: 3 of 3 units missing" in " ".join(alpha.notes)
    assert [x for x, _ in sensitivity.points(grid, ALPHA, "coco-lt")] == [0.0, 1.0]


def test_points_of_a_curve_are_by_value_and_need_two(arranged, tmp_path):
    units, records, results = arranged
    found = sensitivity.points(gather(units, results), ALPHA, "voc-lt")
    assert [x for x, _ in found] == [0.0, 0.5, 1.0]
    for (x, ys), label in zip(found, VALUES, strict=True):
        at = ("voc-lt", label)
        mine = [r["metrics"]["map"] for r in records if (r["task"], r["label"]) == at]
        assert sorted(ys) == sorted(mine) and len(ys) == 3 and x == VALUES[label]
    one = [u for u in units if u.label == "x-1"]
    assert not list(sensitivity.figures(gather(one, results), ARRANGED))


@pytest.mark.usefixtures("no_figures")
def test_labels_of_the_same_settings_count_once(tmp_path):
    units = fakes.units(("a",), ("coco-lt",))
    twins = units + [replace(u, label="zeroshot") for u in units]
    fakes.store(tmp_path, [fakes.record(u) for u in units])
    page = report.write(twins, tmp_path, ARRANGED).read_text()
    assert "| records | 3 of 3 units done |" in page
    assert "| computing time | 0.5 minutes" in page  # three times 9.5 seconds
    found = rows(tmp_path, "ablation_losses")
    a, other = (found["coco-lt", label] for label in ("a", "zeroshot"))
    assert a["total_mean"] == other["total_mean"] and other["n"] == "3"


def test_a_stage_that_units_share_counts_once():
    from benchmark.report.page import markdown

    done = [
        {"label": x, "seed": s, "seconds": {"base": None, "fit": 2.0, "predict": 1.0, "shared": t}}
        for x in "ab"
        for s, t in ((0, 40.5), (1, 41.25))
    ]
    assert markdown._seconds(done) == 4 * 3.0 + 40.5 + 41.25


@pytest.mark.usefixtures("few_figures")
def test_the_report_repeats_byte_for_byte(arranged, tmp_path):
    units, records, results = arranged
    fakes.store(tmp_path, list(reversed(records)))
    folder = report.write(units, tmp_path, ARRANGED).parent
    for name in ("sensitivity.svg", "sensitivity.png", "report.md", "ablation_alpha.csv"):
        assert (folder / name).read_bytes() == (results / "report" / name).read_bytes(), name
