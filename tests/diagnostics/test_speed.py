"""The speed command: that it measures what it says and prints it; never how long anything takes."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from benchmark.cli.speed import main
from benchmark.clip import observe, resolve
from benchmark.clip.model import load
from benchmark.diagnostics.speed import bench, paper_scale, setup, step_timer, steps

PLAIN, CLASSES = 77, 6  # tokens of a prompt the plain way


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
    monkeypatch.setattr(paper_scale, "_LIMIT_SECONDS", 0.01)
    flags = ["--paper", "--backbone", resolve.DEFAULT["miniature"], "--device", "cpu"]
    flags += ["--images", "6", "--epochs", "1"]
    assert main([*flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["paper"]
    assert found["images"] == {"train": 6, "test": 6}
    known = {"zeroshot", "coop", "dualcoop", "hpdval", "hpdval-released"}
    assert set(found["methods"]) == known
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


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """All cases at miniature shapes, few images and classes, and a folder for each."""
    folder = tmp_path_factory.mktemp("speed")
    model = load(resolve.resolve(None, "miniature"))
    train = setup.pictures(folder, model.image_size, "train", 8, CLASSES)
    labels = [name.partition(".")[0] for name in bench.CASES]
    units = {unit.label: unit for unit in setup.units("miniature", labels)}
    return {
        name: (bench.Bench(name, units[name.partition(".")[0]], model, train), folder / name)
        for name in bench.CASES
    }


@pytest.fixture(scope="module")
def passes(cases):
    """One training step of each case, both ways, by one thread: several add up in another order,
    and in stage 1 L_kd has a kink where the step begins, with student and teacher alike."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield {
        name: {way: ready.steps(way, folder, 1, count=True) for way in steps.WAYS}
        for name, (ready, folder) in cases.items()
    }
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", bench.CASES)
def test_plain_and_fast_steps_have_the_same_loss_and_gradients(passes, name):
    fast, slow = passes[name]["fast"], passes[name]["plain"]
    assert math.isclose(fast.loss, slow.loss, rel_tol=1e-5)
    assert len(fast.gradients) == len(slow.gradients) > 0
    # A learned offset starts at its optimum: its gradient is what rounding leaves of larger terms,
    # in HP-DVAL times a scale of 40.
    rounding = 1e-6 * math.hypot(*(gradient.norm() for gradient in slow.gradients))
    for one, other in zip(fast.gradients, slow.gradients, strict=True):
        assert one.abs().max() > 0
        learned_offset = name.startswith("hpdval") and one.ndim == 1 and len(one) == CLASSES
        within = 1e-4 if learned_offset else 1e-5
        assert (one - other).norm() <= within * other.norm() + rounding
    found = steps._differences(slow, fast)
    assert found["loss_difference"] <= 1e-5 and found["gradient_difference"] <= within


@pytest.mark.parametrize("name", bench.CASES)
def test_plain_steps_do_the_work_that_fast_ones_leave_out(passes, name):
    fast, slow = passes[name]["fast"].flop, passes[name]["plain"].flop
    frozen = passes["coop"]["plain"].flop["image"]
    if name == "hpdval.stage1":  # the student is trained both ways; the teacher is frozen
        assert fast["image"] > 2 * frozen
        assert slow["image"] - fast["image"] == pytest.approx(frozen, rel=0.1)
        assert not fast.get("text") and not slow.get("text")
    elif name == "lmclip":  # both towers are trained: only padding and what is said twice goes
        assert fast["image"] == slow["image"] > 2 * frozen
        assert 0 < 3 * fast["text"] < slow["text"]
    else:
        assert not fast.get("image") and slow["image"] >= frozen > 0
        assert slow["text"] > 2 * fast["text"] > 0


@pytest.mark.parametrize(("name", "contexts"), [("coop", 1), ("dualcoop", 2), ("hpdval.stage2", 2)])
def test_plain_text_is_all_of_each_prompt(cases, passes, name, contexts):
    """Forward: 12 W^2 weights a block and token, and the attention; backward: the inputs' part."""
    tower = cases[name][0].clip.model
    width, layers = tower.token_embedding.weight.shape[1], len(tower.transformer.resblocks)
    tokens = contexts * CLASSES * PLAIN
    products = 2 * 2 * 12 * width**2 * tokens * layers  # forward and backward
    attention = (4 + 10) * width * PLAIN * tokens * layers  # the kernel's backward works some twice
    projected = 2 * 2 * contexts * CLASSES * tower.text_projection.numel()
    total = products + attention + projected
    assert passes[name]["plain"].flop["text"] == pytest.approx(total, rel=0.02)


def test_an_error_of_the_fast_way_would_be_seen(cases, monkeypatch, tmp_path):
    ready, _ = cases["coop"]
    fast = ready.steps("fast", tmp_path, 1, count=True)
    encode = bench.image_features
    monkeypatch.setattr(bench, "image_features", lambda *g: [v.flip(0) for v in encode(*g)])
    found = steps._differences(ready.steps("plain", tmp_path, 1, count=True), fast)
    assert found["gradient_difference"] > 1e-3


def test_a_watched_fit_leaves_nothing_behind(cases, tmp_path):
    ready, _ = cases["dualcoop"]
    seen = step_timer.StepTimer("cpu", 1)
    with seen:
        assert observe.observer.get() == seen._encode
    ready.steps("plain", tmp_path, 1)
    assert observe.observer.get() is None and not ready.clip.plain_text
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1)
    optimiser.step()  # no hook of an earlier watch is called


def test_a_gpu_is_only_stopped_where_parts_are_asked_for(cases, tmp_path, monkeypatch):
    """A CPU that is called a GPU: what the clock waits for, and what it then knows."""
    ready, _ = cases["coop"]
    waits: list[str] = []
    monkeypatch.setattr(step_timer, "wait", waits.append)
    for borders in (False, True):
        waits.clear()
        seen = step_timer.StepTimer("cuda:0", 3, skip=1, borders=borders)
        ready.fit("fast", tmp_path, seen)
        assert seen.step > 0 and bool(seen.parts) == borders
        if not borders:  # when the loop begins, is warm and ends; and for each array prepared
            assert 3 <= len(waits) <= 5


def test_steps_to_warm_up_count_for_nothing(cases, tmp_path):
    ready, _ = cases["coop"]
    found = ready.steps("fast", tmp_path, 3)
    assert math.isclose(sum(found.parts.values()), found.step, rel_tol=1e-3)
    assert found.step > 0 and found.prepared > 0


def test_json_has_flat_keys(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CIMLIC_CACHE", str(tmp_path))
    monkeypatch.setattr(steps, "_MATRIX_SECONDS", 0.01)
    flags = ["--only", "miniature.hpdval", "--device", "cpu", "--threads", "1"]
    flags += ["--images", "2", "--classes", "2", "--rounds", "1"]
    assert main([*flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    one, two = (f"miniature.hpdval.stage{n}" for n in (1, 2))
    for name in (one, two, "miniature.hpdval"):
        plain_seconds, fast = (found[f"{name}.{way}.epoch_seconds"] for way in ("plain", "fast"))
        assert math.isclose(found[f"{name}.epoch_ratio"], plain_seconds / fast)
    ratio = found[f"{two}.plain.step_seconds"] / found[f"{two}.fast.step_seconds"]
    assert math.isclose(found[f"{two}.step_ratio"], ratio)  # of one pair
    assert found[f"{one}.batch"] == found[f"{one}.classes"] == 2 and found[f"{one}.epoch_measured"]
    for way in (f"{two}.{way}" for way in steps.WAYS):
        shares, gflop = (
            [found[f"{way}.{part}_{what}"] for part in ("image", "text", "rest")]
            for what in ("share", "gflop")
        )
        assert math.isclose(sum(shares), 1) and math.isclose(sum(gflop), found[f"{way}.gflop"])
    assert not list(tmp_path.glob("speed-*"))  # its own cache is gone

    out = steps.text(found)
    assert f"{two} plain" in out and "miniature.hpdval " in out


def test_pairs_take_turns_and_a_heavy_first_run_is_one_of_them(tmp_path):
    class Fake:
        asked: list = []
        whole = False

        def steps(self, way, cache, count):
            self.asked.append((way, count))
            return way

    light, heavy, heavier = (SimpleNamespace(step=step) for step in (0.1, 20.0, 50.0))
    first = {"fast": light, "plain": heavy}
    pairs = steps._pairs(Fake(), 3, first, tmp_path)
    assert pairs[0] == {"fast": "fast", "plain": heavy}
    assert Fake.asked == [("fast", 5), ("plain", 1), ("fast", 5), ("fast", 5), ("plain", 1)]
    first = dict.fromkeys(steps.WAYS, heavier)
    assert steps._pairs(Fake(), 3, first, tmp_path) == [first]  # no time for another


def test_names_are_chosen_by_their_beginnings():
    assert steps.chosen(["paper.rn50.dualcoop"]) == ["paper.rn50.dualcoop"]
    assert steps.chosen(["miniature.hpdval"]) == [f"miniature.hpdval.stage{n}" for n in (1, 2)]
    assert len(steps.chosen(["paper"])) == 10 and steps.chosen([]) == list(steps.NAMES)


def test_attention_without_gradients_counts_like_attention_with():
    """Two kernels of torch that its own counter does not know."""
    attention = torch.nn.MultiheadAttention(64, 2, batch_first=True).eval()
    x, counted = torch.randn(3, 5, 64), []
    for learns in (True, False):
        with step_timer.flop_counter() as counter, torch.set_grad_enabled(learns):
            attention(x, x, x, need_weights=False)
        counted.append(counter.get_total_flops())
    assert counted[0] == counted[1] == 2 * 15 * 64 * 4 * 64 + 4 * 15 * 5 * 64


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--loader", "{folder}"], "no .jpg or .png"),
        (["--loader", "{folder}/absent"], "no .jpg or .png"),
        (["--paper", "--methods", "zerosho"], "did you mean 'zeroshot'"),
        (["--paper", "--images", "0"], "--images 0: must be 1 to "),
        (["--only", "paper.rn50.dualcop"], "did you mean 'paper.rn50.dualcoop'"),
        (["--steps", "--classes", "0"], "--classes 0: must be 1 to "),
        (["--paper", "--classes", "2"], "--classes: belongs to --steps"),
        (["--epochs", "2"], "--epochs: belongs to --paper"),
        (["--steps", "--paper"], "not allowed with argument --steps"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, flags, named):
    assert main([flag.format(folder=tmp_path) for flag in flags]) == 2
    error = capsys.readouterr().err
    assert named in error and error.count("\n") == 1
