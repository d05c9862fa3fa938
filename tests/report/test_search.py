"""The report of a search: tables, summary, one figure a setting, and what has no result."""

from __future__ import annotations

import pytest

from benchmark.common.errors import InputError
from benchmark.records.search import SearchResult, Trial
from benchmark.report import search
from benchmark.report.figures import search as figures
from benchmark.report.figures import style


def result(label, means, names=("lr",), setting="long-tailed") -> SearchResult:
    trials = tuple(
        Trial(n, {name: 10.0**-n for name in names}, {"a-holdout": mean, "b-holdout": 50.0})
        for n, mean in enumerate(means, 1)
    )
    tasks = ("a-holdout", "b-holdout")
    return SearchResult(label, label.title(), setting, "miniature", tasks, names, trials)


SEARCHED = result("coop", [30.0, "failed", 40.0, 40.0, 20.0, 10.0, 36.0])
PLAIN = result("zeroshot", [33.0], names=())
LOST = result("lost", ["skipped", "failed"])


def test_best_spread_and_best_so_far():
    assert SEARCHED.best.number == 3 and SEARCHED.best.mean == 45.0
    assert SEARCHED.spread == 45.0 - 35.0  # to the fifth: 45, 45, 43, 40, 35
    assert SEARCHED.best_so_far() == [40.0, 40.0, 45.0, 45.0, 45.0, 45.0, 45.0]
    assert LOST.best is None and LOST.spread is None and LOST.best_so_far() == [None, None]
    assert result("x", [1.0] * 5, names=()).spread is None  # five times the same settings


@pytest.mark.parametrize("results", [[SEARCHED, PLAIN, LOST], [LOST]])
def test_files(tmp_path, results, monkeypatch):
    monkeypatch.setattr(style, "rendered", lambda figure: {"png": b"p", "svg": b"s"})
    search.write(results, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    both = {f"{name}_long-tailed.{kind}" for name in ("summary", "lost") for kind in ("md", "csv")}
    assert both <= names
    assert ("search_long-tailed.png" in names) == (SEARCHED in results)


def test_tables(tmp_path):
    search.write([SEARCHED, PLAIN, LOST], tmp_path)
    text = (tmp_path / "coop_long-tailed.md").read_text()
    assert "not COCO/VOC" in text
    assert "| 3 | 0.001 | 40.00 | 50.00 | **45.00** |" in text
    assert "| 2 | 0.01 | failed | 50.00 | - |" in text
    rows = (tmp_path / "coop_long-tailed.csv").read_text().splitlines()
    assert rows[:3] == [
        "trial,lr,a-holdout,b-holdout,mean",
        "1,0.1,30.000000,50.000000,40.000000",
        "2,0.01,failed,50.000000,",
    ]
    titles = (tmp_path / "summary_long-tailed.md").read_text()
    assert "| Coop | long-tailed |" in titles
    rows = (tmp_path / "summary_long-tailed.csv").read_text().splitlines()
    assert rows[1] == "coop,long-tailed,7,40.00,45.00,3,10.00,lr=0.001"
    assert rows[2] == "zeroshot,long-tailed,1,41.50,41.50,1,-,nothing to choose"
    assert rows[3] == "lost,long-tailed,2,-,-,-,-,-"
    assert "lr=0.001" in search.summary([SEARCHED])
    assert (tmp_path / "search_long-tailed.svg").read_bytes().startswith(b"<?xml")


def test_a_link_in_the_place_of_the_folder_leads_nowhere(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "search").symlink_to("mine")
    with pytest.raises(InputError, match="is a link"):
        search.write([SEARCHED], tmp_path / "search")
    assert not [*(tmp_path / "mine").iterdir()]


def test_one_figure_a_setting_with_a_line_for_each_label_that_has_a_result():
    few = result("coop", [10.0, 20.0], setting="few-shot")
    with style.applied():
        drawn = {one.name: one for one in figures.figures([SEARCHED, few, PLAIN, LOST])}
        assert set(drawn) == {"search_long-tailed", "search_few-shot"}
        (legend,) = drawn["search_long-tailed"].figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["Coop", "Zeroshot"]
        assert "not COCO/VOC" in drawn["search_few-shot"].caption
