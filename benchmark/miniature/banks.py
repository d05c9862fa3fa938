"""Banks: pre-drawn instances of every concept; no two of the world's parts share one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from benchmark.miniature import concepts, sprites

Bank = dict[str, list[Image.Image]]

# The first number of an instance's seed says which part of the world it is drawn for.
PRETRAINING, PROBE = 7001, 7002
WORLD = {"training": 7003, "test": 7004, "development": 7005}
INSTANCES = {"training": 100, "test": 100, "development": 40}  # of each concept
SIDE = 64  # pixels of the world's sprites, which no benchmark picture shows larger


def draw(count: int, *seed: int) -> Bank:
    """`count` large sprites of every concept."""
    return {name: instances(name, count, seed, sprites.SIDE) for name in concepts.load()}


def instances(name: str, count: int, seed: Sequence[int], side: int = SIDE) -> list[Image.Image]:
    """One concept's part of a bank; instances of different seeds never coincide."""
    known = concepts.load()
    seeds = ([*seed, list(known).index(name), i] for i in range(count))
    return [sprites.draw(known[name], np.random.default_rng(each), side) for each in seeds]
