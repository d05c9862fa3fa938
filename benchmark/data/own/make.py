"""Splits made of one's own images: a labels file and choices in, list files and manifests out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.data import splits
from benchmark.data.own import (
    class_names,
    describe,
    draw,
    image_files,
    labels,
    long_tail,
    notes,
    store,
)
from benchmark.data.own.choices import Choices, check_name
from benchmark.data.own.draw import Source
from benchmark.data.own.table import LabelTable

Check = Callable[[Sequence[str], str | None], None]  # of class names and a template


@dataclass(frozen=True, eq=False, repr=False)
class Made:
    """What was made; printed, what was understood and what came of it.

    tables    of the labels file, and of that of the test images if there is one
    folders   of the splits: NAME-lt, and NAME-fs if it was asked for
    written   the splits that were not there yet as they are now
    tasks     that can be run on them
    notes     what to know of them, a line each
    """

    tables: tuple[LabelTable, ...]
    folders: dict[str, Path]
    written: tuple[str, ...]
    tasks: tuple[str, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [describe.understood(table) for table in self.tables]
        lines += [f"note: {note}" for note in self.notes]
        for split, folder in self.folders.items():
            made = "made" if split in self.written else "is there as it would be made, and stays"
            lines.append(f"{split}: {made}, {folder}")
        return "\n".join(lines)


def make(
    name: str,
    images: Path | str,
    file: Path | str,
    root: Path | str,
    choices: Choices | None = None,
    check: Check | None = None,
) -> Made:
    """Make the splits of the images below `images`, labelled by `file`, below the data root.

    All of them or nothing: InputError if anything is wrong, before anything is written; a split
    that is there as it would be written stays. `check` may refuse class names and template too, as
    data knows nothing of CLIP.
    """
    check_name(name)
    images, root, choices = Path(images), Path(root), choices or Choices()
    table, test = labels.read(Path(file), images, root), None
    if choices.test_labels is not None:
        test = labels.read(Path(choices.test_labels), images, root, part=True)
        _check_apart(table, test, images, root)
    classes = table.classes
    names = class_names.check(classes, class_names.renames(choices.names, classes))
    if check is not None:
        check(names, choices.template)
    below = image_files.below(images, root).rstrip("/") or "."
    source = Source(name, below, table, test, names, choices)
    made, remarks = _drawn(source)
    few_shot = f"{name}-fs"
    if few_shot not in made and splits.is_fetched(few_shot, root):
        remarks.append(f"{few_shot}: is there from an earlier command and stays as it is")
    written = store.put(root, made, choices.replace)
    shots = sorted(set(choices.shots)) if choices.few_shot else []
    return Made(
        tables=(table,) if test is None else (table, test),
        folders={split: splits.fetched(split, root) for split in made},
        written=tuple(written),
        tasks=(f"{name}-lt", *(f"{few_shot}-{k}" for k in shots)),
        notes=tuple(remarks),
    )


def _drawn(source: Source) -> tuple[dict[str, store.Drawn], list[str]]:
    """The splits by name, and what to know of them."""
    train, test = draw.parts(source)
    made, remarks, tail = [], [], source.choices.long_tailed
    chosen = train
    if tail is not None:
        chosen = long_tail.drawn(train, len(source.names), *tail, source.choices.seed)
        remarks += notes.of_draw(train, source.names, *tail, chosen)
    made.append(draw.long_tailed(source, chosen, test))
    if source.choices.few_shot:
        made.append(draw.few_shots(source, train, test))
    remarks += [line for drawn in made for line in notes.of_split(drawn)]
    return {drawn.raw["name"]: drawn for drawn in made}, remarks


def _check_apart(table: LabelTable, test: LabelTable, images: Path, root: Path) -> None:
    """InputError, which names both rows, for an image that is for training and for the test."""
    for path in sorted({path for path, _ in table.rows} & {path for path, _ in test.rows})[:1]:
        here, there = (labels.place(each.source, images, root, path) for each in (test, table))
        raise InputError(f"{here}: '{path}' is for training too ({there}); take one row away")
