"""The toy that methods are checked on: drawn pictures of five concepts, and the miniature CLIP."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.clip import feature_cache, model, resolve
from benchmark.data import preprocessing, tasks
from benchmark.data.images import ImageList, LabelledImages
from benchmark.method.run import Run
from benchmark.miniature import concepts, scenes, sprites

CLASSES = ("dog", "car", "cup", "traffic light", "banana")
BASE_CLASSES = ("cat", "chair", "apple", "bus")  # of the few-shot base stage
_CAPTION = "a {}. a photo of a {}."


@cache
def miniature_clip(device: str = "cpu") -> model.Clip:
    """The shipped miniature CLIP."""
    return model.load(resolve.resolve(None, "miniature"), device)


@cache
def _sprites(name: str) -> list[Image.Image]:
    concept = concepts.load()[name]
    return [sprites.draw(concept, np.random.default_rng([5, variant])) for variant in range(4)]


def images(
    folder: Path, count: int = 24, seed: int = 0, classes: Sequence[str] = CLASSES
) -> LabelledImages:
    """`count` captioned pictures of one or two of the classes, written below the folder."""
    rng = np.random.default_rng(seed)
    bank = {name: _sprites(name) for name in classes}
    labels = np.zeros((count, len(classes)), np.float32)
    paths, texts = [], []
    for row in range(count):
        chosen = [row % len(classes), *rng.choice(len(classes), rng.integers(0, 2))]
        labels[row, chosen] = 1
        names = [classes[k] for k in dict.fromkeys(chosen)]
        picture, _ = scenes.compose(names, scenes.WEB, bank, rng)
        paths.append(f"{seed}-{row:03d}.png")
        texts.append(_CAPTION.format(" and a ".join(names), names[0]))
        picture.save(folder / paths[-1])
    listed = ImageList(folder, tuple(paths))
    return LabelledImages(listed, labels, tuple(classes), tuple(texts))


def run(
    folder: Path,
    identity: str = "test",
    preprocess: str = "clip",
    threads: int = 2,
    device: str = "cpu",
) -> Run:
    """A Run as the harness makes it, with its cache below the folder."""
    how = preprocessing.parse(preprocess)
    store = feature_cache.FeatureStore(miniature_clip(device), folder / "cache", how, threads)
    return Run(clip=store.clip, store=store, device=device, identity=identity)


class Toy:
    """What a method is shown: pictures to learn from, others to score, a base stage, episodes."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self.folder, self.device = folder, device
        for part in ("train", "test"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        self.train = images(folder / "train", 30)
        self.test = images(folder / "test", 15, seed=1)
        self.episodes = tuple(images(folder / "train", 6, seed) for seed in (2, 3))
        self.base = images(folder / "train", 10, 4, BASE_CLASSES)

    def run(self, identity: str) -> Run:
        """A fresh Run; all share one cache of features."""
        return run(self.folder, identity, device=self.device)

    def task(self, setting: str) -> tasks.Task:
        """The toy as a task of that setting, "long-tailed" or "few-shot", for `Method.skip`."""
        few = setting == "few-shot"
        return tasks.Task(
            name="voc-fs-1" if few else "voc-lt",
            setting=setting,
            dataset="voc",
            scale="miniature",
            class_names=CLASSES,
            groups={"novel" if few else "tail": tuple(range(len(CLASSES)))},
            train=self.episodes[0] if few else self.train,
            test=self.test,
            base=self.base if few else None,
            shots=1 if few else None,
            episode=1 if few else None,
            split_sha256="0" * 64,
            protocol={},
            restriction=None,
        )
