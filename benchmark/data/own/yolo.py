"""Reader of a folder of YOLO's text files, `<class index> <x> <y> <width> <height>` an object."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from benchmark.common import strict_yaml
from benchmark.common.errors import InputError
from benchmark.common.text import shortened
from benchmark.data.own.folder import Reading, ending_in
from benchmark.data.own.found import Classes, Found, Image, decoded, some
from benchmark.data.own.image_files import ImageFiles

_LIST = "classes.txt"
_DATA = ("data.yaml", "data.yml", "dataset.yaml")  # field names
_ABOVE = ("", "../", "../../")  # the class list may lie above the labels


def read(folder: Path, names: Sequence[str], images: ImageFiles) -> Found:
    """The images of the text files below the folder, of which `names` are all files.

    An empty file is an image without labels. An image without a file is left out, as one that no
    row of a table names: it may belong to another part of the data.
    """
    reading = Reading(folder)
    listed = _class_list(reading, names)
    positions = {index: k for k, index in enumerate(listed)}
    whole = Path(os.path.abspath(folder)).as_posix().lstrip("/")
    found, others = [], []
    for name in ending_in(".txt", names):
        if name.rpartition("/")[2] == _LIST:
            continue
        place, content = reading.place(name), reading.content(name)
        paths = images.matches(_stem(f"{whole}/{name}")) or images.matches(_stem(name))
        if not paths and not _has_objects(content):
            others.append(repr(name))
            continue
        path = images.one(paths[0] if len(paths) == 1 else _stem(name), place)
        found.append(Image(place, path, _labels(decoded(content, place), place, positions)))
    notes = [f"left out, as texts without objects: {some(others)}"] if others else []
    return Found("YOLO's text files", reading.sha256(), [*listed.values()], found, notes)


def _stem(name: str) -> str:
    """What its image is called: the text's path, with `images` for its last folder `labels`."""
    folders, _, file = name.rpartition(".")[0].rpartition("/")
    before, found, after = f"/{folders}/".rpartition("/labels/")
    return f"{before}/images/{after}{file}".lstrip("/") if found else name.rpartition(".")[0]


def _has_objects(content: bytes) -> bool:
    """Whether the text is empty or its first line is an object's."""
    first = content.decode(errors="replace").strip().partition("\n")[0].split()
    return not first or _is_object(first)


def _is_object(words: Collection[str]) -> bool:
    try:
        return len(words) >= 5 and all(math.isfinite(float(word)) for word in words)
    except ValueError:
        return False


def _labels(text: str, place: str, positions: Mapping[str, int]) -> list[int]:
    """The positions of the classes of an image's objects."""
    found = set()
    for number, words in enumerate(map(str.split, text.splitlines()), 1):
        if not words:
            continue
        if not _is_object(words):
            what = f"{place}:{number}: must be `<class index> <x> <y> <width> <height>`"
            raise InputError(f"{what}; correct the line or remove it")
        if words[0] not in positions:
            what = f"class index {shortened(words[0])} is not one of the {len(positions)} classes"
            raise InputError(f"{place}:{number}: {what} of the class list, from 0 on; correct one")
        found.add(positions[words[0]])
    return sorted(found)


def _class_list(reading: Reading, names: Sequence[str]) -> dict[str, str]:
    """Class index, as the texts have it -> name, of the nearest class list."""
    for above in _ABOVE:
        near = [above + name for name in (os.listdir(reading.folder / above) if above else names)]
        lists = sorted(name for name in near if _is_list(name.rpartition("/")[2]))
        told = {name: _named(reading.content(name), reading.folder / name) for name in lists}
        for name in lists[1:]:
            if told[name] != told[lists[0]]:
                both = f"{reading.folder / lists[0]} and {name} list other classes"
                raise InputError(f"{both}; take the wrong one away")
        if lists:
            return told[lists[0]]
    raise InputError(
        f"{reading.folder}: has no class list; add classes.txt, one name a line, in the order of "
        "the class indices (or obj.names, or data.yaml with field names)"
    )


def _is_list(name: str) -> bool:
    return name == _LIST or name in _DATA or name.endswith(".names")


def _named(content: bytes, path: Path) -> dict[str, str]:
    """The class list in a file: a name a line, or field `names` of a YAML file."""
    text, classes = decoded(content, path), Classes()
    if path.name not in _DATA:
        for number, name in enumerate(text.rstrip().splitlines(), 1):
            classes.new(name, f"{path}:{number}")
        return {str(position): name for name, position in classes.items()}
    try:
        data = strict_yaml.parse(text)
    except ValueError as error:
        raise InputError(f"{path}: is not YAML ({error}); correct it") from None
    names = data.get("names") if isinstance(data, dict) else None
    names = dict(enumerate(names)) if isinstance(names, list) else names
    good = isinstance(names, dict) and all(type(k) is int for k in names)
    if not good or not all(isinstance(name, str) for name in names.values()):
        raise InputError(f"{path}: field names: must be a list of names (in quotes); correct it")
    for name in names.values():
        classes.new(name, f"{path}: field names")
    return {str(index): name for index, name in zip(names, classes, strict=True)}
