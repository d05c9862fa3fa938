"""The report of a results folder from elsewhere reads no picture and writes behind no link."""

from __future__ import annotations

import json
import os

import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

from benchmark import report
from benchmark.common.errors import InputError
from benchmark.report import freshness
from benchmark.report.figures import predictions, score_maps
from benchmark.report.grid import gather
from benchmark.report.page import explorer
from tests.helpers import suite_records as fakes
from tests.report import test_predictions as pictures

UNITS = fakes.units(("coop", "zeroshot"), ("voc-lt",), seeds=2)

world = pictures.world  # (grid, results, images): records with scores, four pictures


@pytest.fixture
def results(tmp_path):
    return fakes.store(tmp_path / "cimlic" / "miniature", [fakes.record(u) for u in UNITS])


@pytest.mark.parametrize("form", ["absolute", "up", "backslashes"])
def test_pictures_outside_the_data_root_are_never_read(world, form, monkeypatch, capsys):
    _, results, images = world
    secret = images.parent / "secret.png"
    Image.new("RGB", (64, 48), "red").save(secret)
    given = {"absolute": str(secret), "up": "val2017/../../secret.png", "backslashes": "..\\s.png"}
    (path,) = (results / "scores").glob("truth_*")
    kept = path.read_bytes()
    with safe_open(str(path), framework="numpy") as file:
        labels, about = {"labels": file.get_tensor("labels")}, dict(file.metadata())
    about["paths"] = json.dumps([given[form]] * 4)
    save_file(labels, str(path), metadata=about)
    opened = []
    monkeypatch.setattr(Image, "open", lambda at, *_: opened.append(at) or 1 / 0)
    try:
        grid = gather(fakes.units(("coop", "hpdval"), ("coco-lt",), seeds=2), results)
        assert explorer.data(grid, results, images)["pictures"] == []
        assert explorer.folders(grid, results, images) == []
        assert [*predictions.figures(grid, "coco-lt", results, images)] == []
        assert [*score_maps.figures(grid, "coco-lt", results, images)] == []
    finally:
        path.write_bytes(kept)
    assert opened == [] and "a path out of the data root" in capsys.readouterr().err


def test_a_report_that_is_a_link_is_refused(results, tmp_path, no_figures):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "table_of_mine.txt").write_text("kept")
    (results / "report").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="is a link"):
        report.write(UNITS, results)
    assert os.listdir(tmp_path / "mine") == ["table_of_mine.txt"]


def test_links_in_a_report_are_replaced_or_removed_and_lead_on_nowhere(
    results, tmp_path, no_figures
):
    folder, mine = results / "report", tmp_path / "mine.txt"
    folder.mkdir()
    mine.write_text("kept")
    names = ["report.md", "table_lt.csv", "table_gone.md", "significance.json", freshness.FILE]
    for name in names:
        (folder / name).symlink_to(mine)
    report.write(UNITS, results)
    assert mine.read_text() == "kept" and not (folder / "table_gone.md").exists()
    assert not (folder / "report.md").is_symlink() and not (folder / "table_lt.csv").is_symlink()


@pytest.mark.parametrize("name", ["records/x.json", f"report/{freshness.FILE}", "scores/x.tmp"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to(path.name)])
def test_no_pipe_or_loop_in_the_folder_stops_a_report(results, name, make, no_figures):
    (results / name).parent.mkdir(exist_ok=True)
    make(results / name)
    assert report.write(UNITS, results).is_file()


DEEP = "[" * 100_000
ODD = ["null", DEEP, "[]", '{"a": 1}', '{"KEY": ["a", 1, 2, 3, 4]}', '{"KEY": [1, 2, 3, 4, 9e999]}']


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_what_an_earlier_report_left_may_be_anything(world, content, no_figures):
    _, results, _ = world
    units = fakes.units(("coop", "hpdval"), ("coco-lt",), seeds=2)
    report.write(units, results, anew=True)
    kept = results / "report" / "significance.json"
    before = kept.read_text()
    (key,) = json.loads(before)
    for name in ("significance.json", freshness.FILE):
        (results / "report" / name).write_text(content.replace("KEY", key))
    report.write(units, results)
    assert json.loads(kept.read_text())[key] == json.loads(before)[key]
