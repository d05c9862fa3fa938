"""Weighted AP is scikit-learn's with repeats; what the bootstrap calls real is."""

from __future__ import annotations

import types

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from benchmark import report
from benchmark.records.scores import write_scores
from benchmark.report import bootstrap, resampling
from benchmark.report.bootstrap import Row
from benchmark.report.grid import gather
from benchmark.report.tables import significance
from tests.helpers import suite_records as fakes


@pytest.mark.parametrize("decimals", [7, 1, 0])  # no ties, some, many
def test_average_precision_is_scikit_learns_with_repeats(decimals):
    dice = np.random.default_rng(decimals)
    score = dice.standard_normal(60).round(decimals).astype(np.float32)
    counts = np.concatenate([np.ones((60, 1)), dice.poisson(1, (60, 30))], 1).astype(np.float32)
    for share in (0.5, 0.05):
        truth = (dice.random(60) < share).astype(np.uint8)
        truth[7] = 1
        found = resampling.average_precision(score, truth, counts)
        for column, ap in zip(counts.T.astype(int), found, strict=True):
            rows = np.repeat(np.arange(60), column)
            if truth[rows].any():
                again = average_precision_score(truth[rows], score[rows])
                assert ap == pytest.approx(100 * again, abs=1e-10)
            else:
                assert np.isnan(ap)


def test_a_class_that_was_not_drawn_is_left_out_of_the_mean():
    scores = np.array([[3, 1], [2, 2], [1, 3]], np.float32)
    labels = np.array([[0, 1], [1, 0], [0, 0]])
    counts = np.array([[1, 0, 0], [1, 2, 0], [1, 1, 3]], np.float32)
    found = resampling.mean_ap(scores, labels, counts)
    assert found[:2].tolist() == pytest.approx([(100 / 2 + 100 / 3) / 2, 100])
    assert np.isnan(found[2])
    assert np.isnan(resampling.mean_ap(scores, labels * 0, counts)).all()


def test_resamples_are_fixed_and_of_the_right_size():
    drawn = resampling.weights(50, 200)
    assert drawn.shape == (50, 201) and (drawn[:, 0] == 1).all() and (drawn.sum(0) == 50).all()
    resampling.weights.cache_clear()
    assert (resampling.weights(50, 200) == drawn).all()
    assert drawn[:, 1:].var() == pytest.approx(1, rel=0.1)  # Poisson-like, as a bootstrap's


def test_the_interval_is_as_wide_as_the_spread_of_new_test_sets():
    """Against draws of whole new test sets of a known population: the bootstrap's truth."""
    dice = np.random.default_rng(0)

    def gap(images):
        truth = dice.random(images) < 0.3
        one, two = truth + dice.normal(0, 1, images), truth + dice.normal(0, 2, images)
        scores = np.stack([one, two], 1).astype(np.float32)
        return scores, np.stack([truth, truth], 1).astype(np.uint8)

    fresh = []
    for _ in range(200):
        scores, labels = gap(300)
        each = [
            resampling.mean_ap(scores[:, [k]], labels[:, [k]], np.ones((300, 1))) for k in (0, 1)
        ]
        fresh.append(float((each[0] - each[1])[0]))
    scores, labels = gap(300)
    counts = resampling.weights(300)
    each = [resampling.mean_ap(scores[:, [k]], labels[:, [k]], counts) for k in (0, 1)]
    _, low, high = resampling.interval(each[0] - each[1])
    assert high - low == pytest.approx(2 * 1.96 * np.std(fresh), rel=0.25)


def test_a_difference_is_real_if_neither_images_nor_seeds_explain_it():
    assert Row("a", "b", 2.0, 0.5, 3.5, None, 1).real
    assert not Row("a", "b", 2.0, -0.1, 3.5, None, 1).real
    assert not Row("a", "b", 2.0, 0.5, 3.5, 1.0, 3).real  # 4.303 / sqrt(3) = 2.48
    assert Row("a", "b", 2.0, 0.5, 3.5, 0.8, 3).real  # 1.99
    assert Row("a", "b", -2.0, -3.0, -0.5, 0.1, 3).real
    assert not Row("a", "b", 0.0, 0.0, 0.0, 0.0, 3).real
    assert bootstrap.student(1.0, 10) == pytest.approx(2.262157 / 10**0.5)


METHODS = {"strong": 3.0, "alike": 2.95, "weak": 0.5}  # how far positives stand out


def stock(folder, methods=METHODS, tasks=("voc-lt", "coco-fs-1"), seeds=2, images=120):
    """Units, and records with stored scores of them; `zeroshot`'s one unit stands for all."""
    units = fakes.units(methods, tasks, seeds=seeds, episodes=seeds)
    return units, [score(folder, u, methods[u.label], images) for u in units]


def score(folder, u, level, images=120, **changes):
    """The unit's record with its scores and the headline that follows from them."""
    few = u.episode is not None
    truth = np.random.default_rng(1).random((images, 4)) < 0.25
    noise = np.random.default_rng([2, u.seed, u.episode or 0]).normal(size=(images, 4))
    own = np.random.default_rng([len(u.label), u.seed, 3]).normal(size=(images, 4))
    scores = (level * truth + noise + 0.3 * own).astype(np.float32)
    listed = types.SimpleNamespace(paths=tuple(map(str, range(images))))
    task = types.SimpleNamespace(
        name=u.task, setting="few-shot" if few else "long-tailed", dataset=u.task.split("-")[0],
        split_sha256=u.split_sha256, episode=u.episode, class_names=tuple("abcd"),
        groups={"novel" if few else "tail": (0, 1, 2, 3)},
        test=types.SimpleNamespace(labels=truth, images=listed),
    )  # fmt: skip
    record = fakes.record(u)
    mean = float(resampling.mean_ap(scores, truth, np.ones((images, 1)))[0])
    record["metrics"] |= {"map": mean, "novel": mean if few else None}
    return record | write_scores(folder, record, task, "raw", scores) | changes


def test_significance_of_made_up_scores(tmp_path):
    units, records = stock(tmp_path)
    grid = gather(units, fakes.store(tmp_path, records))
    found = bootstrap.significance(grid, tmp_path)
    assert set(found) == {"voc-lt", "coco-fs-1"}
    pairs = found["voc-lt"]
    best, other = sorted(("strong", "alike"), key=pairs.means.get, reverse=True)
    assert pairs.best == best and pairs.tied == {other} and pairs.without == ()
    assert [{r.a, r.b} for r in pairs.table[:2]].count({best, other}) == 1 and len(pairs.table) == 3
    row = next(r for r in pairs.table if (r.a, r.b) == (best, "weak"))
    assert row.low < row.diff < row.high and row.real and row.n == 2
    assert row.diff == pytest.approx(pairs.means[best] - pairs.means["weak"])
    gaps = [
        a["metrics"]["map"] - b["metrics"]["map"]
        for seed in (0, 1)
        for a in records
        for b in records
        if (a["label"], b["label"]) == (best, "weak")
        and {a["task"], b["task"]} == {"voc-lt"}
        and a["seed"] == b["seed"] == seed
    ]
    assert row.seeds_std == pytest.approx(np.std(gaps, ddof=1))
    few = pairs.among(["weak", other])
    assert few.best == other and few.tied == frozenset() and len(few.table) == 1


def test_one_unit_stands_for_all_where_one_is_expected(tmp_path):
    levels = {"zeroshot": 1.0, "strong": 3.0}
    units, records = stock(tmp_path, levels, ("voc-lt",), seeds=3)
    assert len(records) == 4
    grid = gather(units, fakes.store(tmp_path, records))
    (row,) = bootstrap.significance(grid, tmp_path)["voc-lt"].table
    assert (row.a, row.b, row.n) == ("strong", "zeroshot", 3) and row.seeds_std > 0


def test_missing_units_leave_what_both_have(tmp_path):
    units, records = stock(tmp_path, tasks=("voc-lt",), seeds=3)
    kept = [r for r in records if (r["label"], r["seed"]) not in (("strong", 0), ("weak", 1))]
    grid = gather(units, fakes.store(tmp_path, kept))
    rows = bootstrap.significance(grid, tmp_path)["voc-lt"].table
    assert {frozenset((r.a, r.b)): r.n for r in rows} == {
        frozenset(("strong", "alike")): 2, frozenset(("strong", "weak")): 1,
        frozenset(("alike", "weak")): 2,
    }  # fmt: skip


def test_nothing_is_said_of_labels_without_scores(tmp_path):
    units, records = stock(tmp_path, METHODS | {"old": 9.0}, ("voc-lt",))
    older = [{**r, "scores_sha256": None} if r["label"] == "old" else r for r in records]
    grid = gather(units, fakes.store(tmp_path, older))
    pairs = bootstrap.significance(grid, tmp_path)["voc-lt"]
    assert pairs.best is None and pairs.tied == frozenset() and pairs.without == ("old",)
    text = significance.markdown({"voc-lt": pairs}, grid)
    assert "The best method has no stored scores" in text and "no stored scores: old" in text
    none = gather(units, fakes.store(tmp_path / "b", [fakes.record(u) for u in units]))
    assert bootstrap.significance(none, tmp_path / "b") == {}


def test_a_second_report_reads_what_the_first_computed(tmp_path, monkeypatch):
    units, records = stock(tmp_path, tasks=("voc-lt",))
    grid = gather(units, fakes.store(tmp_path, records))
    first = bootstrap.significance(grid, tmp_path)
    for path in (tmp_path / "scores").iterdir():
        path.unlink()  # a copy of records and report alone
    monkeypatch.setattr(resampling, "mean_ap", lambda *_: pytest.fail("computed again"))
    assert bootstrap.significance(grid, tmp_path) == first
    fewer = gather([u for u in units if u.label != "weak"], tmp_path)
    assert len(bootstrap.significance(fewer, tmp_path)["voc-lt"].table) == 1


def test_other_scores_are_computed_anew(tmp_path):
    units, records = stock(tmp_path, tasks=("voc-lt",))
    grid = gather(units, fakes.store(tmp_path, records))
    first = bootstrap.significance(grid, tmp_path)["voc-lt"].table
    changed = [score(tmp_path, u, 5.0) for u in units if u.label == "weak"]
    grid = gather(units, fakes.store(tmp_path, changed))
    second = bootstrap.significance(grid, tmp_path)["voc-lt"].table
    same = {"strong", "alike"}
    assert [r for r in first if {r.a, r.b} == same] == [r for r in second if {r.a, r.b} == same]
    assert second[0].a == "weak"


@pytest.mark.parametrize("content", ["", "[]", '{"x": [1]}', "\x00"])
def test_a_damaged_cache_is_computed_anew(tmp_path, content):
    units, records = stock(tmp_path, tasks=("voc-lt",))
    grid = gather(units, fakes.store(tmp_path, records))
    first = bootstrap.significance(grid, tmp_path)
    (tmp_path / "report" / "significance.json").write_text(content)
    assert bootstrap.significance(grid, tmp_path) == first


def test_the_report_has_the_pairs_as_files(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.report.figures.draw._kinds", lambda *_: ())
    units, records = stock(tmp_path, {"strong": 3.0, "my_<weak>|*": 0.5}, ("voc-lt",))
    fakes.store(tmp_path, records)
    report.write(units, tmp_path)
    folder = tmp_path / "report"
    text = (folder / "significance.md").read_text()
    assert "not COCO/VOC" in text and r"| strong | my\_\<weak\>\|\* |" in text
    assert "Best: strong, and all others compared are worse." in text
    lines = (folder / "significance.csv").read_text().splitlines()
    assert lines[0] == "scale,task,a,b,diff,low,high,seeds_std,n,real,a_title,b_title"
    assert len(lines) == 2
    assert lines[1].startswith("miniature,voc-lt,strong,") and lines[1].endswith(
        ",2,yes,strong,my_<weak>|*"
    )
    for record in records:
        fakes.store(tmp_path, [{**record, "scores_sha256": None}])
    report.write(units, tmp_path)
    assert not (folder / "significance.md").exists()  # of an earlier report
