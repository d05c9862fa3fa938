"""What is printed of a labels file."""

from __future__ import annotations

from pathlib import Path

from benchmark.data.own.describe import understood
from benchmark.data.own.table import LabelTable


def test_it_says_what_was_read():
    rows = [(f"{n}.jpg", (0, 1) if n < 2 else (0,)) for n in range(8)] + [("x.jpg", ())]
    notes = ("columns that are no labels, left out: 'age'",)
    table = LabelTable(Path("x.csv"), "", "CSV, one column a class", ("a", "b"), (*rows,), notes)
    assert understood(table).splitlines() == [
        "read             x.csv: CSV, one column a class",
        "images           9, of them 1 without a label",
        "classes          2",
        "labels           1.11 an image, at most 2",
        "rarest class     b (2)",
        "commonest class  a (8)",
        "imbalance        4.0 (most images of a class / fewest)",
        "under 5 images   b (2)",
        "note             columns that are no labels, left out: 'age'",
    ]


def test_names_are_cut_and_cannot_command_a_terminal():
    classes = ("\x1b[31mred", "y" * 500, *(f"c{k:02d}" for k in range(20)))
    rows = (("1.jpg", tuple(range(22))), ("2.jpg", (0,)))
    lines = understood(LabelTable(Path("x"), "", "CSV", classes, rows)).splitlines()
    assert lines[5] == "commonest class  red (2)"
    assert lines[7].startswith("under 5 images   " + "y" * 100 + "... (1), c00 (1), ")
    assert lines[7].endswith("c08 (1) and 12 more")


def test_no_class_is_rare():
    rows = tuple((f"{n}.jpg", (n % 2,)) for n in range(12))
    lines = understood(LabelTable(Path("x"), "", "CSV", ("a", "b"), rows)).splitlines()
    assert lines[6:] == [
        "imbalance        1.0 (most images of a class / fewest)",
        "under 5 images   no class",
    ]
