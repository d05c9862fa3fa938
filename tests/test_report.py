"""The report: cell values, gaps, formats, figures, and agreement with a reference."""

from __future__ import annotations

import csv
import io
import statistics
from dataclasses import replace

import pytest
import report_fakes as fakes

from benchmark import report
from benchmark.errors import InputError
from benchmark.report import cells, formats, frequency, style, tables

LT = ("coco-lt", "voc-lt")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A complete suite of records and its report: (units, records, results folder)."""
    results = tmp_path_factory.mktemp("full") / "cimlic" / "miniature"
    units = fakes.units()
    records = [fakes.record(u) for u in units]
    fakes.store(results, records)
    report.write(units, results)
    return units, records, results


def rows(results, name):
    text = (results / "report" / f"{name}.csv").read_text()
    return {(r["task"], r["method"]): r for r in csv.DictReader(io.StringIO(text))}


def small(tmp_path, changes, methods=("zeroshot", "coop"), **kwargs):
    """Units of long-tailed tasks; changes(unit) gives each one's record, or None."""
    units = fakes.units(methods=methods, tasks=LT, **kwargs)
    results = tmp_path / "cimlic" / "miniature"
    fakes.store(results, [r for r in map(changes, units) if r])
    return units, results


def grid_of(values, label="coop", metric="map"):
    """A grid of one cell whose done records have these values of one metric."""
    done = tuple({"metrics": {metric: v}, "status": "done"} for v in values)
    cell = cells.Cell("coco-lt", label, len(done), done)
    return cells.Grid("s", "miniature", ("coco-lt",), (), (label,), {("coco-lt", label): cell}, 0)


def test_mean_std_n_by_hand():
    found = cells.stat([30.0, 32.0, 37.0, None, float("nan")])
    assert found.n == 3 and found.mean == pytest.approx(33.0)
    assert found.std == pytest.approx((((-3) ** 2 + (-1) ** 2 + 4**2) / 2) ** 0.5)
    assert cells.stat([5.0]) == cells.Stat(5.0, None, 1)
    assert cells.stat([None]) is None
    entry = tables.long_tailed(grid_of([30.0, 32.0, 37.0])).blocks[0].rows[0][0]
    assert formats.plain(entry) == "33.00 ± 3.61"
    single = tables.long_tailed(grid_of([30.0])).blocks[0].rows[0][0]
    assert formats.plain(single) == "30.00 ± -"


def test_every_cell_of_a_full_suite(full):
    _, records, results = full
    lt, fs = rows(results, "table_lt"), rows(results, "table_fs")
    assert len(lt) == 2 * 4 and len(fs) == 4 * 4
    columns = {"total": "map", "head": "head", "medium": "medium", "tail": "tail", "var": "var"}
    for at, row in {**lt, **fs}.items():
        mine = [r["metrics"] for r in records if (r["task"], r["label"]) == at]
        assert int(row["n"]) == int(row["expected"]) == len(mine) and row["missing"] == "0"
        for column, metric in (columns if at in lt else {"novel": "novel"}).items():
            values = [m[metric] for m in mine]
            assert float(row[f"{column}_mean"]) == pytest.approx(statistics.mean(values), abs=1e-5)
            if len(values) == 1:
                assert row[f"{column}_std"] == ""
            else:
                std = statistics.stdev(values)
                assert float(row[f"{column}_std"]) == pytest.approx(std, abs=1e-5)
    assert {(r["dataset"], r["shots"]) for r in fs.values()} == {
        (d, s) for d in ("coco", "voc") for s in "15"
    }


def test_files_of_a_full_report(full):
    folder = full[2] / "report"
    pictures = ["fewshot", *(f"{kind}_{task}" for kind in ("groups", "frequency") for task in LT)]
    expected = {f"{p}.{kind}" for p in pictures for kind in ("png", "svg")} | {"report.md"}
    expected |= {f"{t}.{kind}" for t in ("table_lt", "table_fs") for kind in ("md", "csv", "tex")}
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


def test_output_repeats_byte_for_byte(full, tmp_path):
    units, records, results = full
    fakes.store(tmp_path, list(reversed(records)))
    folder = report.write(units, tmp_path).parent
    for old in (results / "report").iterdir():
        assert (folder / old.name).read_bytes() == old.read_bytes(), old.name


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
    assert "coop on coco-lt: 2 of 3 units missing, of them 1 failed (ValueError: 50% NaN)" in text
    assert "zeroshot on voc-lt: 1 of 1 units missing" in text
    assert "coop on voc-lt: skipped, needs | region_features" in text
    assert "1/3" in text
    markdown = (folder / "table_lt.md").read_text()
    assert r"needs \| region\_features" in markdown
    assert "| coop | skipped | - | - | - | - | 0 |" in markdown
    assert "2 of 8 units done, 3 skipped, 1 failed, 2 not run" in page
    assert not (folder / "groups_voc-lt.png").exists()  # nothing to draw


def test_no_record_at_all(tmp_path):
    units = fakes.units()
    assert report.write(units, tmp_path / "s" / "miniature").is_file()
    assert "units missing" in report.summary(units, tmp_path / "s" / "miniature")
    assert not list(tmp_path.rglob("*.png")) and not list(tmp_path.rglob("*.part"))
    with pytest.raises(InputError, match="no units"):
        report.write([], tmp_path)


def test_records_of_other_units_do_not_count(tmp_path):
    units, results = small(tmp_path, fakes.record)
    before = report.summary(units, results)
    stale = [replace(u, hyperparameters=(("lr", 0.5),)) for u in units]
    fakes.store(results, [fakes.record(u) for u in stale])
    assert report.summary(units, results) == before
    assert "8 of other units left out" in report.write(units, results).read_text()


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


def test_best_and_second_of_a_column():
    def ranks(values, column="total"):
        block = [[tables.Entry(cells.Stat(v, None, 1) if v else None)] for v in values]
        return [row[0].rank for row in tables._ranked((column,), block)]

    assert ranks([30, 32, 31]) == [0, 1, 2]
    assert ranks([30.001, 30.004, 29]) == [1, 1, 2]  # equal as printed
    assert ranks([None, 30, 29]) == [0, 1, 2]
    assert ranks([30]) == [0] and ranks([30, 30]) == [0, 0]
    assert ranks([30, 31], "var") == [0, 0]


def older(u):
    """A record as it was before redraw, preprocessing and restriction were recorded."""
    record = fakes.record(u)
    for name in ("preprocess", "restriction"):
        del record[name]
    del record["metrics"]["map_redraw"]
    return record


def test_the_redraw_stands_beside_the_headline(full):
    units, records, results = full
    table = tables.redraw(cells.gather(units, results))
    assert [block.name for block in table.blocks] == ["coco-fs-1", "coco-fs-5"]
    assert table.blocks[0].columns == ("novel", "redraw", "n")
    row = table.blocks[1].rows[table.labels.index("coop")]
    for entry, metric in zip(row[:2], ("novel", "map_redraw"), strict=True):
        mine = [r["metrics"] for r in records if (r["task"], r["label"]) == ("coco-fs-5", "coop")]
        assert entry.stat.mean == pytest.approx(statistics.mean(m[metric] for m in mine))
    page = (results / "report" / "report.md").read_text()
    assert "class-balanced redraw" in page and "| method | novel | redraw | n |" in page
    voc = [u for u in units if u.task.startswith("voc")]
    assert tables.redraw(cells.gather(voc, results)) is None


def test_older_records_still_render(tmp_path):
    units = fakes.units(tasks=("coco-lt", "coco-fs-1"))
    results = fakes.store(tmp_path / "cimlic" / "miniature", map(older, units))
    page = report.write(units, results).read_text()
    assert "redraw" not in page and "restricted" not in page and "| preprocess | clip |" in page
    fakes.store(results, [fakes.record(u) for u in units if u.episode in (1, 2)])
    text = formats.markdown(tables.redraw(cells.gather(units, results)))
    line = next(x for x in text.splitlines() if x.startswith("| coop"))
    assert line.endswith("(2) | 10 |")  # two of ten records have the second metric
    assert "identical in 8 of 8" in report.compare(units, results, results)


PART = "2 of 1,909 training and 128 of 5,000 test images"


def test_a_restriction_is_in_every_caption(tmp_path):
    def changes(u):
        return fakes.record(u, restriction=PART if u.task == "coco-lt" else None)

    units = fakes.units(("coop", "hpdval"), ("coco-lt", "voc-lt", "voc-fs-1"), scale="paper")
    results = fakes.store(tmp_path / "cimlic" / "paper", map(changes, units))
    page = report.write(units, results).read_text()
    words = f"restricted to {PART}, coco-lt"
    folder = results / "report"
    for name in ("table_lt.md", "table_lt.tex"):
        assert f"paper scale, {words}: mAP" in (folder / name).read_text()
    assert f"Second metric, paper scale, {words}: total" in page
    assert f"| restricted to | {PART}, coco-lt |" in page
    assert page.startswith("# cimlic, paper scale, restricted to part of the images\n")
    assert page.count(f"coco-lt, paper scale, restricted to {PART}: ") == 2  # its figures
    assert "restricted to part" in (folder / "groups_coco-lt.svg").read_text()
    assert "restricted" not in (folder / "groups_voc-lt.svg").read_text()
    assert "restricted" not in (folder / "table_fs.md").read_text()  # that part is whole
    assert words in " ".join(report.summary(units, results).split())
    lt = rows(results, "table_lt")
    assert lt["coco-lt", "coop"]["restriction"] == PART
    assert lt["voc-lt", "coop"]["restriction"] == ""


def test_tasks_of_one_restricted_split_are_named_together(tmp_path):
    tasks = ("coco-lt", "coco-fs-1", "coco-fs-5")
    part = {"coco-lt": PART, "coco-fs-1": "some", "coco-fs-5": "some"}
    units = fakes.units(("coop",), tasks)
    records = [fakes.record(u, restriction=part[u.task]) for u in units]
    grid = cells.gather(units, fakes.store(tmp_path, records))
    assert cells.restrictions(grid, tasks) == f"{PART}, coco-lt; some, coco-fs-1, coco-fs-5"
    assert cells.restrictions(grid, ["coco-fs-5"], named=False) == "some"
    assert "restricted to some, coco-fs-1, coco-fs-5: mAP" in tables.redraw(grid).caption


def test_preprocessing_is_a_fact_and_a_setting(tmp_path):
    units, results = small(tmp_path, fakes.record, methods=("coop", "hpdval"))
    other = [replace(u, preprocess="square-raw") if u.label == "hpdval" else u for u in units]
    fakes.store(results, [fakes.record(u) for u in other])
    page = report.write(other, results).read_text()
    assert "| preprocess | clip (coop); square-raw (hpdval) |" in page
    reference = fakes.store(tmp_path / "reference", [older(u) for u in units])
    text = report.compare(other, results, reference)
    assert "identical in 2 of 4" in text
    assert len([x for x in text.splitlines() if x.endswith("other preprocess")]) == 2


def test_bad_input_is_a_gap_with_its_own_words(tmp_path):
    def changes(u):
        failure = fakes.failed(u, "benchmark.errors.InputError: a.jpg: cut off")
        return failure | {"kind": "input", "error": "a.jpg: cut off"}

    units, results = small(tmp_path, changes, methods=("coop",))
    assert "3 failed (a.jpg: cut off)" in report.summary(units, results)


def test_latex_and_markdown_escape_names():
    label = r"my_50%_{x}|*a*\b"
    table = tables.long_tailed(grid_of([30.0], label))
    tex = formats.latex(table)
    assert r"my\_50\%\_\{x\}\textbar{}*a*\textbackslash{}b &" in tex
    assert formats.markdown(table).count(r"| my\_50%\_{x}\|\*a\*\\b |") == 1
    plain = tex.replace(r"\{", "").replace(r"\}", "").replace("\\\\", "")
    assert plain.count("{") == plain.count("}")


def test_latex_is_well_formed(full):
    for name in ("table_lt", "table_fs"):
        tex = (full[2] / "report" / f"{name}.tex").read_text()
        assert tex.count("{") == tex.count("}") and r"\toprule" in tex and r"\textbf{" in tex
        body = tex.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
        columns = 1 + (12 if name == "table_lt" else 4)
        assert [line.count("&") for line in body] == [columns - 1] * 4


def test_summary_fits_a_terminal(full):
    text = report.summary(full[0], full[2])
    assert max(map(len, text.splitlines())) <= 100
    assert "hpdval" in text and "coco 5-shot" in text and "not COCO/VOC" in text


def test_report_of_fewer_tasks_removes_old_figures(tmp_path):
    units, results = small(tmp_path, fakes.record)
    report.write(units, results)
    report.write([u for u in units if u.task == "voc-lt"], results)
    names = {p.name for p in (results / "report").iterdir()}
    assert "groups_voc-lt.svg" in names and "groups_coco-lt.svg" not in names


def test_compare(full, tmp_path):
    units, records, results = full
    assert "identical in 24 of 24 cells." in report.compare(units, results, results)

    def other(r):
        shift = {"coop": 0.004, "hpdval": 1.5}.get(r["label"], 0) if r["task"] == "voc-lt" else 0
        return {**r, "metrics": {**r["metrics"], "map": r["metrics"]["map"] + shift}}

    reference = fakes.store(tmp_path / "reference", list(map(other, records)))
    few = [u for u in units if u.seed == 0 and (u.episode or 1) <= 2]  # reduced size
    text = report.compare(few, results, reference)
    assert "identical in 22 of 24 cells, within 0.01 mAP in 1, different in 1." in text
    line = next(x for x in text.splitlines() if x.startswith("voc-lt"))
    assert line.split()[1] == "hpdval" and "-1.50" in line and line.split()[3] == "1"

    tuned = [replace(u, hyperparameters=(("epochs", 10), ("lr", 0.5))) for u in units[:3]]
    tuned += [replace(units[0], label="mine", hyperparameters=()), units[-1]]
    mine = fakes.store(tmp_path / "mine", [fakes.record(u) for u in tuned[:-1]])
    text = report.compare(tuned, mine, reference)
    assert "other settings in 2" in text and "other lr" in text
    assert "no result here in 1" in text and "1 cells are not in the reference" in text
    nothing = report.compare(units, results, tmp_path / "none")
    assert "no reference records" in nothing


def test_looks_differ_for_many_methods():
    assert len({style.look(i) for i in range(40)}) == 40
    looks = [style.look(i) for i in range(8)]
    assert len({x.colour for x in looks}) == len({x.hatch for x in looks}) == 8


def test_frequency_uses_class_means_and_leaves_absent_classes_out():
    records = [
        {"train_counts": {"a": 5, "b": 200, "c": 9}, "per_class_ap": {"a": x, "b": 50.0, "c": None}}
        for x in (10.0, 20.0)
    ]
    counts, aps = frequency.per_class(records)
    assert counts.tolist() == [5, 200] and aps.tolist() == [15.0, 50.0]


def test_a_base_stage_that_many_episodes_share_counts_once():
    from benchmark.report import page

    episodes = [
        {"label": "a", "seconds": {"base": 60.5, "fit": 2.0, "predict": 1.0}} for _ in range(10)
    ]
    other = [{"label": "b", "seconds": {"base": None, "fit": 4.0, "predict": None}}]
    assert page._seconds(episodes + other) == 60.5 + 30 + 4
