"""Searches: the same proposals every time, in batches, whatever they are computed by."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from benchmark.common.errors import InputError
from benchmark.data.tasks import TaskInfo
from benchmark.method.registry import MethodInfo
from benchmark.method.search_space import Choice, Range
from benchmark.runner import proposals, search
from benchmark.runner.proposals import Proposals
from benchmark.runner.search import Search
from benchmark.suites.expand import Known
from benchmark.suites.suite import MethodEntry, Override, Suite

SPACE = {
    "lr": Range(1e-4, 1.0, log=True),
    "epochs": Range(1, 50),
    "loss": Choice(("bce", "asl")),
    "betas": Choice(((0.9, 0.99), (0.5, 0.9))),
    "base_epochs": Range(1, 5, setting="few-shot"),
}
DEFAULTS = {"lr": 0.002, "epochs": 50, "loss": "asl", "betas": (0.9, 0.99), "base_epochs": 2}
TASKS = ("coco-lt-holdout", "voc-lt-holdout")
KNOWN = Known(
    scale="miniature",
    tasks={
        "coco-lt": TaskInfo("coco-lt", "long-tailed", "coco", "aa"),
        "coco-lt-holdout": TaskInfo("coco-lt-holdout", "long-tailed", "coco", "ab"),
        "voc-lt-holdout": TaskInfo("voc-lt-holdout", "long-tailed", "voc", "bb"),
        "voc-fs-1-holdout": TaskInfo("voc-fs-1-holdout", "few-shot", "voc", "cc", episodes=10),
    },
    methods={
        "coop": MethodInfo("coop", 1, False, DEFAULTS, search_space=SPACE),
        "zeroshot": MethodInfo("zeroshot", 1, True, {}),
    },
    backbone="tiny",
    weights_sha256="ff",
)
COOP = MethodEntry("coop", "coop", overrides=(Override({"task": ("coco-lt",)}, {"epochs": 7}),))
SUITE = Suite("small", ("coco-lt",), (0, 1, 2), 10, (COOP,))


def begun(trials=12, entry=COOP, setting="long-tailed", tasks=TASKS, seed=0) -> Search:
    return Search(SUITE, entry, KNOWN, setting, tasks, trials, episodes=2, seed=seed)


class Computed:
    """Records by a formula of the hyperparameters, made for the units that are asked for."""

    def __init__(self, broken=()):
        self.done, self.failed, self.calls, self.broken = {}, {}, [], broken

    def __call__(self, units):
        new = [unit for unit in units if unit.key not in self.done]
        self.calls.append(len(new))
        for unit in new:
            given = dict(unit.hyperparameters)
            score = 50 - abs(given.get("lr", 0.1) - 0.1) * 40 - (given.get("loss") == "asl")
            if unit.label not in self.broken:
                record = {"status": "done", "metrics": {"map": score}, "label": unit.label}
                self.done[unit.key] = record
        return self


def ran(one: Search, compute=None) -> Search:
    search.run([one], compute or Computed(), lambda line: None)
    return one


def test_the_first_trial_is_the_suites_and_each_is_an_ordinary_unit():
    units = begun().ask()
    assert len(units) == 4 * 2  # a batch on two tasks
    assert {unit.label for unit in units} == {f"coop-long-tailed-{n:02d}" for n in range(1, 5)}
    assert {(unit.seed, unit.episode) for unit in units} == {(0, None)}
    first = {u.task: dict(u.hyperparameters) for u in units if u.label.endswith("-01")}
    assert first["coco-lt-holdout"] == DEFAULTS | {"epochs": 7}  # set for the task it stands for
    assert first["voc-lt-holdout"] == DEFAULTS
    second = [u.hyperparameters for u in units if u.label.endswith("-02")]
    assert second[0] == second[1] and dict(second[0])["base_epochs"] == 2  # few-shot alone


def test_few_shot_trials_are_the_first_episodes():
    units = begun(setting="few-shot", tasks=("voc-fs-1-holdout",)).ask()
    assert [(u.seed, u.episode) for u in units][:2] == [(0, 1), (0, 2)] and len(units) == 8


def test_what_is_proposed_is_of_the_space_and_has_three_digits():
    asked = Proposals(SPACE, seed=3).ask(30)
    for values in asked:
        assert 1e-4 <= values["lr"] <= 1 and values["lr"] == float(f"{values['lr']:.3g}")
        assert values["epochs"] in range(1, 51) and values["loss"] in ("bce", "asl")
        assert values["betas"] in SPACE["betas"].values
    assert proposals._value(Range(0.12345, 2.0), 0.12346) == 0.12345  # rounded, but not outside


def test_the_same_results_lead_to_the_same_search():
    one, other = ran(begun()), ran(begun())
    assert one.result == other.result
    assert one.result.trials != ran(begun(seed=1)).result.trials


def test_a_search_goes_on_from_its_records():
    compute = Computed()
    short = ran(begun(10), compute)
    before = len(compute.calls)
    again = ran(begun(10), compute)
    assert again.result == short.result and sum(compute.calls[before:]) == 0
    longer = ran(begun(24), compute)
    assert longer.result.trials[:10] == short.result.trials
    assert longer.result.trials == ran(begun(24)).result.trials
    assert longer.result.best.mean >= short.result.best.mean > short.result.trials[0].mean


def test_each_label_has_as_many_trials_and_one_without_choices_has_one():
    labels = [COOP, MethodEntry("coop-b", "coop"), MethodEntry("zeroshot", "zeroshot")]
    searches, lines = [begun(entry=entry) for entry in labels], []
    search.run(searches, Computed(), lines.append)
    assert [len(one.found) for one in searches] == [12, 12, 1]
    assert lines[:3] == [
        f"{one.entry.label}, long-tailed: {n} of {len(one.found)} trials, best {best} (trial {at})"
        for one, n, (best, at) in zip(searches, (4, 4, 1), map(best_of_four, searches), strict=True)
    ]


def best_of_four(one: Search) -> tuple[str, int]:
    best = max(one.found[:4], key=lambda trial: trial.mean)
    return f"{best.mean:.1f}", best.number


def test_what_an_entry_is_by_its_hyperparameters_is_not_searched():
    entry = dataclasses.replace(COOP, hyperparameters={"loss": "bce"}, label="coop-bce")
    one = ran(begun(entry=entry))
    assert one.result.names == ("lr", "epochs", "betas")
    assert all(dict(unit.hyperparameters)["loss"] == "bce" for unit in begun(entry=entry).ask())


def test_a_settings_file_does_not_change_the_search():
    entry = dataclasses.replace(COOP, chosen={"x": Override({}, {"lr": 0.5})})
    assert ran(begun(entry=entry)).result == ran(begun()).result


def test_overrides_that_would_win_over_a_settings_file_are_named():
    assert begun().overridden == ["epochs"]
    assert begun(tasks=("voc-lt-holdout",)).overridden == []


def test_a_trial_without_a_result_is_the_worst():
    compute = Computed(broken={"coop-long-tailed-01", "coop-long-tailed-03"})
    one = ran(begun(4), compute)
    assert one.result.trials[2].scores == dict.fromkeys(TASKS, "failed")
    assert one.result.trials[2].mean is None and one.result.best.number in (2, 4)
    skipped = Computed()
    skipped.done = {u.key: {"status": "skipped", "metrics": {"map": None}} for u in begun(4).ask()}
    one = ran(begun(4), skipped)
    assert one.result.best is None and one.line.endswith("none has a result")
    assert one.result.trials[0].scores == dict.fromkeys(TASKS, "skipped")


def test_values_that_differ_between_tasks_are_no_choice():
    one = ran(begun(1))
    assert "epochs" not in one.result.best.values  # 7 on one task, 50 on the other
    assert one.result.best.values["betas"] == (0.9, 0.99)


def test_learning_from_settings_outside_the_space_is_passed_over():
    made = Proposals({"n": Range(1, 5), "c": Choice(("a", "b"))}, seed=0)
    for values in ({"n": 9, "c": "a"}, {"n": 2.5, "c": "a"}, {"n": 2, "c": "z"}, {"c": "a"}):
        made.learn(values, 1.0)
    assert not made.study.trials
    made.learn({"n": 2.0, "c": "a"}, 1.0)
    assert len(made.study.trials) == 1


def test_without_optuna_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match="pip install optuna"):
        proposals.optuna()


def test_expected_costs_are_means_of_the_method_on_the_task():
    from benchmark.runner import schedule

    units = begun().ask()
    records = [
        {"task": "coco-lt-holdout", "method": "coop", "seconds": {"fit": fit, "predict": 1.0}}
        for fit in (1.0, 3.0)
    ]
    found = schedule.expected(units, records)
    assert set(found.values()) == {3.0} and len(found) == 4
