"""A page of made-up records with hostile names, for the tests of the page."""

from __future__ import annotations

import json

from PIL import Image

from benchmark.data import tasks
from benchmark.report import bootstrap
from benchmark.report.figures import style
from benchmark.report.grid import gather
from benchmark.report.page import html
from benchmark.report.tables import formats, sections
from benchmark.suites.tables import ReportLayout
from tests.helpers import suite_records as fakes

METHODS = ("zeroshot", "coop", "hpdval")
HOSTILE = '</script><img src=x onerror="window.hacked=1">\'&amp;{{ 7*7 }}'
TASKS = ("voc-lt", "coco-lt", "voc-fs-1")


def hostile(record):
    """The record with one class renamed to what a page must not run."""
    changed = {"per_class_ap": {}, "train_counts": {}}
    for name, values in changed.items():
        for k, v in record[name].items():
            values[HOSTILE if k == "tv" else k] = v
    return record | changed


def drawn():
    """Two figures of one kind and one of another, as the report draws them."""
    out = {}
    for name in ("groups_voc-lt", "groups_coco-lt", "fewshot"):
        for kind, content in _drawing(name).items():
            out[f"{name}.{kind}"] = (content, f"{name} {HOSTILE}: a caption")
    return out


def _drawing(text):
    with style.applied():
        figure, axes = style.canvas()
        axes.plot([0, 1], [0, 1], marker="o")
        axes.set_title(text)
        return style.rendered(figure)


def grid(folder, methods=(*METHODS, HOSTILE), tasks=TASKS, change=hostile, **kwargs):
    """The grid of made-up records; labels need not be names of files."""
    units = fakes.units(methods, tasks, episodes=3, **kwargs)
    (folder / "records").mkdir(parents=True)
    for n, unit in enumerate(units):
        text = json.dumps(change(fakes.record(unit)))
        (folder / "records" / f"{n}.json").write_text(text)
    return gather(units, folder)


def page(grid, drawn, pairs=None, **kwargs):
    """The page of the grid, with all tables that a report has."""
    parts = sections.every(grid, grid, ReportLayout())
    files = {}
    for part in parts:
        files |= formats.files(part.table, grid)
    return html.render(grid, parts, drawn, files, pairs=pairs, **kwargs)


def pairs():
    """One task's difference that may be none."""
    row = bootstrap.Row("hpdval", "coop", 3.0, -0.5, 5.25, 1.0, 3)
    means = {"hpdval": 60.0, "coop": 57.0}
    tied = frozenset({"coop"})
    return {"voc-lt": bootstrap.Pairs("voc-lt", means, "hpdval", tied, (row,), (HOSTILE,))}


def world(root):
    """(grid, task) of the miniature's own voc-lt, with pictures below `root` for some of its test
    images."""
    split = tasks.info("voc-lt", "miniature").split_sha256
    task = tasks.load("voc-lt", "miniature", root)
    counts = dict(zip(task.class_names, task.train.class_counts.tolist(), strict=True))

    def change(record):
        aps = dict.fromkeys(counts, 50.0)
        return record | {"per_class_ap": aps, "train_counts": counts, "split_sha256": split}

    found = grid(root / "cimlic" / "miniature", METHODS, ("voc-lt",), change)
    for n, path in enumerate(task.test.images.paths[:300]):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (150, 100), (n % 255, 90, 90)).save(root / path)
    return found, task
