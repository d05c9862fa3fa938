"""Banks: pre-drawn instances of every concept; no two of the world's parts share one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from benchmark.miniature import concepts, sprites

Bank = dict[str, list[Image.Image]]

INSTANCES = 100  # of each concept in a bank of the world
# The first number of an instance's seed says which part of the world it is drawn for.
PRETRAINING, PROBE = 7001, 7002
WORLD = {"training": 7003, "test": 7004, "development": 7005}


def draw(count: int, *seed: int) -> Bank:
    """`count` sprites of every concept."""
    return {name: instances(name, count, seed) for name in concepts.load()}


def instances(name: str, count: int, seed: Sequence[int]) -> list[Image.Image]:
    """One concept's part of a bank; instances of different seeds never coincide."""
    known = concepts.load()
    seeds = ([*seed, list(known).index(name), i] for i in range(count))
    return [sprites.draw(known[name], np.random.default_rng(each)) for each in seeds]
