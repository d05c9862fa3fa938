"""The data of the page's class explorer: each class with its APs, test images and their ranks."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common.errors import InputError
from benchmark.report.figures import style
from benchmark.report.figures.frequency import HEAD, TAIL
from benchmark.report.grid import Grid, Stat, stat
from benchmark.report.page.inline_svg import data as data_address

if TYPE_CHECKING:
    import numpy as np

    from benchmark.records.scores import Truth

SIDE, EACH, BUDGET = 112, 5, 1_900_000  # pixels, images of a class, bytes of all images
_SMALL = 4_000  # bytes of a JPEG file that is put into the page as it is


@dataclass
class Album:
    """The small pictures of a page as data: addresses, each once, up to a number of bytes."""

    root: Path | None
    left: int = BUDGET
    addresses: list[str] = field(default_factory=list)
    _index: dict[str, int | None] = field(default_factory=dict)

    def add(self, path: str) -> int | None:
        """Where in `addresses` the picture is; None if it cannot be read or there is no room."""
        if self.root is None:
            return None
        if path not in self._index:
            address = thumbnail(self.root / path)
            room = address is not None and len(address) <= self.left
            self._index[path] = len(self.addresses) if room else None
            if room:
                self.addresses.append(address)
                self.left -= len(address)
        return self._index[path]


def thumbnail(path: Path) -> str | None:
    """A picture file as a small JPEG's data: address, as it is stored (no EXIF turn); else None."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            content = path.read_bytes() if image.format == "JPEG" else b""
            if max(image.size) > SIDE or not 0 < len(content) <= _SMALL:
                image.draft("RGB", (SIDE, SIDE))
                small = image.convert("RGB")
                small.thumbnail((SIDE, SIDE))
                stream = io.BytesIO()
                small.save(stream, "JPEG", quality=76, optimize=True)
                content = stream.getvalue()
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return data_address(content, "image/jpeg")


def data(grid: Grid, results: Path | None = None, images: Path | None = None) -> dict[str, Any]:
    """Plain data for the page's script.

    results   results/<suite>/<scale>: ranks come from the scores stored there
    images    the data root: without it there are no pictures
    """
    album = Album(images)
    wanted: list[_Wanted] = []
    found = [_task(grid, task, results, images, wanted) for task in grid.tasks]
    for image in sorted(wanted, key=lambda image: image.turn):  # one for each class, then a second
        image.add_to(album)
    looks = [style.look(n) for n in range(len(grid.labels))]
    return {
        "methods": [
            {"label": label, "colour": look.colour, "marker": look.marker}
            for label, look in zip(grid.labels, looks, strict=True)
        ],
        "tasks": [task for task in found if task],
        "pictures": album.addresses,
    }


def _task(
    grid: Grid, task: str, results: Path | None, images: Path | None, wanted: list[_Wanted]
) -> dict[str, Any] | None:
    """One task: its classes, the most frequent in training first; their images to `wanted`."""
    done = {label: grid.cell(task, label).done for label in grid.labels}
    records = [record for found in done.values() for record in found]
    names = dict.fromkeys(n for r in records for n, ap in (r.get("per_class_ap") or {}).items())
    if not names:
        return None
    counts = {name: _count(records, name) for name in names}
    truth = _truth(grid, records, results, images)
    groups = _groups(truth, counts, few=task in grid.few_shot)
    classes = [
        {
            "name": name,
            "group": groups[name],
            "train": round(counts[name], 1),
            "test": None,
            "ap": [_numbers(_ap(done[label], name)) for label in grid.labels],
            "images": [],
        }
        for name in sorted(names, key=lambda name: (-counts[name], name))
    ]
    if truth is not None:
        wanted += _illustrated(classes, truth, _scores(done, results, truth))
    turns = "episodes" if task in grid.few_shot else "seeds"
    return {"name": task, "turns": turns, "classes": classes}


def _count(records: Sequence[dict], name: str) -> float:
    """Training images of a class, the mean over records: episodes draw their own."""
    found = stat((record.get("train_counts") or {}).get(name) for record in records)
    return found.mean if found else 0.0


def _ap(records: Sequence[dict], name: str) -> Stat | None:
    return stat((record.get("per_class_ap") or {}).get(name) for record in records)


def _numbers(found: Stat | None) -> list[float | int | None] | None:
    if found is None:
        return None
    std = None if found.std is None else round(found.std, 2)
    return [round(found.mean, 2), std, found.n]


def _groups(truth: Truth | None, counts: dict[str, float], few: bool) -> dict[str, str]:
    """Each class's group: the split's own word, else what the training counts give."""
    out = {
        name: "novel" if few else "tail" if n < TAIL else "medium" if n < HEAD else "head"
        for name, n in counts.items()
    }
    if truth is not None:
        for group, columns in truth.groups.items():
            out |= {truth.class_names[k]: group for k in columns if truth.class_names[k] in out}
    return out


# -- test images --------------------------------------------------------------------------------


def _truth(
    grid: Grid, records: Sequence[dict], results: Path | None, images: Path | None
) -> Truth | None:
    """What the task's test images show: as stored beside the scores, else as the split says."""
    from benchmark.data import tasks
    from benchmark.records.scores import read_truth, truth_of

    if results is not None:
        for record in records:
            if found := read_truth(results, record):
                return found
    first = records[0]
    try:
        task = tasks.load(first["task"], grid.scale, images or Path(), first.get("episode"))
    except (InputError, OSError):
        return None
    same = task.split_sha256 == first.get("split_sha256")
    return truth_of(task) if same else None


def _scores(
    done: dict[str, tuple[dict, ...]], results: Path | None, truth: Truth
) -> list[np.ndarray | None]:
    """For each label the stored scores (N, C) of its first seed or episode."""
    from benchmark.records.scores import read_scores

    out = []
    for records in done.values():
        first = min(records, key=lambda r: (r["seed"], r.get("episode") or 0), default=None)
        found = read_scores(results, first) if first and results is not None else None
        out.append(found if found is not None and found.shape == truth.labels.shape else None)
    return out


@dataclass(frozen=True)
class _Wanted:
    """A test image of a class, not yet read: the class's number `turn`."""

    turn: int
    entry: dict[str, Any]
    row: int
    column: int
    truth: Truth
    scores: Sequence[np.ndarray | None]

    def add_to(self, album: Album) -> None:
        """Give the class the picture, its true labels, and its rank in it under each method:
        1 where no other class scores higher."""
        at = album.add(self.truth.paths[self.row])
        if at is None:
            return
        shown = zip(self.truth.class_names, self.truth.labels[self.row], strict=True)
        scores = [None if s is None else s[self.row] for s in self.scores]
        ranks = [None if s is None else int((s > s[self.column]).sum()) + 1 for s in scores]
        labels = [name for name, on in shown if on]
        self.entry["images"].append({"picture": at, "labels": labels, "ranks": ranks})


def _illustrated(
    classes: list[dict], truth: Truth, scores: Sequence[np.ndarray | None]
) -> Iterator[_Wanted]:
    """The images of every class that the truth has, rare classes first; adds the test counts."""
    columns = {name: k for k, name in enumerate(truth.class_names)}
    for entry in reversed(classes):
        column = columns.get(entry["name"])
        if column is not None:
            entry["test"] = int(truth.labels[:, column].sum())
            for turn, row in enumerate(_spread(truth, column)):
                yield _Wanted(turn, entry, row, column, truth, scores)


def _spread(truth: Truth, column: int) -> Iterator[int]:
    """Up to EACH test images of a class, evenly spread over the list: chosen by no result."""
    import numpy as np

    rows = np.flatnonzero(truth.labels[:, column])
    places = np.linspace(0, len(rows) - 1, min(EACH, len(rows)))
    yield from (int(rows[round(place)]) for place in places)
