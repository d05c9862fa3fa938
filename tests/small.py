"""A small drawn data set and the miniature CLIP on it, for tests of features and methods."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from benchmark import backbones, clip, features, preprocessing, tasks
from benchmark.method import Run
from benchmark.miniature import concepts, scenes, sprites

CLASSES = ("dog", "car", "cup", "traffic light", "banana")


@cache
def the_clip() -> clip.Clip:
    """The shipped miniature CLIP on the CPU."""
    return clip.load(backbones.resolve(None, "miniature"))


@cache
def _bank() -> scenes.Bank:
    known = concepts.load()
    return {
        name: [sprites.draw(known[name], np.random.default_rng([5, i])) for i in range(4)]
        for name in CLASSES
    }


def images(folder: Path, count: int = 24, seed: int = 0) -> tasks.LabelledImages:
    """`count` pictures of one or two of the five classes, written below the folder."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((count, len(CLASSES)), np.float32)
    paths, told = [], []
    for row in range(count):
        chosen = [row % len(CLASSES), *rng.choice(len(CLASSES), rng.integers(0, 2))]
        labels[row, chosen] = 1
        names = [CLASSES[k] for k in dict.fromkeys(chosen)]
        picture, _ = scenes.compose(names, scenes.WEB, _bank(), rng)
        paths.append(f"{seed}-{row:03d}.png")
        told.append(f"a {' and a '.join(names)}. a photo of a {names[0]}.")
        picture.save(folder / paths[-1])
    listed = tasks.ImageList(folder, tuple(paths))
    return tasks.LabelledImages(listed, labels, CLASSES, tuple(told))


def run(folder: Path, identity: str = "test", preprocess: str = "clip", threads: int = 2) -> Run:
    """A Run as the harness makes it, with its cache below the folder."""
    how = preprocessing.parse(preprocess)
    store = features.FeatureStore(the_clip(), folder / "cache", how, threads)
    return Run(clip=the_clip(), store=store, device="cpu", identity=identity)
