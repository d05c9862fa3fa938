"""The report as a whole: its files, gaps, older and other records, restrictions, agreement."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark import report
from benchmark.common.errors import InputError
from benchmark.report import grid
from benchmark.report.figures import bars, frequency
from benchmark.report.page import markdown
from benchmark.report.tables import formats, second_metrics
from tests.helpers import suite_records as fakes

TABLES = (
    *("table_claims", "table_lt", "table_fs", "table_softmax", "table_group_claims"),
    *("table_ranking", "table_redraw"),
)
LT = ("coco-lt", "voc-lt")


@pytest.fixture
def few_figures(monkeypatch):
    """Only the figures of groups and of frequency are drawn."""
    fakes.draw_only(monkeypatch, bars.groups_of, frequency.figures)


def rows(results, name):
    return fakes.rows((results / "report" / f"{name}.csv").read_text())


def small(tmp_path, changes, methods=("zeroshot", "coop"), **kwargs):
    """Units of long-tailed tasks; changes(unit) gives each one's record, or None."""
    units = fakes.units(methods=methods, tasks=LT, **kwargs)
    results = tmp_path / "cimlic" / "miniature"
    fakes.store(results, [r for r in map(changes, units) if r])
    return units, results


def test_files_of_a_full_report(full):
    folder = full[2] / "report"
    pictures = ["fewshot", "cost_lt", "cost_fs"]
    pictures += [f"{kind}_{task}" for kind in ("groups", "frequency", "gains") for task in LT]
    pictures += [f"training_{task}" for task in fakes.TASKS]
    expected = {f"{p}.{kind}" for p in pictures for kind in ("png", "svg")}
    expected |= {"report.md", "index.html", "summary.txt", ".made-of.json"}
    expected |= {f"{t}.{kind}" for t in TABLES for kind in ("md", "csv", "tex")}
    assert {p.name for p in folder.iterdir()} == expected
    for name in pictures:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (folder / f"{name}.svg").read_text()[:600]
    page = (folder / "report.md").read_text()
    for part in ("miniature-vit", "0123456789", "2024-05-01", "softmax", "144 of 144 units done"):
        assert part in page
    for name in expected:
        if name.endswith((".md", ".tex")):
            assert "not COCO/VOC" in (folder / name).read_text()


def test_output_repeats_byte_for_byte(full, again):
    for old in (full[2] / "report").iterdir():
        assert (again / old.name).read_bytes() == old.read_bytes(), old.name


@pytest.mark.usefixtures("few_figures")
def test_missing_failed_and_skipped_units(tmp_path):
    def changes(u):
        if (u.task, u.label) == ("voc-lt", "coop"):
            return fakes.skipped(u, "needs | region_features")
        if u.label == "coop" and u.seed:
            return fakes.failed(u, "ValueError: 50% NaN") if u.seed == 1 else None
        return fakes.record(u) if u.label == "coop" or u.task == "coco-lt" else None

    units, results = small(tmp_path, changes)
    page = report.write(units, results).read_text()
    folder = results / "report"
    found = rows(results, "table_lt")
    coop, none = found["coco-lt", "coop"], found["voc-lt", "zeroshot"]
    assert [coop[k] for k in ("n", "expected", "missing", "failed")] == ["1", "3", "2", "1"]
    assert coop["reason"] == "ValueError: 50% NaN" and coop["total_std"] == ""
    assert none["total_mean"] == "" and none["missing"] == "1"
    refused = found["voc-lt", "coop"]
    assert (refused["skipped"], refused["missing"]) == ("3", "0")
    assert refused["reason"] == "needs | region_features"

    text = report.summary(units, results)
    assert "coop on COCO-LT: 2 of 3 units missing, of them 1 failed (ValueError: 50% NaN)" in text
    assert "zeroshot on VOC-LT: 1 of 1 units missing" in text
    assert "coop on VOC-LT: skipped, needs | region_features" in text
    assert "1/3" in text
    markdown = (folder / "table_lt.md").read_text()
    assert r"needs \| region\_features" in markdown
    assert "| coop | skipped | - | - | - | - | 0 |" in markdown
    assert "2 of 8 units done, 3 skipped, 1 failed, 2 not run" in page
    assert not (folder / "groups_voc-lt.png").exists()  # nothing to draw


@pytest.mark.usefixtures("no_figures")
def test_no_record_at_all(tmp_path):
    units = fakes.units()
    assert report.write(units, tmp_path / "s" / "miniature").is_file()
    assert "units missing" in report.summary(units, tmp_path / "s" / "miniature")
    assert not list(tmp_path.rglob("*.png")) and not list(tmp_path.rglob("*.part"))
    with pytest.raises(InputError, match="no units"):
        report.write([], tmp_path)


@pytest.mark.usefixtures("no_figures")
def test_records_of_other_units_do_not_count(tmp_path):
    units, results = small(tmp_path, fakes.record)
    before = report.summary(units, results)
    stale = [replace(u, hyperparameters=(("lr", 0.5),)) for u in units]
    fakes.store(results, [fakes.record(u) for u in stale])
    assert report.summary(units, results) == before
    assert "8 of other units left out" in report.write(units, results).read_text()


@pytest.mark.usefixtures("no_figures")
def test_a_done_record_beats_an_old_failure_and_labels_may_share_a_key(tmp_path):
    units, results = small(tmp_path, fakes.record, methods=("coop",))
    fakes.store(results, [fakes.failed(units[0], "ValueError: old")])
    twins = units + [replace(u, label="twin") for u in units]
    report.write(twins, results)
    found = rows(results, "table_lt")
    assert found["coco-lt", "coop"]["failed"] == "0"
    assert found["coco-lt", "coop"]["total_mean"] == found["coco-lt", "twin"]["total_mean"]


def test_mixed_splits_are_refused(tmp_path):
    def changes(u):
        return fakes.record(u, **({"split_sha256": "other"} if u.seed == 1 else {}))

    units, results = small(tmp_path, changes)
    for call in (report.write, report.summary):
        with pytest.raises(InputError, match="coco-lt mixes records of different splits"):
            call(units, results)
    assert not (results / "report").exists()


def older(u):
    """A record as it was before redraw, preprocessing and restriction were recorded."""
    record = fakes.record(u)
    for name in ("preprocess", "restriction"):
        del record[name]
    del record["metrics"]["map_redraw"]
    return record


@pytest.mark.usefixtures("no_figures")
def test_older_records_still_render(tmp_path):
    units = fakes.units(tasks=("coco-lt", "coco-fs-1"))
    results = fakes.store(tmp_path / "cimlic" / "miniature", map(older, units))
    page = report.write(units, results).read_text()
    assert "redraw" not in page and "restricted" not in page and "| preprocess | clip |" in page
    fakes.store(results, [fakes.record(u) for u in units if u.episode in (1, 2)])
    text = formats.markdown(second_metrics.redraw(grid.gather(units, results)))
    line = next(x for x in text.splitlines() if x.startswith("| coop"))
    assert line.endswith("(2) | 10 |")  # two of ten records have the second metric
    assert "identical in 8 of 8" in report.against_reference(units, results, results)


PART = "2 of 1,909 training and 128 of 5,000 test images"


@pytest.mark.usefixtures("few_figures")
def test_a_restriction_is_in_every_caption(tmp_path):
    def changes(u):
        return fakes.record(u, restriction=PART if u.task == "coco-lt" else None)

    units = fakes.units(("coop", "hpdval"), ("coco-lt", "voc-lt", "voc-fs-1"), scale="paper")
    results = fakes.store(tmp_path / "cimlic" / "paper", map(changes, units))
    page = report.write(units, results).read_text()
    words = f"restricted to {PART}, COCO-LT"
    folder = results / "report"
    for name in ("table_lt.md", "table_lt.tex"):
        assert f"paper scale, {words}: mAP" in (folder / name).read_text()
    assert f"Both protocols, paper scale, {words}: mAP" in page
    assert f"| restricted to | {PART}, COCO-LT |" in page
    assert page.startswith("# cimlic, paper scale, restricted to part of the images\n")
    assert page.count(f"COCO-LT, paper scale, restricted to {PART}: ") == 2  # its figures
    assert "restricted to part" in (folder / "groups_coco-lt.svg").read_text()
    assert "restricted" not in (folder / "groups_voc-lt.svg").read_text()
    assert "restricted" not in (folder / "table_fs.md").read_text()  # that part is whole
    assert words in " ".join(report.summary(units, results).split())
    lt = rows(results, "table_lt")
    assert lt["coco-lt", "coop"]["restriction"] == PART
    assert lt["voc-lt", "coop"]["restriction"] == ""


@pytest.mark.usefixtures("no_figures")
def test_preprocessing_is_a_fact_and_a_setting(tmp_path):
    units, results = small(tmp_path, fakes.record, methods=("coop", "hpdval"))
    other = [replace(u, preprocess="square-raw") if u.label == "hpdval" else u for u in units]
    fakes.store(results, [fakes.record(u) for u in other])
    page = report.write(other, results).read_text()
    assert "| preprocess | clip (coop); square-raw (hpdval) |" in page
    reference = fakes.store(tmp_path / "reference", [older(u) for u in units])
    text = report.against_reference(other, results, reference)
    assert "identical in 2 of 4" in text
    assert len([x for x in text.splitlines() if x.endswith("other preprocess")]) == 2


def test_bad_input_is_a_gap_with_its_own_words(tmp_path):
    def changes(u):
        failure = fakes.failed(u, "benchmark.common.errors.InputError: a.jpg: cut off")
        return failure | {"kind": "input", "error": "a.jpg: cut off"}

    units, results = small(tmp_path, changes, methods=("coop",))
    assert "3 failed (a.jpg: cut off)" in report.summary(units, results)


@pytest.mark.usefixtures("few_figures")
def test_report_of_fewer_tasks_removes_old_figures(tmp_path):
    units, results = small(tmp_path, fakes.record)
    report.write(units, results)
    report.write([u for u in units if u.task == "voc-lt"], results)
    names = {p.name for p in (results / "report").iterdir()}
    assert "groups_voc-lt.svg" in names and "groups_coco-lt.svg" not in names


def test_compare(full, tmp_path):
    units, records, results = full
    assert "identical in 24 of 24 cells." in report.against_reference(units, results, results)

    def other(r):
        shift = {"coop": 0.004, "hpdval": 1.5}.get(r["label"], 0) if r["task"] == "voc-lt" else 0
        return {**r, "metrics": {**r["metrics"], "map": r["metrics"]["map"] + shift}}

    reference = fakes.store(tmp_path / "reference", list(map(other, records)))
    few = [u for u in units if u.seed == 0 and (u.episode or 1) <= 2]  # reduced size
    text = report.against_reference(few, results, reference)
    assert "identical in 22 of 24 cells, within 0.01 mAP in 1, different in 1." in text
    line = next(x for x in text.splitlines() if x.startswith("VOC-LT"))
    assert line.split()[1] == "hpdval" and "-1.50" in line and line.split()[3] == "1"

    tuned = [replace(u, hyperparameters=(("epochs", 10), ("lr", 0.5))) for u in units[:3]]
    tuned += [replace(units[0], label="mine", hyperparameters=()), units[-1]]
    mine = fakes.store(tmp_path / "mine", [fakes.record(u) for u in tuned[:-1]])
    text = report.against_reference(tuned, mine, reference)
    assert "other settings in 2" in text and "other lr" in text
    assert "no result here in 1" in text and "1 cells are not in the reference" in text
    nothing = report.against_reference(units, results, tmp_path / "none")
    assert "no reference records" in nothing


def test_a_base_stage_that_many_episodes_share_counts_once():
    from benchmark.report.page.markdown import _seconds

    episodes = [
        {"label": "a", "seconds": {"base": 60.5, "fit": 2.0, "predict": 1.0}} for _ in range(10)
    ]
    other = [{"label": "b", "seconds": {"base": None, "fit": 4.0, "predict": None}}]
    assert _seconds(episodes + other) == 60.5 + 30 + 4


def test_a_task_that_several_kinds_of_machine_computed_is_named(tmp_path):
    def record(unit):
        card = "A100" if (unit.task, unit.seed) == ("voc-lt", 2) else "H100"
        origin = fakes.record(unit)["provenance"] | {"device": f"cuda {card}"}
        return fakes.record(unit, provenance=origin)

    units, results = small(tmp_path, record)
    device = dict(markdown.facts(grid.gather(units, results)))["device"]
    assert device.startswith("cuda H100, cuda A100; mixed in VOC-LT: only equal hardware")
