"""The label sets of the miniature's images, sampled; the world and split files made of them.

`python -m benchmark.miniature.label_sets` rewrites `images/*.txt` and `splits/miniature/**` from
statistics.json; `--statistics FOLDER` first recounts statistics.json in a folder of official lists.
Everything follows from VERSION.

`dev2017`, `dev2014` and `VOC2007_dev` are drawn like the test sets and serve to choose settings.
A world file has one line an image, `<path below the data root> <class index>[d] ...`: all that is
in the image, with `d` behind a class present only as `difficult` objects (VOC).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmark.common import environment
from benchmark.miniature import label_statistics, sampling, split_lists
from benchmark.miniature.label_statistics import LabelStatistics, statistics_of

VERSION = 2
IMAGES = Path(__file__).with_name("images")
SPLITS = environment.ROOT / "splits" / "miniature"
PROPOSALS = 4_000_000  # swaps tried for an 80-class set; about 8 s
LAST_COCO_ID = 581_929
LAST_VOC2007_ID = 9_963
VOC2012_YEARS = {2008: 500, 2009: 227, 2010: 248, 2011: 167}  # images of VOC-LT by year

Row = tuple[str, tuple[int, ...], tuple[int, ...]]  # path, definite classes, difficult-only classes


def rng(purpose: str) -> np.random.Generator:
    """Random numbers that depend on the version and the purpose alone."""
    return np.random.default_rng([VERSION, *purpose.encode()])


def read_world(name: str) -> list[Row]:
    """The images of one world file, e.g. `train2017` or `VOC2007_test`."""
    return [_parse(line) for line in (IMAGES / f"{name}.txt").read_text().splitlines()]


def write(images: dict[str, list[Row]]) -> None:
    """Write the world files: their names -> all images of the miniature, sorted by path."""
    IMAGES.mkdir(exist_ok=True)
    for name, rows in images.items():
        (IMAGES / f"{name}.txt").write_text("".join(_format(row) + "\n" for row in rows))


def coco(facts: dict) -> dict[str, list[Row]]:
    """The images in COCO's folders; `facts` is statistics.json."""
    train, natural = (statistics_of(facts, name) for name in ("coco-lt-train", "coco-val2017"))
    matrices = {
        "train2017": _sample("train2017", train, train.images),
        "val2017": _sample("val2017", natural, 2500, floor=10),
        "dev2017": _sample("dev2017", natural, 1500, floor=10),
        "train2014": _sample("train2014", natural, 2400),
        "val2014": _until(_sample("val2014", natural, 2600), split_lists.NOVEL["coco"], 900, 100),
        "dev2014": _until(_sample("dev2014", natural, 2600), split_lists.NOVEL["coco"], 600, 0),
    }
    ids = _ids("coco ids", LAST_COCO_ID, matrices)
    found = {}
    for name, matrix in matrices.items():
        prefix = f"COCO_{name}_" if name.endswith("2014") else ""  # as COCO names its files
        paths = [f"{name}/{prefix}{n:012d}.jpg" for n in ids[name]]
        found[name] = _rows(paths, matrix, np.zeros_like(matrix))
    return found


def voc(facts: dict) -> dict[str, list[Row]]:
    """The images in VOC's folders; `facts` is statistics.json."""
    names = ("voc-lt-train", "voc2007-trainval-easy", "voc2007-test")
    train, easy, test = (statistics_of(facts, name) for name in names)
    matrices = {
        "VOC2012_trainval": _sample("VOC2012_trainval", train, train.images),
        "VOC2007_trainval": _sample("VOC2007_trainval", easy, 2250),
        "VOC2007_test": _sample("VOC2007_test", test, 2476),
        "VOC2007_dev": _sample("VOC2007_dev", test, 1800),
    }
    marks = {name: difficult_only(facts, matrix, name) for name, matrix in matrices.items()}
    matrices["VOC2007_trainval"] += marks["VOC2007_trainval"]
    paths = _voc_paths(matrices)
    return {name: _rows(paths[name], m, marks[name]) for name, m in matrices.items()}


def difficult_only(facts: dict, matrix: np.ndarray, name: str) -> np.ndarray:
    """Labels (N, C) of classes that are in an image of a set as difficult objects only.

    They are drawn from the positives of `matrix` (N, C), so that every image keeps a definite one;
    those of VOC2007 trainval are all definite, and get difficult ones on top. Rates, and the
    classes that they are beside, are those of VOC2007 test (nothing else is known).
    """
    draw, on_top = rng(f"{name} difficult"), name == "VOC2007_trainval"
    everything, known = statistics_of(facts, "voc2007-test"), facts["difficult_only"]
    shares = np.array(known["counts"]) / everything.counts
    beside = np.zeros_like(everything.pairs)
    for i, j, n in known["beside"]:
        beside[i, j] = n
    easy = statistics_of(facts, "voc2007-test-easy").counts
    weight = beside / (easy if on_top else np.maximum(everything.pairs, 1))
    marks = np.zeros_like(matrix)
    for index in np.argsort(-shares, kind="stable"):
        share, labels = shares[index], matrix[:, index]
        if on_top:
            share, definite, able = share / (1 - share), matrix, labels == 0
        else:
            definite = matrix - marks
            able = (labels > 0) & (definite.sum(1) > 1)
        odds = able * (definite @ weight[index] + 1e-6)
        number = min(int(np.rint(share * labels.sum())), int((odds > 0).sum()))
        marks[draw.choice(len(odds), number, replace=False, p=odds / odds.sum()), index] = 1
    return marks


def _sample(name: str, source: LabelStatistics, images: int, floor: int = 0) -> np.ndarray:
    targets = sampling.scaled(source, images, floor)
    return sampling.sample(*targets, rng(name), PROPOSALS * len(source.counts) // 80)


def _until(matrix: np.ndarray, classes: tuple[int, ...], holding: int, others: int) -> np.ndarray:
    """The first `holding` rows that hold one of the classes and the first `others` that do not."""
    held = matrix[:, list(classes)].any(1)
    keep = np.flatnonzero(held)[:holding].tolist() + np.flatnonzero(~held)[:others].tolist()
    return matrix[sorted(keep)]


def _ids(purpose: str, last: int, matrices: dict[str, np.ndarray]) -> dict[str, list[int]]:
    """Different image numbers from 1 to `last`, ascending in each set."""
    sizes = [len(matrix) for matrix in matrices.values()]
    drawn = np.split(rng(purpose).choice(last, sum(sizes), replace=False), np.cumsum(sizes)[:-1])
    return {name: (np.sort(ids) + 1).tolist() for name, ids in zip(matrices, drawn, strict=True)}


def _voc_paths(matrices: dict[str, np.ndarray]) -> dict[str, list[str]]:
    folder = "VOCdevkit/{}/JPEGImages/{}.jpg"
    draw = rng("VOC2012 ids")
    names = [
        f"{year}_{n + 1:06d}"
        for year, number in VOC2012_YEARS.items()
        for n in np.sort(draw.choice(8000, number, replace=False))
    ]
    assert len(names) == len(matrices["VOC2012_trainval"])
    year = {name: m for name, m in matrices.items() if name.startswith("VOC2007")}
    ids = _ids("VOC2007 ids", LAST_VOC2007_ID, year)
    paths = {k: [folder.format("VOC2007", f"{n:06d}") for n in v] for k, v in ids.items()}
    return paths | {"VOC2012_trainval": [folder.format("VOC2012", name) for name in names]}


def _rows(paths: list[str], matrix: np.ndarray, marks: np.ndarray) -> list[Row]:
    return [
        (path, *(tuple(np.flatnonzero(m).tolist()) for m in (labels - hard, hard)))
        for path, labels, hard in zip(paths, matrix, marks, strict=True)
    ]


def _format(row: Row) -> str:
    path, definite, difficult = row
    marked = {k: str(k) for k in definite} | {k: f"{k}d" for k in difficult}
    return " ".join([path, *(marked[k] for k in sorted(marked))])


def _parse(line: str) -> Row:
    path, *words = line.split()
    definite = tuple(int(w) for w in words if not w.endswith("d"))
    return path, definite, tuple(int(w[:-1]) for w in words if w.endswith("d"))


def main() -> None:
    """Rewrite the world and split files, and with --statistics the numbers they come from."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--statistics", metavar="FOLDER", type=Path, help="official lists to count")
    folder = parser.parse_args().statistics
    if folder:
        label_statistics.write(folder)
    facts = label_statistics.read()
    images = coco(facts) | voc(facts)
    write(images)
    split_lists.write(images, facts["classes"], SPLITS, VERSION, rng)


if __name__ == "__main__":
    main()
