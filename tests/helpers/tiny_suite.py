"""A tiny world for tests of the runner: real splits, tasks and metrics, no images, no CLIP.

`python tests/helpers/tiny_suite.py FLAGS` is run_all.py in that world, below the folder $TINY.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

STUBS = "stubs"  # below the folder: what a process of this world has in the place of slow libraries
CLASSES = ("ant", "bee", "cat", "dog", "elk", "fox")
SUITE = """\
# A tiny suite.
name: tiny
tasks: [voc-lt, voc-fs-1]
seeds: [0, 1]
episodes: 2
methods:
  prior:
"""
PLUGIN = '''\
"""Fast methods that show what the runner does with them."""
import os, sys, time
if "torch" in sys.modules:  # not where methods are only named, which shall not take seconds
    import numpy as np
    import torch
    if "TINY" in os.environ:  # in a process of its own: the world is installed there too
        from pathlib import Path
        from tests.helpers import tiny_suite
        tiny_suite.install_world(Path(os.environ["TINY"]))
from benchmark.method.base import Method

def note(text):
    if "TINY_LOG" in os.environ:
        with open(os.environ["TINY_LOG"], "a") as file:
            file.write(text + "\\n")

def wait(seconds):
    """Take so long, or no longer once the file $TINY_GO is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not os.path.exists(os.environ.get("TINY_GO", "")):
        time.sleep(min(0.05, seconds))

class Prior(Method):
    """Class frequencies and a little noise."""
    name = "prior"
    def __init__(self, *, noise: float = 0.5, sleep: float = 0.0):
        self.noise, self.sleep = noise, sleep
    def fit(self, train, run):
        note("fit")
        if "TINY_KILL" in os.environ and open(os.environ["TINY_LOG"]).read().count("fit") == 4:
            os.kill(os.getpid(), 9)
        wait(self.sleep)
        self.counts = torch.as_tensor(train.class_counts).float()
        run.curve.append({"stage": "fit", "epoch": 1, "loss": 0.5})
    def predict(self, images, run):
        dice = torch.Generator().manual_seed(run.seed("noise"))
        noise = torch.randn(len(images), len(self.counts), generator=dice)
        mix = torch.randn(64, 64, generator=dice)
        return self.counts / 10 + self.noise * noise + (mix @ mix).sum() * 1e-9

class Based(Prior):
    """As prior, with a base stage."""
    name = "based"
    shift = None
    def fit_base(self, base, run):
        note("base")
        self.shift = torch.rand(6, generator=torch.Generator().manual_seed(run.seed("init")))
        run.curve.append({"stage": "base", "epoch": 1, "loss": 1.0})
    def state(self):
        return {"shift": self.shift}
    def load_state(self, state):
        self.shift = state["shift"]
    def predict(self, images, run):
        shift = torch.zeros(6) if self.shift is None else self.shift
        waves = torch.arange(len(images))[:, None] * shift[: len(self.counts)]
        return super().predict(images, run) + waves.sin()

class Learner(Prior):
    """Trains with averaged weights and dropout; its predict leaves traces wherever it can."""
    name = "learner"
    def __init__(self, *, epochs: int = 4):
        self.epochs = epochs
    def fit(self, train, run):
        from benchmark.method.training import Recipe, train as minimise
        note("fit")
        count, classes = train.labels.shape
        self.shift = torch.nn.Parameter(torch.zeros(classes))
        self.dropout = torch.nn.Dropout(0.5).train()
        self.text = None
        def loss_of(indices):
            drawn = torch.rand(classes) + np.random.rand()
            return (self.dropout(self.shift + drawn) - torch.arange(classes)).square().mean()
        recipe = Recipe(self.epochs, 0.5, 4, ema=0.9)
        minimise([self.shift], loss_of, count, recipe, run, "shift")
    def predict(self, images, run):
        note("predict")
        self.dropout.eval()
        if self.text is None:
            self.text = self.shift.detach().clone()  # kept from the first call on
        torch.rand(3), np.random.rand(3)
        return (torch.arange(len(images))[:, None] * (1 + self.text)).sin()

class Staged(Learner):
    """As learner, after a stage in which predict cannot run yet."""
    name = "staged"
    def fit(self, train, run):
        from benchmark.method.training import Recipe, train as minimise
        first = torch.nn.Parameter(torch.ones(2))
        minimise([first], lambda i: first.square().sum(), 4, Recipe(2, 0.1), run, "first")
        super().fit(train, run)

class Steady(Prior):
    """Nothing random."""
    name = "steady"
    deterministic = True

class Refuses(Prior):
    """Refuses few-shot tasks."""
    name = "refuses"
    def skip(self, task):
        return "needs many images" if task.setting == "few-shot" else None

class Breaks(Prior):
    """Fails in the way that it is told to."""
    name = "breaks"
    def __init__(self, *, how: str = "raises", noise: float = 0.5, sleep: float = 0.0):
        super().__init__(noise=noise, sleep=sleep)
        self.how = os.environ.get("TINY_HOW", how)
    def predict(self, images, run):
        scores = super().predict(images, run)
        if self.how == "raises":
            raise RuntimeError("no luck today")
        if self.how == "nan":
            scores[0, 0] = float("nan")
        if self.how == "inf":
            scores[0, 0] = float("inf")
        return {"shape": scores[:, 1:], "array": scores.numpy(), "int": scores.int()}.get(
            self.how, scores
        )
'''


def make(folder: Path) -> Path:
    """Write the tiny world's splits, suite and plugin below the folder; return it."""
    (folder / "tiny.yaml").write_text(SUITE)
    (folder / "fast.py").write_text(PLUGIN)
    (folder / STUBS).mkdir(exist_ok=True)
    (folder / STUBS / "open_clip.py").write_text("")
    rows = [(f"{n:03d}.jpg", [n % 6] + ([(n * n) % 5] if n % 3 else [])) for n in range(60)]
    rows = [(path, sorted(set(labels))) for path, labels in rows]
    _split(folder, "voc-lt", "long-tailed", {"train.txt": rows[:24], "test.txt": rows[24:]})
    base = [(p, [k for k in labels if k < 4]) for p, labels in rows if min(labels) < 4]
    novel = [(p, [k for k in labels if k > 3]) for p, labels in rows if max(labels) > 3]
    lists = {"base_train.txt": base[:30], "novel_test.txt": novel[6:]}
    for shots in (1, 5):
        for episode in range(1, 11):
            lists[f"episodes/{shots}-shot-{episode:02d}.txt"] = novel[: shots + 1]
    _split(folder, "voc-fs", "few-shot", lists)
    return folder


def search_path(folder: Path) -> str:
    """PYTHONPATH for processes of the tiny world: nothing there asks for open_clip itself."""
    return os.pathsep.join(filter(None, [str(folder / STUBS), os.environ.get("PYTHONPATH")]))


def _split(folder: Path, name: str, setting: str, lists: dict[str, list]) -> None:
    place = folder / "splits" / "miniature" / name
    infos = {}
    for file, rows in lists.items():
        path = place / file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(" ".join([p, *map(str, labels)]) + "\n" for p, labels in rows)
        path.write_text(text)
        labels = sum(len(labels) for _, labels in rows)
        digest = hashlib.sha256(text.encode()).hexdigest()
        infos[file] = {"sha256": digest, "images": len(rows), "labels": labels}
    if setting == "few-shot":
        groups = {"base": CLASSES[:4], "novel": CLASSES[4:]}
    else:
        groups = {"head": [], "medium": [], "tail": CLASSES}
    manifest = {
        "name": name,
        "scale": "miniature",
        "version": 1,
        "setting": setting,
        "dataset": name.partition("-")[0],
        "origin": "test",
        "licence": "none",
        "protocol": {},
        "classes": CLASSES,
        "groups": groups,
        "train_counts": [4] * len(CLASSES),
        "test_counts": [6] * len(CLASSES),
        "files": infos,
    }
    (place / "manifest.json").write_text(json.dumps(manifest))


def install(folder: Path, put=setattr) -> None:
    """Put the tiny world in the place of the miniature, where the command runs."""
    from benchmark import miniature
    from benchmark.clip import resolve
    from benchmark.clip.backbone import Backbone
    from benchmark.common import processes
    from benchmark.data import splits
    from benchmark.method import discovery
    from benchmark.report.figures import draw
    from benchmark.runner import workers

    backbone = Backbone("tiny", "tiny", folder, "0" * 64)
    build = types.SimpleNamespace(
        ensure=lambda cache, development=False: folder, built=lambda cache: None
    )
    put(miniature, "build", build)
    put(processes, "apart", lambda function, *arguments: function(*arguments))
    put(workers, "PAUSE", 0.05)
    put(resolve, "resolve", lambda spec, scale, download: backbone)
    put(discovery, "_FOLDERS", ())  # shipped methods: importing them takes seconds
    drawn = contextlib.nullcontext(dict)  # nothing: test_figures.py looks at figures
    put(draw, "drawing", lambda *parts: drawn)
    put(splits, "FOLDER", folder / "splits")


def install_world(folder: Path, put=setattr) -> None:
    """Put the tiny world's splits, CLIP and features in their places, where units are computed."""
    from benchmark.data import splits
    from benchmark.runner import workspace

    put(splits, "FOLDER", folder / "splits")
    frozen = types.SimpleNamespace(check_frozen=lambda: None)
    put(workspace, "model", types.SimpleNamespace(load=lambda backbone, device, size: frozen))
    put(workspace, "FeatureStore", lambda clip, cache, how, **_: types.SimpleNamespace(clip=clip))


def install_quickly() -> None:
    """The same in a process of its own, whose world is $TINY: matplotlib is slow, too."""
    name = "benchmark.report.figures.draw"
    sys.modules[name] = types.ModuleType(name)
    install(Path(os.environ["TINY"]))


if "TINY" in os.environ and __name__ == "__main__":
    install_quickly()

if __name__ == "__main__":
    from benchmark.cli.run import main

    raise SystemExit(main())
