"""Reads a file or folder of labels, whatever its form, into one table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from benchmark.common import files
from benchmark.common.errors import InputError
from benchmark.common.text import shortened
from benchmark.data.own import coco, separated, voc, walk, yolo
from benchmark.data.own.folder import ending_in
from benchmark.data.own.found import Found, some
from benchmark.data.own.image_files import ImageFiles
from benchmark.data.own.table import LabelTable

_FORMS = "a CSV or TSV, COCO's instances JSON, or a folder of Pascal VOC's XML or YOLO's text files"


def read(labels: Path, images: Path, root: Path, part: bool = False) -> LabelTable:
    """The table of a labels file: CSV, TSV, COCO JSON, or a folder of VOC XML or YOLO texts.

    images   the folder that has the image files, the data root or below it
    part     of data whose rest is in another file: here a class may be in no image, or in all

    The form is told by the content. The same data in each form give the same classes and rows. A
    class that no image has, or each, is left out; a column of such a class is a mistake. InputError
    names file, row and remedy of what is wrong.
    """
    known = ImageFiles(Path(images), Path(root))
    found = _found(Path(labels), known)
    rows, notes = _rows(found)
    if not rows:
        raise InputError(f"{labels}: lists no image; give {_FORMS}")
    counts = Counter(k for shown in rows.values() for k in shown)
    never = [k for k in range(len(found.classes)) if not counts[k]]
    always = [k for k in counts if counts[k] == len(rows) and not part]
    if found.columns and not part:
        _check_columns(labels, found, never, always)
    used = sorted(counts.keys() - always, key=lambda k: found.classes[k])
    if not used:
        raise InputError(f"{labels}: has no class that some images have; give {_FORMS}")
    index = {k: n for n, k in enumerate(used)}
    table = tuple(
        (path, tuple(sorted(index[k] for k in rows[path] if k in index))) for path in sorted(rows)
    )
    notes += _unused("no image", found, never) + _unused("each image", found, always)
    notes += _unlisted(known, len(rows))
    names = tuple(found.classes[k] for k in used)
    return LabelTable(Path(labels), found.sha256, found.form, names, table, tuple(notes))


def place(labels: Path, images: Path, root: Path, path: str) -> str:
    """Where a labels file that `read` has read lists an image: "x.csv:7"."""
    listed = _found(Path(labels), ImageFiles(Path(images), Path(root))).images
    return next(image.place for image in listed if image.path == path)


def _found(path: Path, images: ImageFiles) -> Found:
    """What the reader of the path's form finds."""
    if path.is_dir():
        names = walk.files(path)
        annotations, texts = ending_in(".xml", names), ending_in(".txt", names)
        both = {name[:-4] for name in annotations} & {name[:-4] for name in texts}
        if both:
            name = min(both)
            kinds = f"both Pascal VOC's {name}.xml and YOLO's {name}.txt"
            raise InputError(f"{path}: has {kinds}; give a folder of one kind")
        if annotations:
            return voc.read(path, annotations, images)
        if texts:
            return yolo.read(path, names, images)
        raise InputError(f"{path}: has neither .xml nor .txt files; give {_FORMS}")
    try:
        with files.opened(path) as file:
            head = file.read(4096)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise InputError(f"--labels {path}: {reason}; give {_FORMS}") from None
    if b"\0" in head or head.startswith((b"\xff\xfe", b"\xfe\xff", b"PK\3\4")):
        raise InputError(f"{path}: is no text in UTF-8; save the table as CSV in UTF-8")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        raise InputError(f"{path}: is one XML file; give the folder of all of them")
    return (coco if start.startswith((b"{", b"[")) else separated).read(path, images)


def _rows(found: Found) -> tuple[dict[str, set[int]], list[str]]:
    """Each image once, and the notes so far; InputError for one that is listed differently."""
    rows: dict[str, set[int]] = {}
    places: dict[str, str] = {}
    twice = 0
    for place, path, labels in found.images:
        if path not in rows:
            rows[path], places[path] = set(labels), place
        elif rows[path] == set(labels):
            twice += 1
        else:
            what = f"{path} is listed with other labels than at {places[path]}"
            raise InputError(f"{place}: {what}; write one row an image, with all its labels")
    again = f"listed more than once with the same labels, taken once: {twice:,} rows too many"
    return rows, [*found.notes, *([again] if twice else [])]


def _check_columns(labels: Path, found: Found, never: list[int], always: list[int]) -> None:
    """InputError for a column that tells no image from another."""
    for value, constant in enumerate((never, always)):
        if constant:
            column = f"column {shortened(found.classes[constant[0]])!r} is {value} in every row"
            raise InputError(f"{labels}: {column}: nothing can be learned of it; take it away")


def _unused(who: str, found: Found, classes: list[int]) -> list[str]:
    """The note on classes that are left out, if there are any."""
    names = some([repr(shortened(found.classes[k])) for k in classes])
    return [f"classes that {who} has, left out: {names}"] if classes else []


def _unlisted(known: ImageFiles, images: int) -> list[str]:
    """Notes on image files that no row is about."""
    notes = []
    if len(known) > images:
        notes.append(f"image files that are not listed, left out: {len(known) - images:,}")
    if known.unsayable:
        notes.append(f"image files whose names are not UTF-8, left out: {known.unsayable:,}")
    return notes
