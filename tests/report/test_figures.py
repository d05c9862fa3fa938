"""The figures: what each one shows of the records, when there is none, and that looks differ."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmark.report import PLAIN
from benchmark.report.figures import (
    cost,
    draw,
    frequency,
    gains,
    loss_curves,
    oracle_curves,
    style,
)
from benchmark.report.grid import gather, in_order
from tests.helpers import suite_records as fakes

LT = ("voc-lt", "coco-lt")


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Complete long-tailed results and one few-shot task's, three episodes."""
    results = tmp_path_factory.mktemp("figures")
    units = fakes.units(tasks=(*LT, "voc-fs-1"), episodes=3)
    fakes.store(results, [fakes.record(u) for u in units])
    return gather(units, results)


@pytest.fixture(scope="module")
def files(grid):
    """Every figure of the grid: {file name: (bytes, caption)}."""
    with draw.drawing(grid, grid, PLAIN) as drawing:
        return drawing()


def one(tmp_path, task, *changes):
    """A grid of one task with a record for each of the changes, of `coop` unless they say so."""
    units, records = [], []
    for seed, fields in enumerate(changes):
        label = fields.get("label", "coop")
        units.append(replace(fakes.unit(task, label), seed=seed))
        records.append(fakes.record(units[-1], **fields))
    return gather(units, fakes.store(tmp_path, records))


def empty(tmp_path, *methods):
    units = fakes.units(methods or ("coop", "zeroshot"), ("voc-lt",))
    return gather(units, tmp_path)


def test_looks_differ_for_many_methods():
    assert len({style.look(i) for i in range(40)}) == 40
    looks = [style.look(i) for i in range(8)]
    assert len({x.colour for x in looks}) == len({x.hatch for x in looks}) == 8


def test_every_kind_is_drawn_and_none_without_results(files, tmp_path):
    each = {f"{kind}_{task}" for kind in ("groups", "frequency", "gains") for task in LT}
    training = {f"training_{task}" for task in (*LT, "voc-fs-1")}
    found = {name.rpartition(".")[0] for name in files}
    assert found == each | training | {"cost_lt", "cost_fs", "fewshot"}
    nothing = empty(tmp_path)
    with draw.drawing(nothing, nothing, PLAIN, tmp_path, tmp_path) as drawing:
        assert drawing() == {}


def test_files_come_in_the_papers_order_with_their_scale(files):
    assert [n.rpartition(".")[2] for n in files] == ["png", "svg"] * (len(files) // 2)
    tasks = [name.removeprefix("groups_")[:-4] for name in files if name.startswith("groups_")]
    assert list(dict.fromkeys(tasks)) == in_order(LT)
    assert all("not COCO/VOC" in caption for _, caption in files.values())


def test_files_do_not_depend_on_how_many_processes_draw(full, again):
    found = [
        {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".png", ".svg")}
        for folder in (full[2] / "report", again)
    ]
    assert found[0] and found[0] == found[1]
    page = (again / "report.md").read_text()  # which has them in their order
    assert page == (full[2] / "report" / "report.md").read_text()


def test_a_drawing_has_a_palette_and_looks_the_same_and_photographs_stay():
    from matplotlib.figure import Figure

    figure = Figure((4, 3))
    axes = figure.subplots()
    for n, colour in enumerate(style.COLOURS):
        axes.plot([0, 1], [n, n + 1.5], color=colour, linewidth=4)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=160)
    found = style._small(stream.getvalue())
    with Image.open(io.BytesIO(found)) as small, Image.open(stream) as full:
        gap = np.abs(np.subtract(small.convert("RGB"), full.convert("RGB"), dtype=float))
    assert gap.mean() < 0.1 and len(found) < len(stream.getvalue()) / 2
    with Image.open(io.BytesIO(style.rendered(figure)["png"])) as small:
        assert small.mode == "P"
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    Image.fromarray(noise).save(stream := io.BytesIO(), "png")
    with Image.open(io.BytesIO(style._small(stream.getvalue()))) as same:
        assert np.array_equal(same, noise)


def test_frequency_uses_class_means_and_leaves_absent_classes_out():
    records = [
        {"train_counts": {"a": 5, "b": 200, "c": 9}, "per_class_ap": {"a": x, "b": 50.0, "c": None}}
        for x in (10.0, 20.0)
    ]
    counts, aps = frequency.per_class(records)
    assert counts.tolist() == [5, 200] and aps.tolist() == [15.0, 50.0]


def test_gains_are_over_zero_shot_by_class(tmp_path):
    counts = {"a": 5, "b": 200, "c": 9}
    few = {"train_counts": counts}
    grid = one(
        tmp_path,
        "voc-lt",
        {**few, "label": "base", "method": "zeroshot", "per_class_ap": {"a": 10, "b": 30, "c": 5}},
        {**few, "per_class_ap": {"a": 14.0, "b": 20.0, "c": None}},
        {**few, "per_class_ap": {"a": 20.0, "b": 20.0, "c": None}},
    )
    assert gains.base_label(grid, "voc-lt") == "base"  # the method counts, not the label
    classes = [name for name, _ in gains.classes_of(grid, "voc-lt", "base")]
    assert classes == ["b", "c", "a"]  # most training images first
    found = gains.gains(grid, "voc-lt", "coop", "base", classes)
    np.testing.assert_allclose(found, [-10.0, np.nan, 7.0])
    (drawn,) = gains.figures(grid, "voc-lt")
    (row,) = drawn.figure.axes
    tops = [path.vertices[1, 1] for path in row.collections[0].get_paths()]
    assert tops[:3:2] == [-10.0, 7.0]
    assert "coop (n = 2): -1.5 on average, better in 1 of 2 classes" in row.get_title("left")


def test_no_gains_without_zero_shot(tmp_path):
    assert not list(gains.figures(one(tmp_path, "voc-lt", {}, {}), "voc-lt"))
    alone = one(tmp_path / "b", "voc-lt", {"label": "zeroshot", "method": "zeroshot"})
    assert not list(gains.figures(alone, "voc-lt"))


def test_losses_by_stage_and_epoch(tmp_path):
    def curve(*values, stage="prompts"):
        return [{"stage": stage, "epoch": n, "loss": v} for n, v in enumerate(values, 1)]

    grid = one(
        tmp_path,
        "voc-lt",
        {"curve": curve(3.0, 2.0, 1.0) + curve(9.0, stage="stage 2")},
        {"curve": curve(5.0, None)},
        {"curve": []},
    )
    found = loss_curves.losses(grid, "voc-lt")
    assert list(found) == [("coop", "prompts"), ("coop", "stage 2")]
    table = found["coop", "prompts"]
    np.testing.assert_allclose(table, [[3, 2, 1], [5, np.nan, np.nan]])
    np.testing.assert_allclose(loss_curves._mean(table), [4, 2, 1])
    assert found["coop", "stage 2"].tolist() == [[9.0]]
    (drawn,) = loss_curves.figures(grid, "voc-lt")
    titles = [axes.get_title("left") for axes in drawn.figure.axes if axes.axison]
    assert titles == ["coop, prompts", "coop, stage 2"]
    flat = one(tmp_path / "b", "voc-lt", {"curve": curve(None, None)})
    assert not list(loss_curves.figures(flat, "voc-lt"))


def test_test_curves_have_a_panel_for_each_ranking(tmp_path):
    def best(*curve, **more):
        found = {"map": max(curve), "epoch": 1, "stage": "all", "curve": list(curve)}
        return {"oracle": found | more, "oracle_reason": None}

    grid = one(
        tmp_path,
        "voc-lt",
        best(40.0, 50.0, curve_softmax=[44.0, 51.0]),
        best(42.0),
        best(1.0) | {"oracle_reason": "epoch 1: predict: too early"},
        {"oracle": None},
    )
    found = oracle_curves.curves(grid, "voc-lt", "curve")["coop"]
    assert {epoch: (each.mean, each.n) for epoch, each in found.items()} == {
        1: (41.0, 2),
        2: (50.0, 1),
    }
    (drawn,) = oracle_curves.figures(grid, "voc-lt")
    raw, softmax = drawn.figure.axes
    assert raw.lines[0].get_ydata().tolist() == [41.0, 50.0]
    assert softmax.lines[0].get_ydata().tolist() == [44.0, 51.0]
    assert not list(oracle_curves.figures(one(tmp_path / "b", "voc-lt", {}), "voc-lt"))


@pytest.mark.parametrize("epochs", [1, 2, 5, 8, 10, 20, 50, 79])
def test_epoch_ticks_are_few_and_whole(epochs):
    ticks = style.epoch_ticks(epochs)
    assert ticks == sorted(set(ticks)) and len(ticks) <= 6
    assert ticks[0] == 1 and ticks[-1] == epochs


def test_training_time_counts_shared_stages_and_stands_on_a_floor(tmp_path):
    def taking(fit, **more):
        return {"seconds": {"base": None, "fit": fit, "predict": 50.0, **more}}

    grid = one(tmp_path, "voc-lt", taking(4.0), taking(6.0, shared=30.0), taking(500.0, base=1.0))
    records = grid.cell("voc-lt", "coop").done
    assert [cost.seconds(r) for r in records] == [4.0, 36.0, 501.0]
    (drawn,) = cost.figures(grid)
    point = drawn.figure.axes[0].lines[0]
    assert point.get_xdata()[0] == 36.0  # the median
    assert "cpu, 2 threads" in drawn.caption
    none = one(tmp_path / "b", "voc-lt", taking(0.0))
    (drawn,) = cost.figures(none)
    assert drawn.figure.axes[0].lines[0].get_xdata()[0] == cost.FLOOR
    assert "≤ 0.1" in [t.get_text() for t in drawn.figure.axes[0].get_xticklabels()]
