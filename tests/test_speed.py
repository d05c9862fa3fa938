"""The speed command: that it measures what it says and prints it; never how long anything takes."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from benchmark import backbones
from benchmark.speed.__main__ import main


def test_loader_is_measured_against_pil(tmp_path, capsys):
    for n in range(3):
        Image.new("RGB", (300, 240), (n, 0, 0)).save(tmp_path / f"{n}.jpg")
    flags = ["--loader", str(tmp_path), "--rounds", "2", "--workers", "2", "--json"]
    assert main(flags) == 0
    found = json.loads(capsys.readouterr().out)["loader"]
    assert (found["images"], found["workers"]) == (3, 2)
    assert len(found["pil_seconds"]) == len(found["loader_seconds"]) == 2
    assert found["ratio"] > 0


def test_paper_runs_every_phase_of_every_method(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CIMLIC_CACHE", str(tmp_path))
    flags = ["--paper", "--backbone", backbones.DEFAULT["miniature"], "--device", "cpu"]
    flags += ["--images", "6", "--epochs", "1"]
    assert main([*flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["paper"]
    assert found["images"] == {"train": 6, "test": 6}
    assert set(found["methods"]) == {"zeroshot", "coop", "dualcoop", "hpdval"}
    assert set(found["methods"]["hpdval"]["stages"]) == {"stage 1", "stage 2"}
    stage = found["methods"]["hpdval"]["stages"]["stage 1"]
    assert stage["epochs"] == 1
    assert stage["of_limit"] == stage["images_per_second"] / found["limit"]["train"]
    coop = found["methods"]["coop"]
    assert coop["fit_expected"] > coop["fit"]  # of 50 epochs one was run
    assert not list(tmp_path.glob("speed-*"))  # its own cache is gone

    assert main([*flags, "--methods", "zeroshot"]) == 0
    out = capsys.readouterr().out
    assert "6 training and 6 test images" in out and "zeroshot predict" in out


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--loader", "{folder}"], "no .jpg or .png"),
        (["--loader", "{folder}/absent"], "no .jpg or .png"),
        (["--paper", "--methods", "zerosho"], "did you mean 'zeroshot'"),
        (["--paper", "--images", "0"], "--images 0: must be 1 or more"),
        ([], "--loader --paper is required"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, flags, named):
    assert main([flag.format(folder=tmp_path) for flag in flags]) == 2
    error = capsys.readouterr().err
    assert named in error and error.count("\n") == 1
