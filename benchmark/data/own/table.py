"""Labelled images of one's own, whatever file they came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.data.splits import Row

FEW = 5  # images below which a class is nearly empty: it can hardly be learned and scored


@dataclass(frozen=True, eq=False)
class LabelTable:
    """The images of a labels file, with what each shows: the same for each form of the same data.

    source    the file or folder that was read
    sha256    of its content; of a folder, of the names and contents of the files read in it
    form      what it was understood to be, in words: "CSV, one column a class"
    classes   as it names them, sorted
    rows      (path below the data root, class indices in ascending order), sorted by path
    notes     what was left out of it, and why: a sentence each
    """

    source: Path
    sha256: str
    form: str
    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
