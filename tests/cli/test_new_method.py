"""`--new-method`: what it writes is a whole method, and it never overwrites anything."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli import new_method, run
from benchmark.cli.check import main as check
from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.method import registry


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """One known method, so that none need be imported."""
    card = registry.MethodInfo("coop", 1, False, {}, "CoOp.", "coop.py")
    monkeypatch.setattr(registry, "methods", lambda plugins=(): {"coop": card})


def test_it_writes_a_file_and_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run.main(["--new-method", "my_method"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("wrote my_method.py: ")
    assert "python -m benchmark check my_method.py" in out
    assert "python run_all.py --plugin my_method.py --methods my_method --tasks voc-fs-1" in out
    text = (tmp_path / "my_method.py").read_text()
    assert "class MyMethod(Method):" in text and 'name = "my_method"' in text and "@" in text
    assert "@NAME@" not in text and "@CLASS@" not in text


def test_what_it_writes_passes_the_check(tmp_path, capsys):
    assert run.main(["--new-method", "fresh_idea", "--to", str(tmp_path)]) == 0
    code = check([str(tmp_path / "fresh_idea.py")])
    out = capsys.readouterr().out
    assert code == 0 and "fresh_idea: class FreshIdea of" in out
    assert " wrong " not in out and " note " not in out, out
    assert "residual" in out  # its loss curve


def test_what_it_writes_is_formatted_as_our_own_code(tmp_path):
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    path = new_method.write("my_method", tmp_path)
    settings = ["--config", str(environment.ROOT / "pyproject.toml")]
    for action in (["format", "--check"], ["check", "--ignore", "I"]):
        done = subprocess.run([ruff, *action, *settings, path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name, made", [("f", "MyF"), ("method", "MyMethod"), ("a_b2", "AB2")])
def test_its_class_hides_nothing_that_it_needs(name, made):
    text = new_method.text(name)
    assert f"class {made}(Method):" in text
    compile(text, name, "exec")


@pytest.mark.parametrize(
    "name", ["2fast", "my-method", "class", "none", "A", "a" * 101, "ä", "a/b", "_a"]
)
def test_a_name_that_is_no_identifier(name, tmp_path, capsys):
    assert run.main(["--new-method", name, "--to", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: --new-method {name}: not a name") and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text("precious")
    assert run.main(["--new-method", "mine", "--to", str(tmp_path)]) == 2
    assert f"{path}: is there already; choose another" in capsys.readouterr().err
    assert path.read_text() == "precious"


def test_a_name_that_is_taken_and_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="--new-method coop: coop.py has it; choose another"):
        new_method.write("coop", tmp_path)
    with pytest.raises(InputError, match="--to .*/no: no such folder; make it first"):
        new_method.write("mine", tmp_path / "no")


def test_to_without_new_method(capsys):
    assert run.main(["--to", "."]) == 2
    assert "only --new-method" in capsys.readouterr().err
