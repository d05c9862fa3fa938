"""`python -m benchmark splits make`: what it prints, and the command lines that it refuses."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from benchmark import __main__ as commands
from benchmark.data import splits, tasks
from tests.helpers import own_files
from tests.helpers.bad_input import refused
from tests.helpers.own_tables import together

CLASSES = ("traffic light", "bus", "van", "tram")
ROWS = [(path.replace("/", "/no "), labels) for path, labels in together(80, 4)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("a root")
    own_files.write(root, ROWS, CLASSES)
    (root / "names.csv").write_text("van,delivery van\n")
    (root / "twice.csv").write_text("van,bus\n")
    return root


def run(folder: Path, line: str, name: str = "streets") -> int:
    """The command with a line of more flags, in which {here} is the folder."""
    required = (
        f"splits make {name} --images {{here}} --labels {{here}}/all.csv --data-root {{here}}"
    )
    return commands.main([p.format(here=folder) for p in shlex.split(f"{required} {line}")])


def test_what_it_makes_and_says(folder, capsys):
    line = "--few-shot --novel 'traffic light,tram' --shots 1,2 --episodes 2 --groups thirds "
    line += "--long-tailed pareto:20:2 --names {here}/names.csv --template 'a street with a {{}}' "
    line += "--test-share 0.25 --seed 4"
    assert run(folder, line) == 0
    out, err = capsys.readouterr()
    assert err == "" and "CSV, labels separated by ';'" in out and "note: long tail: " in out
    assert f"streets-lt: made, {splits.fetched('streets-lt', folder)}" in out.splitlines()
    last = "next: python run_all.py --tasks streets-lt streets-fs-1 streets-fs-2 --data-root "
    assert out.splitlines()[-1] == last + shlex.quote(str(folder))
    assert [name for name in tasks.own(folder) if not name.endswith("holdout")] == [
        *("streets-fs-1", "streets-fs-2", "streets-lt")
    ]
    task = tasks.load("streets-lt", "paper", folder)
    assert task.class_names == ("bus", "traffic light", "tram", "delivery van")
    assert task.own["template"] == "a street with a {}" and max(task.train.labels.sum(0)) <= 22
    assert run(folder, line) == 0
    assert "streets-fs: is there as it would be made, and stays" in capsys.readouterr().out
    assert "--replace" in refused(capsys, lambda: run(folder, ""))
    assert run(folder, "--replace") == 0
    assert tasks.load("streets-lt", "paper", folder).own["template"] is None


def test_a_folder_that_is_given_relative_or_by_a_tilde(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    line = "splits make near --images pictures --labels ~/all.csv --data-root ."
    assert commands.main(line.split()) == 0
    assert capsys.readouterr().out.endswith(f"--data-root {shlex.quote(str(folder))}\n")
    assert tasks.load("near-lt", "paper", folder).test.images.paths[0].startswith("pictures/no ")


BAD = """\
--test-share 0 | --test-share 0.0: must be above 0 and below 1
--test-share 1 | --test-share 1.0: must be
--test-share nan | --test-share nan: must be
--test-share x | --test-share x: must be a number
--test-share 0.2 --test-labels {here}/all.csv | --test-share 0.2: test images are named by
--test-labels {here}/all.csv | all.csv:2: 'pictures/no 00000.jpg' is for training too
--test-labels {here}/nix.csv | nix.csv: cannot be read
--long-tailed 20:2 | --long-tailed 20:2: must be pareto:MAX:MIN
--long-tailed pareto:20 | --long-tailed 20: must be pareto:MAX:MIN
--long-tailed pareto:2:20 | must be pareto:MAX:MIN
--long-tailed pareto:20:0 | must be pareto:MAX:MIN
--long-tailed pareto:20:-1 | must be pareto:MAX:MIN
--few-shot | --few-shot: needs the novel classes
--novel bus | --novel bus: is for few-shot splits; add --few-shot
--shots 1 | --shots 1: is for few-shot splits
--few-shot --novel bike | --novel: unknown class 'bike'
--few-shot --novel bus,van,tram "traffic light" | --novel: names all classes
--few-shot --novel bus --shots 0 | --shots 0: each must be
--few-shot --novel bus --shots 1,x | --shots x: not a whole number
--few-shot --novel bus --shots 90 | --shots 90: novel class 'bus' has only
--few-shot --novel bus --episodes 0 | --episodes 0: must be
--groups 20,100 | --groups 20,100: must be HEAD,TAIL
--groups 20 | --groups 20: must be HEAD,TAIL
--groups halves | --groups halves: must be HEAD,TAIL
--template "a bus" | --template a bus: must have one {}
--template "{{}} and {{}}" | must have one {}
--template "{{0}}" | must have one {}
--names {here}/all.csv | all.csv:1: 'image' is no class of the labels
--names {here}/nix.csv | nix.csv: cannot be read
--names {here}/twice.csv | class 'van': its name 'bus' reads as class 'bus' does
--names {here} | cannot be read
--seed -1 | --seed
--seed 4294967296 | --seed 4294967296: must be a whole number below 2**32
--images "" | --images: '' is empty
--images {here}/nix | nix
--images /tmp | --images /tmp
--labels {here}/nix | nix: cannot be read
--data-root {here}/nix | --data-root
--data-root {here}/pictures | --images
""".splitlines()


@pytest.mark.parametrize("case", BAD)
def test_a_command_line_that_cannot_be(case, folder, capsys):
    line, _, words = case.partition(" | ")
    assert words in refused(capsys, lambda: run(folder, line, "bad"))
    assert not [name for name in splits.own(folder) if name.startswith("bad")]


@pytest.mark.parametrize("name", ["coco", "Voc", "../up", "a.b", "'a b'", "ü", "x" * 41])
def test_names_of_data_that_cannot_be(name, folder, capsys):
    assert "name " in refused(capsys, lambda: run(folder, "", name))


def test_a_template_too_long_for_clip(folder, capsys):
    line = "--template '" + "so " * 60 + "a {{}}' --names {here}/names.csv"
    assert run(folder, line, "long") == 0
    capsys.readouterr()
    line = "--template '" + ", " * 80 + "a {{}}'"
    assert "of CLIP's tokens" in refused(capsys, lambda: run(folder, line, "longer"))


def test_what_help_says(capsys):
    with pytest.raises(SystemExit):
        commands.main(["splits", "make", "--help"])
    out = capsys.readouterr().out
    for flag in ("--test-labels", "--long-tailed pareto:MAX:MIN", "--few-shot", "--replace"):
        assert flag in out
