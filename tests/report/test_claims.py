"""The paper's claims held against records of which the answer is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark import report
from benchmark.published import reading
from benchmark.report import claims, finding
from benchmark.report.bootstrap import Row, judged
from benchmark.report.grid import Stat, gather
from benchmark.report.tables import claims as tables
from benchmark.report.tables import formats
from benchmark.suites.tables import ReportLayout, TableSpec
from tests.helpers import suite_records as fakes

TITLES = {
    "zeroshot": "Zero-shot CLIP",
    "coop": "CoOp",
    "dualcoop": "DualCoOp",
    "hpdval": "HP-DVAL",
    "hpdval-released": "HP-DVAL (released code)",
}
OTHERS = {"zeroshot": 40.0, "coop": 45.0, "dualcoop": 44.0}
HEADLINES = ("coco-lt", "voc-lt", "coco-fs-5", "voc-fs-5")
SOFTMAX = {"hpdval": 5.0, "hpdval-released": 1.0}  # how much of mAP it adds; 3 to the others


def made(folder, levels, titles=TITLES, spread=0.0, method=None):
    """The grid of {task: {label: mAP}}: two seeds or episodes, `spread` apart around the mean in
    what is no baseline. DualCoOp has no softmax; `method` names the methods of labels."""
    units, records = [], []
    for task, values in levels.items():
        for unit in fakes.units(values, (task,), seeds=2, episodes=2):
            unit = replace(unit, method=(method or {}).get(unit.label, unit.label))
            sign = 1 if (unit.episode or unit.seed + 1) == 2 else -1
            total = values[unit.label] + sign * spread / 2 * (unit.label not in OTHERS)
            metrics = {"map": total, "head": total - 10, "medium": total, "tail": total}
            metrics |= {"var": 1.0, "novel": total if unit.episode else None, "map_redraw": None}
            softmax = None if unit.label == "dualcoop" else total + SOFTMAX.get(unit.label, 3.0)
            units.append(unit)
            records.append(fakes.record(unit, metrics=metrics | {"map_softmax": softmax}))
    fakes.store(folder, records)
    return gather(units, folder, titles)


def pairs(task, diff, real, a="hpdval", b="coop"):
    """What the bootstrap says of one pair: `diff` of `a` over `b`."""
    low, high = (diff - 0.1, diff + 0.1) if real else (-abs(diff) - 1, abs(diff) + 1)
    return {task: judged(task, {a: 50.0, b: 50.0 - diff}, [Row(a, b, diff, low, high, None, 2)])}


def by_task(found, label="hpdval"):
    return {one.place.task: one for one in found if one.label == label}


# -- the headline gains ---------------------------------------------------------------------------


def test_holds_significantly_or_not_fails_and_not_run(tmp_path):
    levels = {"coco-lt": 50.0, "voc-lt": 45.4, "coco-fs-5": 44.0}
    grid = made(tmp_path, {task: {**OTHERS, "hpdval": level} for task, level in levels.items()})
    tested = pairs("coco-lt", 5.0, True) | pairs("voc-lt", 0.4, False)
    tested |= pairs("coco-fs-5", -1.0, True)
    found = by_task(claims.headlines(grid, tested))
    assert list(found) == list(HEADLINES)  # in the abstract's order
    assert {task: one.stated for task, one in found.items()} == dict(
        zip(HEADLINES, (10.0, 5.2, 6.8, 2.9), strict=True)
    )
    best = {task: one.best for task, one in found.items()}
    assert [(g.over, g.real, g.holds) for g in best.values() if g] == [
        ("coop", True, True),
        ("coop", False, True),
        ("coop", True, False),
    ]
    assert best["coco-lt"].stat == Stat(5.0, 0.0, 2) and best["voc-fs-5"] is None
    assert finding.finding(grid, tested).startswith(
        "Of the paper's four headline gains, HP-DVAL over the best other method, the sign holds "
        "here in two of three for HP-DVAL (one significantly); after a softmax over each image's "
        "classes, in three of three. Kendall"
    )


def test_without_scores_nothing_is_called_significant(tmp_path):
    grid = made(tmp_path, {"coco-lt": {**OTHERS, "hpdval": 50.0}})
    assert "significant" not in finding.finding(grid, {})


def test_that_no_gain_is_significant_is_said(tmp_path):
    grid = made(tmp_path, {"coco-lt": {**OTHERS, "hpdval": 45.4}})
    found = finding.finding(grid, pairs("coco-lt", 0.4, False))
    assert "in one of one for HP-DVAL (none significantly)" in found


def test_a_rival_that_the_paper_has_no_row_for_counts(tmp_path):
    tasks = ("coco-lt", "coco-fs-5")
    grid = made(tmp_path, {x: {**OTHERS, "lmclip": 51.0, "hpdval": 50.0} for x in tasks})
    best = {task: one.best for task, one in by_task(claims.headlines(grid, {})).items()}
    assert [(best[task].over, best[task].holds) for task in tasks] == [("lmclip", False)] * 2


def test_after_the_softmax_the_best_other_method_may_be_another(tmp_path):
    values = {"zeroshot": 43.0, "coop": 40.0, "dualcoop": 46.0, "hpdval": 45.0}
    grid = made(tmp_path, {"coco-lt": values})
    one = by_task(claims.headlines(grid, pairs("coco-lt", -1.0, True, b="dualcoop")))["coco-lt"]
    assert (one.best.over, one.best.stat.mean) == ("dualcoop", pytest.approx(-1.0))
    assert (one.softmax.over, one.softmax.stat.mean) == ("zeroshot", pytest.approx(4.0))
    assert one.softmax.real is None  # the bootstrap is of raw scores
    assert [g.stat.mean for g in one.over["coop"]] == pytest.approx([5.0, 7.0])
    text = finding.finding(grid, {})
    assert "holds here in none of one for HP-DVAL; after" in text
    assert "classes, in one of one. " in text


def test_each_form_of_the_method_is_held_against_the_others_only(tmp_path):
    values = {**OTHERS, "hpdval": 44.0, "hpdval-released": 47.0}
    grid = made(tmp_path, {"coco-lt": values})
    found = claims.headlines(grid, {})
    assert [one.label for one in found] == ["hpdval"] * 4 + ["hpdval-released"] * 4
    assert {one.best.over for one in found if one.best} == {"coop"}
    text = finding.finding(grid, {})
    counted = "none of one for HP-DVAL and one of one for HP-DVAL (released code)"
    assert counted in text, text
    assert "classes, in one of one and none of one." in text, text
    assert "COCO-LT (4 methods) with HP-DVAL" not in text  # DualCoOp is not in print
    assert "(3 methods) with HP-DVAL; " in text


def test_a_form_is_known_by_its_method_and_rows_of_ablations_are_none(tmp_path):
    values = {**OTHERS, "ours": 50.0, "dval": 60.0}
    method = {"ours": "hpdval", "dval": "hpdval"}
    grid = made(tmp_path, {"coco-lt": values}, method=method)
    spec = TableSpec("t", "T", "Table V", ("x",), {"dval": ("y",)})
    from benchmark.report.tables import ablations

    shown = ablations.general(grid, ReportLayout((spec,)))
    assert {one.label for one in claims.headlines(shown, {})} == {"ours"}
    plugin = made(tmp_path / "p", {"coco-lt": {**OTHERS, "mine": 70.0, "hpdval": 50.0}})
    assert by_task(claims.headlines(plugin, {}))["coco-lt"].best.over == "coop"  # not a baseline


def test_no_sentence_without_the_papers_method(tmp_path):
    grid = made(tmp_path, {"coco-lt": OTHERS})
    assert finding.finding(grid, {}) == "" and tables.headlines(grid, {}) is None


def test_alone_there_is_nothing_to_judge(tmp_path):
    grid = made(tmp_path, {"coco-lt": {"hpdval": 50.0}})
    assert "nothing is there to hold HP-DVAL against" in finding.finding(grid, {})
    assert tables.headlines(grid, {}) is None


def test_one_form_may_have_no_other_method_beside_it(tmp_path):
    values = {"coco-lt": {**OTHERS, "hpdval": 50.0}, "voc-lt": {"hpdval-released": 50.0}}
    text = finding.finding(made(tmp_path, values), {})
    assert "one of one for HP-DVAL and none for HP-DVAL (released code)" in text


def test_the_order_of_the_methods_is_told_with_its_tau(tmp_path):
    # In print zero-shot < CoOp < HP-DVAL, and DualCoOp is not.
    grid = made(tmp_path, {"coco-lt": {**OTHERS, "hpdval": 50.0}})
    assert "total mAP: 1.00 on COCO-LT (3 methods)." in finding.finding(grid, {})
    turned = made(tmp_path / "t", {"coco-lt": {**OTHERS, "hpdval": 42.0}})
    found = {p.column: x for p, x in claims.agreement(turned, "hpdval").items()}
    assert found["total"] == (3, pytest.approx(1 / 3)) and "var" not in found


def test_the_table_of_headline_gains(tmp_path):
    grid = made(tmp_path, {"coco-lt": {**OTHERS, "hpdval": 50.0}}, spread=0.5)
    table = tables.headlines(grid, pairs("coco-lt", 5.0, True))
    assert table.leading[0] == ("COCO-LT", "HP-DVAL")
    text = formats.markdown(table)
    line = next(x for x in text.splitlines() if x.startswith("| COCO-LT"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2:6] == ["+10.0", "+5.00 ± 0.35 (2)", "yes", "CoOp"]
    assert cells[6:9] == ["+7.00 ± 0.35 (2)", "+10.00 ± 0.35 (2)", "+12.00 ± 0.35 (2)"]
    gone = next(x for x in text.splitlines() if x.startswith("| VOC 5-shot"))
    assert "| +2.9 | - | not run | - | - |" in gone
    (row, *_) = [*csv_rows(table, grid)]
    assert (row["task"], row["method"], row["over the best other which"]) == (
        "coco-lt", "hpdval", "coop",
    )  # fmt: skip
    assert float(row["over CoOp gain_mean"]) == 5.0
    tex = formats.latex(table)
    assert "$+5.00$" in tex and r"\multicolumn{4}{c}{over the best other}" in tex


def csv_rows(table, grid):
    import csv
    import io

    return csv.DictReader(io.StringIO(formats.csv_as_shown(table, grid)))


# -- the other claims -----------------------------------------------------------------------------


def verdicts(grid, tested=None, chosen=claims.ablations):
    found = claims.verdicts(grid, tested or {}, chosen)
    return {(one.claim.text, *one.place): one for one in found}


@pytest.mark.parametrize(
    ("diff", "real", "holds"),
    [(1.0, True, "yes"), (1.0, False, "cannot be told"), (-1.0, True, "no"), (-1.0, False, None)],
)
def test_a_claim_holds_fails_or_cannot_be_told(tmp_path, diff, real, holds):
    grid = made(tmp_path, {"coco-lt": {"dval": 50.0, "dval-hpt": 50.0 + diff}})
    tested = pairs("coco-lt", diff, real, "dval-hpt", "dval")
    one = verdicts(grid, tested)["HPT on top of DVAL", "coco-lt", "total"]
    assert one.holds == (holds or "cannot be told")
    assert one.gain.stat.mean == pytest.approx(diff) and one.gain.over == "dval"
    assert (one.printed, one.logged) == (pytest.approx(0.30), None)


def test_without_scores_the_spread_over_seeds_decides(tmp_path):
    for spread, holds in ((0.0, "yes"), (1.0, "cannot be told")):
        grid = made(tmp_path / holds, {"coco-lt": {"k-24": 50.0, "k-32": 51.0}})
        assert verdicts(grid)["k = 32 over all others", "coco-lt", "total"].holds == "yes"
        values = {"coop": 50.0, "hpdval": 51.0}  # the spread is that of hpdval alone
        grid = made(tmp_path / f"g{spread}", {"coco-lt": values}, spread=spread)
        group = verdicts(grid, chosen=claims.groups)
        assert group["HP-DVAL over the best baseline", "coco-lt", "head"].holds == holds
    assert ("HP-DVAL over the best baseline", "coco-lt", "total") not in group  # a headline gain


def test_the_best_of_the_other_rows_counts(tmp_path):
    values = {"alpha-0.2": 50.0, "alpha-0.4": 51.0, "alpha-0.8": 52.0}
    grid = made(tmp_path, {"coco-lt": values})
    one = verdicts(grid)["alpha = 0.4 over all others", "coco-lt", "total"]
    assert (one.gain.over, one.holds) == ("alpha-0.8", "no")


def test_every_claim_is_of_a_headline_a_group_or_an_ablation():
    data = reading.load()
    assert [*claims.groups(data), *claims.ablations(data)] == list(data.claims)
    assert {c.table for c in claims.ablations(data)} == {
        "losses", "losses-by-method", "components", "prompts", "alpha", "k", "m",
    }  # fmt: skip


def test_tables_of_ablations_name_their_source(tmp_path):
    grid = made(tmp_path, {"coco-lt": {"dval": 50.0, "dval-hpt": 51.0}}, {"dval": "HP-DVAL (dval)"})
    table = tables.ablations(grid, {})
    assert table.leading == (("HPT on top of DVAL", "Table V", "COCO-LT", "total"),)
    assert "| +0.30 | - | +1.00 ± 0.00 (2) | DVAL | yes |" in formats.markdown(table)
    (row,) = csv_rows(table, grid)
    assert (row["task"], row["over"]) == ("coco-lt", "dval")
    assert tables.groups(grid, {}) is None


# -- in the report --------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_figures")
def test_the_sentence_is_on_top_of_page_markdown_and_summary(tmp_path):
    units = fakes.units(episodes=2)
    results = fakes.store(tmp_path / "cimlic" / "miniature", [fakes.record(u) for u in units])
    layout = ReportLayout(titles=TITLES)
    page = report.write(units, results, layout).read_text()
    grid = gather(units, results, TITLES)
    text = finding.finding(grid, {})
    assert text.startswith("Of the paper's four headline gains")
    first, _, rest = text.partition(". ")
    assert page.split("\n\n")[1] == f"**{first}.** {rest}"
    html = (results / "report" / "index.html").read_text()
    shown = f"<strong>{first}. </strong>{rest}".replace("'", "&#39;")
    assert shown in html.partition('<dl class="tiles">')[0]
    summary = report.summary(units, results, layout)
    assert " ".join(summary.split()).startswith(text)
    assert (results / "report" / report.SUMMARY).read_text() == summary
    titles = [line for line in page.splitlines() if line.startswith("## ")]
    assert titles[:4] == [
        "## The paper's headline gains",
        "## Long-tailed tasks",
        "## Few-shot tasks",
        "## Both protocols",
    ]
