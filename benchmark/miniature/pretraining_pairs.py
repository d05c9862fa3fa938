"""The image-caption pairs that the miniature CLIP learns from, rendered into one folder."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import open_clip

from benchmark.common import environment, processes
from benchmark.common.files import atomic
from benchmark.miniature import banks, captions, concepts, scenes

SHARD = 20_000  # pairs that have a bank of their own
INSTANCES = 50  # of each concept in such a bank
CAPTIONS = 4  # alternative captions per picture
LENGTH = 40  # token slots kept per caption; the longest has 33


@dataclass(frozen=True)
class Pairs:
    """Pictures (N, 96, 96, 3) uint8 and token ids (N, CAPTIONS, LENGTH) int32, in memory."""

    pictures: np.ndarray
    tokens: np.ndarray

    def __len__(self) -> int:
        return len(self.pictures)


def render(folder: Path, count: int) -> Pairs:
    """Render `count` pairs, a multiple of SHARD, into `folder`, or reuse the shards there."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(count // SHARD)
    missing = [i for i in shards if not (folder / f"tokens-{i:03d}.npy").exists()]
    with processes.pool(environment.cores()) as pool:
        list(pool.map(_render_shard, repeat(folder), missing))
    read = ([np.load(folder / f"{x}-{i:03d}.npy") for i in shards] for x in ("pictures", "tokens"))
    return Pairs(*map(np.concatenate, read))


def _render_shard(folder: Path, shard: int) -> None:
    rng = np.random.default_rng([banks.PRETRAINING, shard])
    sprite_bank = banks.draw(INSTANCES, banks.PRETRAINING, shard)
    tokenize = open_clip.SimpleTokenizer(context_length=LENGTH)
    pictures = np.empty((SHARD, scenes.SIDE, scenes.SIDE, 3), np.uint8)
    tokens = np.zeros((SHARD, CAPTIONS, LENGTH), np.int32)
    for i in range(SHARD):
        names = _subject(rng)
        pictures[i] = scenes.compose(names, scenes.WEB, sprite_bank, rng)[0]
        texts = [captions.write(names, rng) for _ in range(CAPTIONS)]
        tokens[i] = tokenize(texts).numpy()
    for kind, array in (("pictures", pictures), ("tokens", tokens)):
        with atomic(folder / f"{kind}-{shard:03d}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, array)


def _subject(rng: np.random.Generator) -> list[str]:
    """One to four concepts, the salient one first; the rest often from its supercategory."""
    known = list(concepts.load().values())
    count = int(rng.choice([1, 2, 3, 4], p=[0.35, 0.3, 0.2, 0.15]))
    first = known[rng.integers(len(known))]
    names = [first.name]
    while len(names) < count:
        kin = [c for c in known if c.group == first.group] if rng.random() < 0.3 else known
        other = kin[rng.integers(len(kin))].name
        if other not in names:
            names.append(other)
        elif len(kin) <= len(names):
            count = len(names)
    return names
