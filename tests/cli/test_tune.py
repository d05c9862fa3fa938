"""`python -m benchmark tune` in the tiny world: trials, tables, settings file, bad flags."""

from __future__ import annotations

import re
import sys

import pytest
import yaml

from benchmark.__main__ import main as door
from benchmark.cli.tune import main, parser
from benchmark.common import files
from benchmark.report.figures import search as figures
from benchmark.suites import load, plan

PLUGIN = '''\
"""A method with something to choose, best at a shift of 2."""
from fast import Prior
from benchmark.method.search_space import Choice, Range

class Shifted(Prior):
    """As prior, the noisier the farther off."""
    name = "shifted"
    search_space = {
        "shift": Range(0.0, 4.0),
        "kind": Choice(("a", "b")),
        "steps": Range(1, 3, setting="few-shot"),
    }
    def __init__(self, *, shift: float = 0.0, kind: str = "a", steps: int = 1):
        super().__init__(noise=abs(shift - 2) * 3)
        self.shift, self.kind, self.steps = shift, kind, steps
'''
SUITE = """\
# With settings.
name: chosen
tasks: [voc-lt]
seeds: [0]
episodes: 1
settings: {miniature: results/tune/miniature/settings.yaml}
methods:
  shifted:
  prior:
"""


@pytest.fixture
def tune(world, monkeypatch):
    """The command with a plugin that has a search space; no figures but where they are tested."""
    (world.folder / "shifted.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(world.folder))
    monkeypatch.delitem(sys.modules, "fast", raising=False)
    monkeypatch.setattr(figures, "figures", lambda results: ())

    def command(*flags: str, tasks=("voc-lt-holdout",)) -> tuple[int, str, str]:
        world.capsys.readouterr()
        ours = ["--plugin", str(world.folder / "shifted.py"), "--tasks", *tasks, "--trials", "6"]
        code = main([*world.arguments("--workers", "1"), *ours, *map(str, flags)])
        return code, *world.capsys.readouterr()

    return command


def settings_of(world) -> dict:
    return yaml.safe_load((world.results / "tune" / "miniature" / "settings.yaml").read_text())


def test_every_flag_has_help():
    assert all(action.help for action in parser()._actions)


def test_a_search_its_tables_and_its_replay(world, tune):
    code, out, _ = tune("--methods", "shifted", "prior")
    assert code == 0
    assert re.search(r"^shifted, long-tailed: 4 of 6 trials, best \d+\.\d \(trial \d\)$", out, re.M)
    assert re.search(r"^prior, long-tailed: 1 of 1 trials", out, re.M)
    assert len(world.computed()) == 6 + 1
    folder = world.results / "tune" / "miniature"
    assert len(files.file_times(folder / "records")) == 7
    chosen = settings_of(world)
    assert set(chosen) == {"shifted"} and set(chosen["shifted"]["long-tailed"]) == {"shift", "kind"}
    assert isinstance(chosen["shifted"]["long-tailed"]["shift"], float)
    trials = (folder / "search" / "shifted_long-tailed.md").read_text().splitlines()
    assert trials[2] == "| trial | shift | kind | VOC-LT hold-out | mean |" and len(trials) == 10
    assert trials[4].startswith("| 1 | 0 | a |") and sum("**" in line for line in trials) == 1
    again = tune("--methods", "shifted", "prior")
    assert again[0] == 0 and len(world.computed()) == 7
    assert again[1].splitlines()[-4:] == out.splitlines()[-4:]
    assert settings_of(world) == chosen


def test_more_trials_go_on_from_those_there_are(world, tune):
    assert tune("--methods", "shifted")[0] == 0
    rows = (world.results / "tune/miniature/search/shifted_long-tailed.csv").read_text()
    code, out, _ = tune("--methods", "shifted", "--trials", "11")
    assert code == 0 and len(world.computed()) == 11
    assert (world.results / "tune/miniature/search/shifted_long-tailed.csv").read_text() != rows
    longer = (world.results / "tune/miniature/search/shifted_long-tailed.csv").read_text()
    assert longer.startswith(rows)


def test_settings_are_searched_apart(world, tune):
    tasks = ("voc-lt-holdout", "voc-fs-1-holdout")
    code, out, _ = tune("--methods", "shifted", "--trials", "2", "--episodes", "1", tasks=tasks)
    assert code == 0 and "shifted, few-shot: 2 of 2 trials" in out
    assert set(settings_of(world)["shifted"]["few-shot"]) == {"shift", "kind", "steps"}
    assert set(settings_of(world)["shifted"]["long-tailed"]) == {"shift", "kind"}


def test_workers_do_not_change_the_search(world, tune, monkeypatch):
    """Units may be computed in any order: here one at a time, each batch backwards."""
    from benchmark.runner import workers

    assert tune("--methods", "shifted")[0] == 0
    chosen = settings_of(world)
    monkeypatch.setattr(workers, "order", lambda units, *_: list(units)[::-1])
    assert tune("--methods", "shifted", "--results-dir", world.folder / "other")[0] == 0
    other = world.folder / "other" / "tune" / "miniature" / "settings.yaml"
    assert yaml.safe_load(other.read_text()) == chosen


def test_a_suite_takes_up_what_was_chosen(world, tune):
    assert tune("--methods", "shifted")[0] == 0
    (world.folder / "chosen.yaml").write_text(SUITE)
    chosen = settings_of(world)["shifted"]["long-tailed"]
    suite = str(world.folder / "chosen.yaml")
    plugins = (world.folder / "fast.py", world.folder / "shifted.py")
    made = plan.make(plan.Choice(suite, plugins=plugins))
    given = {unit.label: dict(unit.hyperparameters) for unit in made.units}
    assert given["shifted"] == {"steps": 1, **chosen}
    code, out, _ = world.run("--suite", suite, "--plugin", plugins[1], "--dry-run")
    assert code == 0 and f"shift={chosen['shift']!r}" in out
    code, _, _ = tune("--methods", "shifted", "--suite", suite)
    assert code == 0 and len(world.computed()) == 6  # the start is not what was chosen before
    assert load.load_suite(suite).settings["miniature"].labels == settings_of(world)


def test_overrides_that_win_over_the_file_are_said(world, tune):
    path = world.folder / "over.yaml"
    entry = "  shifted: {overrides: [{when: {dataset: voc}, set: {shift: 1.0}}]}\n"
    path.write_text(SUITE.replace("  shifted:\n", entry).replace(SUITE.splitlines()[5] + "\n", ""))
    code, out, _ = tune("--methods", "shifted", "--trials", "1", "--suite", path)
    assert code == 0
    assert "the overrides of shifted set shift, which win over a settings file" in out
    assert settings_of(world)["shifted"]["long-tailed"] == {"shift": 1.0, "kind": "a"}


def test_a_failed_trial_is_said_and_makes_the_exit_code_1(world, tune):
    code, out, err = tune("--methods", "breaks", "shifted", "--trials", "1")
    assert code == 1 and "breaks, long-tailed: 1 of 1 trials, none has a result" in out
    assert "no luck today" in err or "traceback in" in err
    assert "failed" in (world.results / "tune/miniature/search/breaks_long-tailed.md").read_text()
    assert set(settings_of(world)) == {"shifted"}


@pytest.mark.parametrize(
    "flags, words",
    [
        (("--tasks", "voc-lt"), "--tasks voc-lt: nothing is chosen on test data"),
        (("--tasks", "voc-holdout"), "unknown task 'voc-holdout'"),
        (("--methods", "shiftd"), "did you mean 'shifted'"),
        (("--trials", "0"), "--trials 0: must be 1 or more"),
        (("--trials", "many"), "invalid int value"),
        (("--episodes", "0"), "--episodes 0"),
        (("--workers", "0"), "--workers 0"),
        (("--device", "gpu"), "unknown device 'gpu'"),
        (("--suite", "cimlc"), "unknown suite 'cimlc'"),
    ],
)
def test_bad_flags_are_one_line(world, tune, flags, words):
    code, _, err = tune(*flags)
    assert code == 2 and words in err and err.count("\n") == 1
    assert not world.computed()


@pytest.mark.parametrize(
    "space, words",
    [
        ("Range(4.0, 0.0)", "does not import (ValueError: Range(4.0, 0.0): the first must be "),
        (
            "Range(0.0, float('inf'))",
            "shifted: search_space of shift has inf, which no record can ",
        ),
    ],
    ids=["no range at all", "no range of this"],
)
def test_a_search_space_that_cannot_be_is_one_line(world, tune, space, words):
    path = world.folder / "shifted.py"
    path.write_text(path.read_text().replace("Range(0.0, 4.0)", space))
    code, _, err = tune("--methods", "shifted")
    assert code == 2 and err.count("\n") == 1 and not world.computed()
    assert f"{path}: {words}" in err


def test_without_optuna_nothing_is_begun(world, tune, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = tune()
    assert code == 2 and "pip install optuna" in err and err.count("\n") == 1
    assert not world.results.exists()


def test_an_interruption_says_how_to_go_on(tune, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmark.runner.search.run", interrupt)
    code, _, err = tune()
    assert code == 130 and "the same command goes on from here" in err


def test_the_door_knows_it(capsys):
    assert door([]) == 0
    assert "tune" in capsys.readouterr().out
