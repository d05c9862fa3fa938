"""A suite's file may include other suites and say its tables; errors name file and field."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.common.errors import InputError
from benchmark.data.tasks import TaskInfo
from benchmark.method.registry import MethodInfo
from benchmark.suites.expand import Known, expand
from benchmark.suites.load import load_suite
from benchmark.suites.tables import Curve

PARTS = {
    "a": "name: a\ntasks: [coco-lt]\nseeds: [0]\nepisodes: 1\nmethods:\n  zeroshot:\n  coop:\n",
    "b": """\
name: b
tasks: [coco-lt, voc-lt]
seeds: [0, 1]
episodes: 2
methods:
  zeroshot:
  slow: {method: coop, hyperparameters: {lr: 2.0}}
tables:
  speed:
    title: Speed
    paper: Table X
    factors: [kind, lr]
    curve: {hyperparameter: lr, axis: rate, mark: 2}
    rows:
      zeroshot: [none, ""]
      slow: [slow, "2"]
""",
    "all": "# Both.\nname: all\ninclude: [a, b]\nseeds: [3]\nepisodes: 4\n",
}


def load(folder, name="all", **changes):
    """A suite of PARTS after text replacements: part=(old, new)."""
    for part, text in PARTS.items():
        old, new = changes.get(part, ("", ""))
        assert old in text
        (folder / f"{part}.yaml").write_text(text.replace(old, new) if old else text)
    return load_suite(name, folder)


def test_a_suite_of_suites(tmp_path):
    whole = load(tmp_path)
    assert (whole.name, whole.summary, whole.seeds, whole.episodes) == ("all", "Both.", (3,), 4)
    assert whole.tasks == ("coco-lt", "voc-lt")
    left = {entry.label: entry.leaves for entry in whole.methods}
    assert left == {"zeroshot": set(), "coop": {"voc-lt"}, "slow": set()}
    assert whole.layout.special == {"slow"}  # zeroshot is in a general table of `a`
    assert load_suite("b", tmp_path).layout.special == {"zeroshot", "slow"}
    (layout,) = whole.layout.tables
    assert layout.rows == {"zeroshot": ("none", ""), "slow": ("slow", "2")}
    assert layout.curve == Curve("lr", "rate", 2.0)


def test_one_settings_file_in_two_members_gives_one_entry(tmp_path):
    (tmp_path / "found.yaml").write_text("zeroshot: {long-tailed: {scale: 2.0}}\n")
    (tmp_path / "other.yaml").write_text("zeroshot: {long-tailed: {scale: 3.0}}\n")
    named = {x: ("methods:\n", "settings: {paper: found.yaml}\nmethods:\n") for x in "ab"}
    (entry,) = (e for e in load(tmp_path, **named).methods if e.label == "zeroshot")
    assert [each.set for each in entry.chosen.values()] == [{"scale": 2.0}]
    named["b"] = ("methods:\n", "settings: {paper: other.yaml}\nmethods:\n")
    with pytest.raises(InputError, match="'zeroshot' differs between"):
        load(tmp_path, **named)


def test_an_entry_runs_on_its_own_tasks_and_on_tasks_of_nobody(tmp_path):
    whole = load(tmp_path)
    names = ("coco-lt", "voc-lt", "voc-lt-holdout")
    tasks = {name: TaskInfo(name, "long-tailed", name[:3], "aa") for name in names}
    facts = {
        "coop": MethodInfo("coop", 1, False, {"lr": 0.1}),
        "zeroshot": MethodInfo("zeroshot", 1, True, {}),
    }
    world = Known("miniature", tasks | {}, facts, "b", "w")

    def units(*names):
        return [(u.task, u.label) for u in expand(replace(whole, tasks=names), world)]

    assert ("voc-lt", "coop") not in units("voc-lt") and ("voc-lt", "slow") in units("voc-lt")
    assert ("voc-lt-holdout", "coop") in units("voc-lt-holdout")


@pytest.mark.parametrize(
    "changes, parts",
    [
        ({"b": ("slow: {", "coop: {")}, ["rows", "unknown method 'slow'"]),
        (
            {"b": ("  zeroshot:\n  slow", "  zeroshot: {preprocess: square}\n  slow")},
            ["all.yaml: include", "'zeroshot' differs between", "a.yaml and", "b.yaml"],
        ),
        ({"all": ("[a, b]", "[a, c]")}, ["unknown suite 'c'"]),
        ({"all": ("[a, b]", "[a, a]")}, ["include", "none twice"]),
        ({"all": ("[a, b]", "[a, all]")}, ["all.yaml: include", "itself included"]),
        ({"all": ("seeds:", "tasks: [voc-lt]\nseeds:")}, ["unknown key 'tasks'"]),
        ({"b": ("  speed:", "  Speed!:")}, ["tables.Speed!", "small letters"]),
        ({"b": ("    title: Speed\n", "")}, ["tables.speed", "'title' is missing"]),
        ({"b": ("[kind, lr]", "[kind]")}, ["rows.zeroshot: 2 texts for 1 factors"]),
        ({"b": ('"2"]', "2]")}, ["rows.slow", "text (put it in quotes)"]),
        ({"b": ("axis: rate, ", "")}, ["curve", "'axis' is missing"]),
        ({"b": ("mark: 2", "mark: two")}, ["curve: mark", "a number"]),
        ({"b": ("paper:", "papers:")}, ["unknown key 'papers'", "did you mean 'paper'"]),
    ],
)
def test_an_error_is_one_line_that_names_file_and_field(tmp_path, changes, parts):
    with pytest.raises(InputError) as caught:
        load(tmp_path, **changes)
    message = str(caught.value)
    assert "\n" not in message and ".yaml" in message or "unknown suite" in message
    for part in parts:
        assert part in message


def test_two_tables_of_one_name_do_not_mix(tmp_path):
    table = PARTS["b"].partition("tables:")[2].replace("Speed", "Other")
    table = table.replace('      slow: [slow, "2"]\n', "")
    with pytest.raises(InputError, match="b.yaml has a table 'speed'"):
        load(tmp_path, a=("  coop:\n", "  coop:\ntables:" + table))
