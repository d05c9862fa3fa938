"""The tables: values of cells, marks of best, second and not distinguishable, formats."""

from __future__ import annotations

import statistics

import pytest

from benchmark import report
from benchmark.report.bootstrap import Row, judged
from benchmark.report.grid import Cell, Grid, Stat, gather, in_order, restrictions, stat
from benchmark.report.tables import formats, second_metrics, sections
from benchmark.report.tables.table import Entry, few_shot, long_tailed, ranked
from tests.helpers import suite_records as fakes

LT = ("coco-lt", "voc-lt")


@pytest.fixture(scope="module")
def full(complete):
    """A complete suite of records: (units, records, results folder, grid)."""
    return *complete, gather(complete[0], complete[2])


def grid_of(values, label="coop", metric="map"):
    """A grid of one cell whose done records have these values of one metric."""
    done = tuple({"metrics": {metric: v}, "status": "done"} for v in values)
    cell = Cell("coco-lt", label, len(done), done)
    return Grid("s", "miniature", ("coco-lt",), (), (label,), {("coco-lt", label): cell}, 0)


def test_mean_std_n_by_hand():
    found = stat([30.0, 32.0, 37.0, None, float("nan")])
    assert found.n == 3 and found.mean == pytest.approx(33.0)
    assert found.std == pytest.approx((((-3) ** 2 + (-1) ** 2 + 4**2) / 2) ** 0.5)
    assert stat([5.0]) == Stat(5.0, None, 1)
    assert stat([None]) is None
    entry = long_tailed(grid_of([30.0, 32.0, 37.0])).blocks[0].rows[0][0]
    assert formats.plain(entry) == "33.00 ± 3.61"
    single = long_tailed(grid_of([30.0])).blocks[0].rows[0][0]
    assert formats.plain(single) == "30.00 ± -"


def test_every_cell_of_a_full_suite(full):
    _, records, _, grid = full
    lt = fakes.rows(formats.csv_of_cells(long_tailed(grid), grid))
    fs = fakes.rows(formats.csv_of_cells(few_shot(grid), grid))
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


def test_both_datasets_stand_side_by_side_in_the_papers_order(full):
    grid = full[3]
    markdown = formats.markdown(long_tailed(grid))
    heads = [line for line in markdown.splitlines() if line.startswith("| method")]
    parts = ("total", "head", "medium", "tail", "var", "n")
    assert heads == [
        "| method | " + " | ".join(f"{t} {p}" for t in ("VOC-LT", "COCO-LT") for p in parts) + " |"
    ]
    few = formats.markdown(few_shot(grid))
    assert "| method | VOC 1-shot | VOC 5-shot | COCO 1-shot | COCO 5-shot |" in few
    tex = formats.latex(long_tailed(grid))
    assert tex.index("{VOC-LT}") < tex.index("{COCO-LT}")
    assert in_order(["a-lt", "coco-lt", "voc-fs-1"]) == ["voc-fs-1", "a-lt", "coco-lt"]


def test_a_terminal_stacks_what_is_too_wide(full):
    table = few_shot(full[3])
    wide, narrow = formats.text(table), formats.text(table, width=60)
    assert "VOC 1-shot" in wide and "VOC 1-shot" not in narrow
    assert max(map(len, narrow.splitlines())) <= 60
    assert [x.split()[0] for x in narrow.splitlines() if "1-shot" in x] == ["VOC", "COCO"]


def test_two_tasks_stand_side_by_side_and_no_other_number(tmp_path):
    units = fakes.units(("coop",), ("voc-lt", "coco-lt", "coco-lt-holdout"))
    results = fakes.store(tmp_path, [fakes.record(u) for u in units])
    markdown = formats.markdown(long_tailed(gather(units, results)))
    assert markdown.count("| method | total | head | medium | tail | var | n |") == 3
    one = [u for u in units if u.task == "coco-lt"]
    markdown = formats.markdown(long_tailed(gather(one, results)))
    assert "### COCO-LT" in markdown and "| method | total | head |" in markdown


def pairs_of(task, best, tied):
    """What the bootstrap says of the best label and each other one."""
    others = [label for label in fakes.METHODS if label != best]
    means = {best: 60.0, **dict.fromkeys(others, 58.0)}
    rows = [Row(best, x, 2.0, -1.0 if x in tied else 1.0, 3.0, None, 1) for x in others]
    return judged(task, means, rows)


def test_what_is_not_distinguishable_from_the_best_is_marked(full):
    grid = full[3]
    pairs = {
        "voc-lt": pairs_of("voc-lt", "hpdval", tied=("coop",)),
        "coco-fs-5": pairs_of("coco-fs-5", "hpdval", tied=("zeroshot", "dualcoop")),
    }
    lt = sections.marked(long_tailed(grid), pairs)
    fs = sections.marked(few_shot(grid), pairs)
    found = {
        (block.name, column, label)
        for table in (lt, fs)
        for block in table.blocks
        for label, row in zip(table.labels, block.rows, strict=True)
        for column, entry in zip(block.columns, row, strict=True)
        if entry.tied
    }
    assert found == {
        ("voc-lt", "total", "coop"),
        ("COCO", "5-shot", "zeroshot"),
        ("COCO", "5-shot", "dualcoop"),
    }
    assert lt.tied and not long_tailed(grid).tied
    line = next(x for x in formats.markdown(lt).splitlines() if x.startswith("| coop"))
    assert line.split(" | ")[1].endswith("†") and line.count("†") == 1
    assert "not distinguishable from the best" in formats.markdown(lt)
    assert formats.latex(lt).count(r"$^\dagger$") == 2  # the entry and the caption
    assert formats.text(lt).count("†") == 2
    for text in (formats.markdown, formats.latex, formats.text):
        assert "distinguishable" not in text(long_tailed(grid))
        assert text(sections.marked(long_tailed(grid), {})) == text(long_tailed(grid))


def test_every_table_has_its_own_columns_in_csv(full):
    grid = full[3]
    for table, columns in (
        (second_metrics.softmax(grid), ["raw", "softmax"]),
        (second_metrics.redraw(grid), ["novel", "redraw"]),
    ):
        row = next(iter(fakes.rows(formats.csv_of_cells(table, grid)).values()))
        assert [x.removesuffix("_mean") for x in row if x.endswith("_mean")] == columns


def test_best_and_second_of_a_column():
    def ranks(values, column="total"):
        block = [[Entry(Stat(v, None, 1) if v else None)] for v in values]
        return [row[0].rank for row in ranked((column,), block)]

    assert ranks([30, 32, 31]) == [0, 1, 2]
    assert ranks([30.001, 30.004, 29]) == [1, 1, 2]  # equal as printed
    assert ranks([None, 30, 29]) == [0, 1, 2]
    assert ranks([30]) == [0] and ranks([30, 30]) == [0, 0]
    assert ranks([30, 31], "var") == [0, 0]


def test_the_redraw_stands_beside_the_headline(full):
    units, records, results, grid = full
    table = second_metrics.redraw(grid)
    assert [block.name for block in table.blocks] == ["coco-fs-1", "coco-fs-5"]
    assert table.blocks[0].columns == ("novel", "redraw", "n")
    row = table.blocks[1].rows[table.labels.index("coop")]
    for entry, metric in zip(row[:2], ("novel", "map_redraw"), strict=True):
        mine = [r["metrics"] for r in records if (r["task"], r["label"]) == ("coco-fs-5", "coop")]
        assert entry.stat.mean == pytest.approx(statistics.mean(m[metric] for m in mine))
    voc = [u for u in units if u.task.startswith("voc")]
    assert second_metrics.redraw(gather(voc, results)) is None


PART = "2 of 1,909 training and 128 of 5,000 test images"


def test_tasks_of_one_restricted_split_are_named_together(tmp_path):
    tasks = ("coco-lt", "coco-fs-1", "coco-fs-5")
    part = {"coco-lt": PART, "coco-fs-1": "some", "coco-fs-5": "some"}
    units = fakes.units(("coop",), tasks)
    records = [fakes.record(u, restriction=part[u.task]) for u in units]
    grid = gather(units, fakes.store(tmp_path, records))
    assert restrictions(grid, tasks) == f"{PART}, COCO-LT; some, COCO 1-shot, COCO 5-shot"
    assert restrictions(grid, ["coco-fs-5"], named=False) == "some"
    assert (
        "restricted to some, COCO 1-shot, COCO 5-shot: mAP" in second_metrics.redraw(grid).caption
    )


def test_latex_and_markdown_escape_names():
    label = r"my_50%_{x}|*a*\b"
    table = long_tailed(grid_of([30.0], label))
    tex = formats.latex(table)
    assert r"my\_50\%\_\{x\}\textbar{}*a*\textbackslash{}b &" in tex
    assert formats.markdown(table).count(r"| my\_50%\_{x}\|\*a\*\\b |") == 1
    plain = tex.replace(r"\{", "").replace(r"\}", "").replace("\\\\", "")
    assert plain.count("{") == plain.count("}")


def test_latex_is_well_formed(full):
    grid = full[3]
    for table, columns in ((long_tailed(grid), 13), (few_shot(grid), 5)):
        tex = formats.latex(table)
        assert tex.count("{") == tex.count("}") and r"\toprule" in tex and r"\textbf{" in tex
        body = tex.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
        assert [line.count("&") for line in body] == [columns - 1] * 4


def test_summary_fits_a_terminal(full):
    text = report.summary(full[0], full[2])
    assert max(map(len, text.splitlines())) <= 100
    assert "hpdval" in text and "COCO 5-shot" in text and "not COCO/VOC" in text
