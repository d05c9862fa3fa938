"""Reports of own images: called so, with their own groups, and nothing published beside them."""

from __future__ import annotations

import re

import pytest

from benchmark import report
from benchmark.report import wording
from benchmark.report.figures import frequency
from tests.helpers.suite_records import COCO, draw_only, record, store, units

OWN = {"like": {"dataset": "voc"}, "template": None, "grouping": [200, 50]}


def written(folder, tasks, monkeypatch) -> tuple[str, str]:
    """The page and the summary of made-up records, those of own tasks with OWN."""
    draw_only(monkeypatch, frequency.figures)
    made = units(("zeroshot", "coop"), tasks, seeds=2, episodes=2, scale="paper")
    done = [record(u, own=None if u.task.startswith("voc-") else OWN) for u in made]
    path = report.write(made, store(folder, done))
    page, summary = (path.with_name(name) for name in ("index.html", report.SUMMARY))
    return " ".join(page.read_text().split()), summary.read_text()


@pytest.mark.parametrize(
    "tasks, words, named",
    [
        (("voc-lt",), "paper scale", ()),
        (("zoo-lt", "zoo-fs-5"), "own images", ("zoo-LT", "zoo 5-shot")),
        (("voc-lt", "zoo-lt"), "paper scale and own images", ("VOC-LT", "zoo-LT")),
    ],
)
def test_whose_images_they_are(tmp_path, monkeypatch, tasks, words, named):
    page, summary = written(tmp_path, tasks, monkeypatch)
    assert wording.scale_words("paper", tasks) == words
    assert f"<strong>{words.capitalize()}.</strong>" in page
    assert ("Real COCO and VOC images" in page) == ("paper" in words)
    assert ("labelled by whoever ran this" in page.lower()) == ("own" in words)
    for name in named:
        assert name in page and name.split()[0].split("-")[0] in summary
    assert wording.scale_words("miniature", tasks).startswith("miniature")


def test_their_groups(tmp_path, monkeypatch):
    alone, _ = written(tmp_path / "a", ("zoo-lt",), monkeypatch)
    assert "Head classes have 200 training images or more, tail classes fewer than 50" in alone
    assert "fewer than 20" not in alone
    both, _ = written(tmp_path / "b", ("voc-lt", "zoo-lt"), monkeypatch)
    assert "Head classes of VOC-LT have 100 training images or more" in both
    assert "Head classes of zoo-LT have 200 training images or more" in both
    between = next(name for name, images in COCO.items() if 100 <= images < 200)
    assert re.search(rf'"name": ?"{between}", ?"group": ?"medium"', alone)
