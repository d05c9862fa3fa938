"""One run on real photographs: official lists restricted to the images at hand, all four methods.

Needs `../shared` (official split files and sample images, not part of the repository).
"""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from benchmark.cli.run import main
from benchmark.cli.splits import main as splits_command
from benchmark.clip import resolve
from benchmark.common import environment

SHARED = environment.ROOT.parent / "shared"
OFFICIAL, SAMPLES = SHARED / "official_splits", SHARED / "real_samples"
pytestmark = pytest.mark.skipif(
    not (OFFICIAL.is_dir() and SAMPLES.is_dir()),
    reason=f"{SHARED} with official split files and sample images is not here",
)
SUITE = """\
# Each method for one epoch on what there is of COCO.
name: sample
tasks: [coco-lt]
seeds: [0]
episodes: 1
methods:
  zeroshot:
  coop: {hyperparameters: {epochs: 1, views: 2}}
  dualcoop: {hyperparameters: {epochs: 1, views: 2}}
  hpdval: {hyperparameters: {stage1_epochs: 1, stage2_epochs: 1}}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root of the sample photographs with the official lists, fetched and restricted."""
    root = tmp_path_factory.mktemp("data")
    for folder in ("train2017", "val2017"):
        shutil.copytree(SAMPLES / "coco" / folder, root / folder)
    voc = root / "VOCdevkit" / "VOC2007" / "JPEGImages"
    voc.mkdir(parents=True)
    for image in (SAMPLES / "voc2007-test").rglob("*.jpg"):
        shutil.copy(image, voc)
    fetch = ["fetch", "--data-root", str(root), "--from", str(OFFICIAL)]
    assert splits_command(fetch) == 0
    assert splits_command(["restrict", "--data-root", str(root)]) == 0
    return root


def test_restricted_lists_verify(root, capsys):
    assert splits_command(["verify", "--data-root", str(root)]) == 0
    assert "2 of 1,909 training and 128 of 5,000 test images" in capsys.readouterr().out


def test_all_methods_run_on_real_photographs(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CIMLIC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "sample.yaml").write_text(SUITE)
    flags = ["--suite", str(tmp_path / "sample.yaml"), "--data-root", str(root)]
    flags += ["--backbone", resolve.DEFAULT["miniature"], "--device", "cpu", "--workers", "1"]
    assert main([*flags, "--results-dir", str(tmp_path / "results")]) == 0, capsys.readouterr().err
    folder = tmp_path / "results" / "sample" / "paper"
    found = [json.loads(path.read_text()) for path in (folder / "records").glob("*.json")]
    assert sorted(record["label"] for record in found) == ["coop", "dualcoop", "hpdval", "zeroshot"]
    for record in found:
        assert record["restriction"] == "2 of 1,909 training and 128 of 5,000 test images"
        assert record["scale"] == "paper"
        assert 0 < record["metrics"]["map"] <= 100
        assert record["n_classes"]["absent"] == sum(
            value is None for value in record["per_class_ap"].values()
        )
    table = pd.read_csv(folder / "report" / "table_lt.csv")
    assert len(table) >= 4
    for kind in ("md", "tex"):
        caption = (folder / "report" / f"table_lt.{kind}").read_text()
        assert "restricted" in caption and "128 of 5,000" in caption
    assert "restricted" in capsys.readouterr().out


def test_a_truncated_photograph_is_bad_input(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CIMLIC_CACHE", str(tmp_path / "cache"))
    broken = tmp_path / "data"
    shutil.copytree(root, broken)
    image = sorted((broken / "val2017").glob("*.jpg"))[0]
    image.write_bytes(image.read_bytes()[:4000])
    (tmp_path / "sample.yaml").write_text(SUITE)
    flags = ["--suite", str(tmp_path / "sample.yaml"), "--data-root", str(broken), "--methods"]
    flags += ["zeroshot", "--backbone", resolve.DEFAULT["miniature"], "--device", "cpu"]
    assert main([*flags, "--workers", "1", "--results-dir", str(tmp_path / "results")]) == 2
    errors = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error:")]
    assert len(errors) == 1 and image.name in errors[0]
    features = tmp_path / "cache" / "features"
    assert not [path for path in features.iterdir() if path.suffix in (".npy", ".tmp")]
