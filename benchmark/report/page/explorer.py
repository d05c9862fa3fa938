"""The data of the page's class explorer: each class with its APs, test images and their ranks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmark.common.errors import InputError
from benchmark.data import tasks
from benchmark.records import scores
from benchmark.records.scores import Truth
from benchmark.report.figures import predictions, style
from benchmark.report.figures.frequency import group_of
from benchmark.report.grid import Grid, Stat, class_mean, grouping, stat, task_title
from benchmark.report.page import inline_svg

SIDE, EACH, BUDGET = 112, 5, 1_900_000  # pixels, images of a class, bytes of all images
_SMALL = 4_000  # bytes of a JPEG file that is put into the page as it is
_MISSES = 100  # pictures in a row that found no room: no other one will


@dataclass
class Album:
    """The small pictures of a page as data: addresses, each once, up to a number of bytes."""

    root: Path | None
    left: int = BUDGET
    addresses: list[str] = field(default_factory=list)
    _misses: int = 0
    _index: dict[str, int | None] = field(default_factory=dict)

    def add(self, path: str) -> int | None:
        """Where in `addresses` the picture is; None if it cannot be read or there is no room."""
        if path not in self._index:
            self._index[path] = None
            full = self._misses >= _MISSES
            address = thumbnail(self.root / path) if self.root and not full else None
            if address and len(address) <= self.left:
                self._index[path] = len(self.addresses)
                self.addresses.append(address)
                self.left -= len(address)
                self._misses = 0
            elif address:
                self._misses += 1
        return self._index[path]


def thumbnail(path: Path) -> str | None:
    """A picture file as a small JPEG's data: address, as it is stored (no EXIF turn); else None."""
    try:
        with Image.open(path) as image:
            content = path.read_bytes() if image.format == "JPEG" else b""
            if max(image.size) > SIDE or not 0 < len(content) <= _SMALL:
                image.draft("RGB", (SIDE, SIDE))
                content = inline_svg.jpeg(image, (SIDE, SIDE), quality=76)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return inline_svg.data(content, "image/jpeg")


def data(grid: Grid, results: Path | None = None, images: Path | None = None) -> dict[str, Any]:
    """What explorer.js reads, as plain data: methods, tasks with their classes, and pictures.

    results   results/<suite>/<scale>: ranks come from the scores stored there
    images    the data root: without it there are no pictures
    """
    album = Album(images)
    shown = [_task(grid, task, results, images) for task in grid.tasks]
    found = [task for task in shown if task]
    classes = [entry for task in found for entry in reversed(task["classes"])]  # rare ones first
    for number, entry in itertools.product(range(EACH), classes):  # one of each, then a second one
        for image in entry["images"][number : number + 1]:
            image["picture"] = album.add(image["picture"])
    for entry in classes:
        entry["images"] = [image for image in entry["images"] if image["picture"] is not None]
    looks = [(grid.title(label), style.look(n)) for n, label in enumerate(grid.labels)]
    return {
        "methods": [{"label": x, "colour": k.colour, "marker": k.marker} for x, k in looks],
        "tasks": found,
        "pictures": album.addresses,
    }


def _task(
    grid: Grid, task: str, results: Path | None, images: Path | None
) -> dict[str, Any] | None:
    """One task: its classes, the most frequent in training first; None without any."""
    cells = {label: grid.cell(task, label) for label in grid.labels}
    aps = {x: [r.get("per_class_ap") or {} for r in cell.done] for x, cell in cells.items()}
    records = _records(grid, task)
    names = dict.fromkeys(n for r in records for n, ap in (r.get("per_class_ap") or {}).items())
    if not names:
        return None
    counts = {name: class_mean(records, name, "train_counts") or 0.0 for name in names}
    truth = _truth(grid, records, results, images)
    given = None if task in grid.few_shot else grouping(grid, task)
    groups = _groups(truth, counts, given)
    classes = [
        {
            "name": name,
            "group": groups[name],
            "train": round(counts[name], 1),
            "test": None,
            "ap": [_numbers(stat(ap.get(name) for ap in aps[label])) for label in grid.labels],
            "images": [],
        }
        for name in sorted(names, key=lambda name: (-counts[name], name))
    ]
    if truth is not None:
        stored = predictions.scores_of(grid, task, results) if results else {}
        fit = {x: values for x, values in stored.items() if values.shape == truth.labels.shape}
        _illustrate(classes, truth, [fit.get(label) for label in grid.labels])
    repeats = "episodes" if task in grid.few_shot else "seeds"
    return {"name": task_title(task), "turns": repeats, "classes": classes}


def _numbers(found: Stat | None) -> list[float | int | None] | None:
    if found is None:
        return None
    std = None if found.std is None else round(found.std, 2)
    return [round(found.mean, 2), std, found.n]


def _groups(
    truth: Truth | None, counts: dict[str, float], given: tuple[int, int] | None
) -> dict[str, str]:
    """Each class's group: the split's own word, else what the training counts give."""
    out = {k: group_of(images, given) if given else "novel" for k, images in counts.items()}
    for group, columns in truth.groups.items() if truth else ():
        out |= {truth.class_names[k]: group for k in columns if truth.class_names[k] in out}
    return out


# -- test images --------------------------------------------------------------------------------


def folders(grid: Grid, results: Path, images: Path | None) -> list[Path]:
    """The folders of the test images; none without the data root `images`."""
    found: dict[Path, None] = {}
    for records in (_records(grid, task) for task in grid.tasks if images):
        truth = _truth(grid, records, results, images) if records else None
        found |= dict.fromkeys((images / path).parent for path in (truth.paths if truth else ()))
    return list(found)


def _records(grid: Grid, task: str) -> list[dict]:
    return [record for label in grid.labels for record in grid.cell(task, label).done]


def _truth(
    grid: Grid, records: Sequence[dict], results: Path | None, images: Path | None
) -> Truth | None:
    """What the task's test images show: as stored beside the scores, else as the split says."""
    for record in records if results else ():
        if found := scores.read_truth(results, record):
            return found
    first = records[0]
    try:
        task = tasks.load(first["task"], grid.scale, images or Path(), first.get("episode"))
    except (InputError, OSError):
        return None
    same = task.split_sha256 == first.get("split_sha256")
    return scores.truth_of(task) if same else None


def _illustrate(classes: list[dict], truth: Truth, stored: Sequence[np.ndarray | None]) -> None:
    """Add the test counts and images of every class that the truth has.

    Up to EACH of a class, evenly spread over the list and chosen by no result; `picture` is the
    path. Each has its true labels and the class's rank in it by each label's `stored` scores
    (N, C): 1 where no other class scores higher.
    """
    columns = {name: k for k, name in enumerate(truth.class_names)}
    for entry in classes:
        if (column := columns.get(entry["name"])) is None:
            continue
        rows = np.flatnonzero(truth.labels[:, column])
        entry["test"] = len(rows)
        for place in np.linspace(0, len(rows) - 1, min(EACH, len(rows))):
            row = int(rows[round(place)])
            labels = [truth.class_names[k] for k in np.flatnonzero(truth.labels[row])]
            ranks = [
                None if values is None else int((values[row] > values[row, column]).sum()) + 1
                for values in stored
            ]
            entry["images"].append({"picture": truth.paths[row], "labels": labels, "ranks": ranks})
