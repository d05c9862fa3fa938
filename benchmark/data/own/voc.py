"""Reader of a folder of Pascal VOC's XML files, any class names; difficult ones are positive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from benchmark.common.errors import InputError
from benchmark.data.annotations.voc import tree
from benchmark.data.own.folder import Reading
from benchmark.data.own.found import Classes, Found, Image
from benchmark.data.own.image_files import ImageFiles


def read(folder: Path, names: Sequence[str], images: ImageFiles) -> Found:
    """The images of these XML files below the folder; one without objects has no label."""
    reading, classes, found = Reading(folder), Classes(), []
    for name in names:
        place = reading.place(name)
        root = tree(reading.content(name), place)
        if root.tag != "annotation":
            raise InputError(f"{place}: is not Pascal VOC's (no <annotation>); take it away")
        labels = {
            classes.position(each.findtext("name") or "", f"{place}: field object/name")
            for each in root.findall("object")
        }
        found.append(Image(place, _image(root, name, place, images), sorted(labels)))
    return Found("Pascal VOC's XML", reading.sha256(), [*classes], found)


def _image(root: Element, name: str, place: str, images: ImageFiles) -> str:
    """The image that field filename or the XML's own name tells; both may not tell two."""
    told, stem = (root.findtext("filename") or "").strip(), name.rpartition(".")[0]
    stem = stem.rpartition("/")[2]
    by_name, by_stem = images.matches(told), images.matches(stem)
    if len(by_name) == len(by_stem) == 1 and by_name != by_stem:
        both = f"field filename says {by_name[0]}, the file's own name {by_stem[0]}"
        raise InputError(f"{place}: {both}; correct the wrong one")
    return images.one(told if len(by_name) == 1 or len(by_stem) != 1 else stem, place)
