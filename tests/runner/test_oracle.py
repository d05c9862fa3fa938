"""--oracle: the best epoch on test beside the last, and not a bit of the result depends on it."""

from __future__ import annotations

import functools
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from benchmark import metrics
from benchmark.common import files
from benchmark.common.errors import InputError
from benchmark.data import tasks
from benchmark.method.discovery import discover, hyperparameters
from benchmark.method.run import Run
from benchmark.method.training import Recipe, train
from benchmark.records import store, table
from benchmark.report.grid import gather
from benchmark.report.tables import formats, second_metrics
from benchmark.runner import oracle, predict
from tests.helpers import drawn_images
from tests.helpers import suite_records as fakes

LABELS = np.eye(4, 3, dtype=np.float32)  # the fourth image shows nothing
GOOD, BAD = LABELS - 0.5, -LABELS


def new_run():
    return Run(clip=None, store=None, device="cpu", identity="unit")


def watched(answers, labels=LABELS, kind="raw"):
    """A watch whose n-th evaluation gives answers[n]: scores of a kind, or what it raises."""
    answers, method, run = iter(answers), SimpleNamespace(scores=kind), new_run()

    def score():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    task = SimpleNamespace(test=SimpleNamespace(labels=labels), groups={"head": (0, 1)})
    return oracle.EpochOracle(method, task, run, score), run


def test_the_first_of_the_best_epochs_is_kept():
    better = np.where(LABELS[:, :1] > 0, GOOD, BAD)  # the first image is scored well
    watch, run = watched([BAD, better, GOOD, GOOD, BAD])
    for epoch in (1, 2, 3, 4, 5):
        run.after_epoch("prompts", epoch)
    found = watch.close()
    each = [metrics.evaluate(s, LABELS, {}).metrics["map"] for s in (BAD, better, GOOD, GOOD, BAD)]
    assert each[0] < each[1] < each[2] == 100
    best = found["oracle"]
    assert best["curve"] == each and best["epochs"] == 5
    assert (best["stage"], best["epoch"], best["map"]) == ("prompts", 3, 100)
    assert best["head"] == 100 and best["medium"] is best["tail"] is best["novel"] is None
    assert found["oracle_reason"] is None and run.after_epoch is None and watch.seconds > 0


def test_of_logits_the_curve_after_a_softmax_is_kept_as_well():
    shifted = GOOD + 9 * np.arange(4)[:, None]  # which a softmax over classes takes away
    watch, run = watched([shifted, BAD, GOOD], kind="logits")
    for at in (("one", 1), ("two", 1), ("two", 2)):
        run.after_epoch(*at)
    best = watch.close()["oracle"]
    each = [metrics.evaluate(s, LABELS, {}, "logits").metrics for s in (BAD, GOOD)]
    assert best["curve_softmax"] == [found["map_softmax"] for found in each]
    assert len(set(best["curve_softmax"])) == 2 and best["epochs"] == 2
    watch, run = watched([GOOD])
    run.after_epoch("one", 1)
    assert "curve_softmax" not in watch.close()["oracle"]


def test_only_the_last_stage_counts():
    watch, run = watched([GOOD, ValueError("no"), BAD])
    for stage, epoch in (("one", 1), ("one", 2), ("two", 1)):
        run.after_epoch(stage, epoch)
    found = watch.close()
    assert found["oracle"]["stage"] == "two" and found["oracle"]["map"] < 100
    assert found["oracle"]["epochs"] == 1 and found["oracle_reason"] is None


def test_epochs_that_cannot_be_evaluated_are_left_out_with_a_reason():
    watch, run = watched([AttributeError("no\ntext"), ValueError("later"), GOOD])
    for epoch in (1, 2, 3):
        run.after_epoch("one", epoch)
    found = watch.close()
    assert (found["oracle"]["epochs"], found["oracle"]["epoch"]) == (1, 3)
    assert found["oracle_reason"] == "one, epoch 1: predict: AttributeError: no text"
    watch, run = watched([AttributeError("no text")])
    run.after_epoch("one", 1)
    assert watch.close()["oracle"] is None and watch.close()["oracle_reason"].endswith("no text")


def test_without_training_or_positives_there_is_a_reason():
    watch, _ = watched([])
    assert watch.close() == {"oracle": None, "oracle_reason": oracle.NOTHING}
    watch, run = watched([GOOD], np.zeros_like(LABELS))
    run.after_epoch("prompts", 1)
    assert watch.close()["oracle_reason"] == "no class has a positive test image"


def test_bad_input_is_not_a_reason_but_an_error():
    watch, run = watched([InputError("a.jpg: cut off; get it")])
    with pytest.raises(InputError, match="cut off"):
        run.after_epoch("prompts", 1)


def test_an_evaluation_leaves_no_trace():
    run = new_run()
    method = SimpleNamespace(layers=[nn.Dropout(0.5).train()], text=None)
    method.kept = kept = method.layers[0]
    for generator in (random, np.random):
        generator.seed(3)
    torch.manual_seed(3)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    for generator in (random, np.random):
        generator.seed(3)
    torch.manual_seed(3)
    calls = []
    run.after_epoch = lambda *at: calls.append(at)

    def careless():
        random.random(), np.random.rand(), torch.rand(1)
        kept.eval()
        method.text, method.extra = "stale", 1
        run.curve.append({"stage": "test"})
        value = nn.Parameter(torch.zeros(1))
        train([value], lambda i: value.sum(), 2, Recipe(1, 0.1), run, "adapt")
        raise RuntimeError("and fails")

    with pytest.raises(RuntimeError), oracle.untouched(method, run):
        careless()
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected
    assert vars(method) == {"layers": [kept], "text": None, "kept": kept} and kept.training
    assert run.curve == [] and calls == [] and run.after_epoch


@pytest.mark.parametrize("methods", ["learner", "staged"])
def test_records_are_the_same_bits_with_and_without(world, methods):
    flags = ("--methods", methods, "--tasks", "voc-lt", "voc-fs-1")
    assert world.run(*flags)[0] == 0
    plain = {r["key"]: r for r in store.load(world.records)}
    code, out, _ = world.run(*flags, "--oracle")
    assert code == 0 and "4 units, 4 to run" in out
    found = {r["key"]: r for r in store.load(world.records)}
    assert found.keys() == plain.keys() and len(found) == 4
    for key, record in found.items():
        old, best = plain[key], record["oracle"]
        assert old["oracle"] is old["oracle_reason"] is old["seconds"]["oracle"] is None
        differ = {name for name in record if record[name] != old[name]}
        assert differ <= {"oracle", "oracle_reason", "seconds", "provenance"}
        assert record["selection"] == "last" and record["seconds"]["oracle"] > 0
        assert set(best) == {*oracle.FIELDS, "epoch", "stage", "epochs", "curve"}
        assert best["map"] == max(best["curve"]) >= record["metrics"]["map"]
        assert best["curve"][-1] == record["metrics"]["map"]  # the averaged weights
        assert len(best["curve"]) == best["epochs"] == 4 and best["stage"] == "shift"
        assert best["curve"][best["epoch"] - 1] == best["map"] and len(set(best["curve"])) > 1
        group = "novel" if record["setting"] == "few-shot" else "tail"
        assert best[group] == best["map"] and best["head"] is None
        assert record["oracle_reason"] is None  # predict fails in the first stage of "staged"
    assert any(r["oracle"]["map"] > r["metrics"]["map"] for r in found.values())


def test_what_was_recorded_without_is_computed_again_once(world):
    flags = ("--methods", "learner,prior,refuses", "--episodes", "1", "--seeds", "0")
    assert world.run(*flags)[0] == 0  # voc-fs-1 is refused by one of them
    assert "6 units, 5 to run" in world.run(*flags, "--oracle", "--dry-run")[1]
    assert "5 missing" in world.run(*flags, "--oracle", "--status")[1]
    assert "missing" not in world.run(*flags, "--status")[1]
    code, out, err = world.run(*flags, "--oracle")
    assert code == 0 and "6 units, 5 to run" in out and "[6/6]" in err
    assert world.computed().count("predict") == 2 + 2 * (4 + 1)
    before = files.file_times(world.records)
    for more in ((), ("--oracle",)):
        assert "6 units, 0 to run" in world.run(*flags, *more)[1]
    assert files.file_times(world.records) == before
    found = {(r["task"], r["label"]): r for r in store.load(world.records)}
    assert found["voc-lt", "prior"]["oracle_reason"] == oracle.NOTHING
    assert found["voc-fs-1", "refuses"]["oracle_reason"] is None
    frame = table.frame(world.records).set_index(["task", "label"])
    best = found["voc-lt", "learner"]["oracle"]
    assert frame.loc[("voc-lt", "learner"), "oracle.map"] == best["map"]
    assert np.isnan(frame.loc[("voc-lt", "prior"), "oracle.map"])


def test_more_units_are_reported_than_the_oracle_was_asked_of(world):
    assert world.run("--methods", "prior", "learner", "--tasks", "voc-lt")[0] == 0
    only = ("--methods", "learner", "--tasks", "voc-lt", "--seeds", "0", "--oracle")
    code, out, _ = world.run(*only)
    assert code == 0 and "1 units, 1 to run" in out
    text = (world.records.parent / "report" / "report.md").read_text()
    assert "4 of 4 units done" in text
    assert "## Best epoch on test (oracle)" in text
    assert "| method | last | oracle | gap | n |" in text


def test_a_shared_stage_is_seen_where_it_is_the_last():
    run, seen, asked = new_run(), [], []

    def build():
        value = nn.Parameter(torch.rand(2))
        train([value], lambda i: value.square().sum(), 4, Recipe(2, 0.1), run, "one")
        return {"value": value.detach()}

    alone = run.shared({}, build)
    run.keep = lambda what, build: asked.append(what) or build()
    run.after_epoch = lambda *at: seen.append(at)
    kept = run.shared({"k": 1}, build)
    assert seen == [] and asked == [{"k": 1}]
    watched = run.shared({"k": 2}, build, last=True)
    assert seen == [("one", 1), ("one", 2)] and asked == [{"k": 1}]
    run.after_epoch = None
    unasked = run.shared({"k": 3}, build, last=True)
    assert asked == [{"k": 1}, {"k": 3}]
    assert all(torch.equal(alone["value"], s["value"]) for s in (kept, watched, unasked))


def best(record, gap, reason=None):
    """The record as with --oracle, its best epoch better by the gap."""
    values = {"map": record["metrics"]["map"] + gap, "epoch": 2, "stage": "prompts"}
    return record | {"oracle": values, "oracle_reason": reason}


def test_the_report_has_last_oracle_and_gap(tmp_path):
    units = fakes.units(["zeroshot", "coop", "hpdval"], ["coco-lt", "voc-lt", "voc-fs-1"], 2, 2)
    found = {u: fakes.record(u) for u in units}
    gaps = {"coop": (1.0, 3.0), "hpdval": (0.0, 0.5)}
    for u in units:
        turn = (u.episode or 1) - 1 + u.seed
        if u.label in gaps and u.task != "voc-lt" and (u.label, turn) != ("hpdval", 1):
            why = "prompts, epoch 1: predict: NaN" if u.label == "coop" else None
            found[u] = best(found[u], gaps[u.label][turn], why)
    grid = gather(units, fakes.store(tmp_path, list(found.values())))
    table = second_metrics.oracle(grid)
    assert table.labels == ("coop", "hpdval")
    assert [block.name for block in table.blocks] == ["coco-lt", "voc-fs-1"]
    assert table.blocks[0].columns == ("last", "oracle", "gap", "n")
    last, oracle_, gap, n = table.blocks[0].rows[0]
    values = [r["metrics"]["map"] for u, r in found.items() if (u.task, u.label) == COOP]
    assert last.stat.mean == pytest.approx(np.mean(values)) and n.word == "2"
    assert (gap.stat.mean, gap.rank) == (pytest.approx(2.0), 0)
    assert oracle_.stat.mean == pytest.approx(np.mean(values) + 2.0)
    one = [e.stat for e in table.blocks[0].rows[1][:3]]  # of hpdval one unit was asked
    assert [s.n for s in one] == [1, 1, 1] and one[1].mean - one[0].mean == one[2].mean
    for text in (formats.markdown(table), formats.text(table)):
        assert "Best epoch on test (oracle)" in text and "upper bound" in " ".join(text.split())
        assert "coop on COCO-LT: not every epoch was evaluated" in text


COOP = ("coco-lt", "coop")


def test_without_an_oracle_there_is_no_table(tmp_path):
    units = fakes.units(["coop"], ["coco-lt"], 2, 2)
    older = [fakes.record(u) for u in units]  # as before there was the field
    assert second_metrics.oracle(gather(units, fakes.store(tmp_path, older))) is None


def real_task(folder):
    """Pictures of five concepts as a long-tailed task."""
    fields = dict.fromkeys(tasks.Task.__dataclass_fields__)
    train_set, test = drawn_images.images(folder, 12), drawn_images.images(folder, 8, seed=1)
    given = {"class_names": drawn_images.CLASSES, "groups": {}, "train": train_set, "test": test}
    return tasks.Task(**fields | given | {"setting": "long-tailed", "dataset": "voc"})


METHODS = discover()
SHORT = {"epochs": 2, "stage1_epochs": 2, "stage2_epochs": 2, "warmup": 0, "augment": "none"}
CLOSED_FORM = ("zeroshot", "linear_probe")  # no epochs


def short(name):
    known = hyperparameters(METHODS[name])
    wanted = {k: v for k, v in SHORT.items() if known.get(k) not in (None, 0)}
    return METHODS[name](**wanted)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_evaluated_while_it_trains(name, tmp_path):
    task, results = real_task(tmp_path), []
    for asked in (False, True):
        method, run = short(name), drawn_images.run(tmp_path)
        score = functools.partial(predict.scored, method, task, run)
        watch = oracle.EpochOracle(method, task, run, score) if asked else None
        method.fit(task.train, run)
        found = watch.close() if watch else None
        results.append((score(), run.curve))
    assert np.array_equal(results[0][0], results[1][0]) and results[0][1] == results[1][1]
    if name in CLOSED_FORM:
        assert found == {"oracle": None, "oracle_reason": oracle.NOTHING}
        return
    last = metrics.evaluate(results[1][0], task.test.labels, {}).metrics["map"]
    assert found["oracle_reason"] is None, found["oracle_reason"]
    assert found["oracle"]["epochs"] == 2 and found["oracle"]["curve"][-1] == last
