"""Made-up results folders of many units, methods or classes, for the tests of scale.

`python -m tests.helpers.large_suites KIND FOLDER` writes one of full size and reports it: what
results/README.md says of seconds and megabytes was measured so.
"""

from __future__ import annotations

import argparse
import resource
import time
import types
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmark import report
from benchmark.records.scores import write_scores
from benchmark.suites.unit import Unit
from tests.helpers import suite_records as fakes

LT = ("coco-lt", "voc-lt")


def methods(count: int) -> list[str]:
    """Labels: those of the fakes, then `method-004` and so on."""
    own = list(fakes.METHODS)[:count]
    return own + [f"method-{n:03d}" for n in range(len(own), count)]


def many_units(count: int = 20_000) -> tuple[list[Unit], Iterator[dict]]:
    """About so many units of 20 methods on six tasks, and their records."""
    each = count // 114  # zero-shot CLIP has one unit where it needs no more
    units = fakes.units(methods(20), seeds=each, episodes=each)
    return units, map(fakes.record, units)


def many_methods(count: int = 500) -> tuple[list[Unit], Iterator[dict]]:
    """Units of so many methods on two tasks with three seeds, and their records."""
    units = fakes.units(methods(count), LT)
    return units, map(fakes.record, units)


def many_classes(count: int = 1000) -> tuple[list[Unit], Iterator[dict]]:
    """Units of eight methods on two tasks with so many classes, and their records."""
    units = fakes.units(methods(8), LT)
    counts = {f"class {n:04d}": round(6 * 188 ** ((n / count) ** 1.5)) for n in range(count)}

    def record(unit: Unit) -> dict:
        level = fakes.METHODS.get(unit.method, 33.0)
        dice = np.random.default_rng(int(unit.key[:15], 16))
        aps = dict(zip(counts, dice.uniform(1, 2 * level, count).tolist(), strict=True))
        return fakes.record(unit, per_class_ap=aps, train_counts=dict(counts))

    return units, map(record, units)


def scored(
    folder: Path, records: Iterable[dict], images: int = 2500, share: float = 0.04
) -> Iterator[dict]:
    """The records with stored scores, the higher the record's mAP the more positives stand out.

    folder   results/<suite>/<scale>
    share    of the images that are positive of a class
    """
    for record in records:
        names = tuple(record["per_class_ap"])
        truth = np.random.default_rng(1).random((images, len(names))) < share
        task = types.SimpleNamespace(
            name=record["task"], setting=record["setting"], episode=record["episode"],
            dataset=record["task"].split("-")[0], split_sha256=record["split_sha256"],
            class_names=names, groups={"tail": tuple(range(len(names)))},
            test=types.SimpleNamespace(
                labels=truth, images=types.SimpleNamespace(paths=tuple(map(str, range(images))))
            ),
        )  # fmt: skip
        dice = np.random.default_rng(int(record["key"][:15], 16))
        noise = dice.standard_normal(truth.shape, np.float32)
        scores = noise + np.float32(record["metrics"]["map"] / 40) * truth
        yield record | write_scores(folder, record, task, "logits", scores)


KINDS = {"units": many_units, "methods": many_methods, "classes": many_classes}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("kind", choices=KINDS)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--scores", action="store_true", help="also store scores")
    given = asked.parse_args()
    units, records = KINDS[given.kind]()
    if not given.folder.exists():
        stored = scored(given.folder, records) if given.scores else records
        for record in stored:
            fakes.store(given.folder, [record])
        print(f"{len(units)} units written; the same command again reports them")
        return
    start = time.monotonic()
    report.write(units, given.folder, anew=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds, wall = used.ru_utime + used.ru_stime, time.monotonic() - start
    print(f"{seconds:.1f} s of processor, {wall:.1f} s wall, {used.ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
