"""The checks of a data root for one split: what is there, what is missing, whether labels agree."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from benchmark.common.errors import InputError
from benchmark.data import splits
from benchmark.data.annotations import Instances, voc_labels
from benchmark.data.annotations.files import DataRoot
from benchmark.data.root_check.archives import PARTS, Archive, Part
from benchmark.data.splits import Split

_TEST = ("test.txt", "novel_test.txt")
NOT_COMPARED = "labels not compared"
SHOWN = 5  # differences that are spelled out


class Line(NamedTuple):
    """Of a list file: the file's name, the path below the data root, class indices."""

    file: str
    path: str
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Finding:
    """One line of the report. `missing` and `wrong` keep a split's tasks from being ready."""

    mark: str  # ok | note | missing | wrong
    text: str


Findings = Iterator[Finding]


class Checked:
    """The checks of one split. `split` is None, and `lines` are empty, if it was not fetched."""

    def __init__(self, root: DataRoot, name: str):
        self.root, self.name = root, name
        self.split: Split | None = None
        self._named: set[Archive] = set()  # archives that were described in full
        self.lines: tuple[list[Line], list[Line]] = ([], [])  # of the training lists, the test list

    def findings(self) -> Findings:
        """What there is to say, as it is found; an InputError becomes a finding."""
        yield from caught(self._lists())
        if self.split is not None and self.split.own:
            yield from self._own_images()
            return
        for part, lines in zip(PARTS[self.name], self.lines, strict=True):
            yield from caught(self._images(part, lines))
            yield from caught(self._labels(part, lines))

    def present(self) -> list[str]:
        """The listed images that are there, each once, as paths below the root."""
        paths = dict.fromkeys(line.path for lines in self.lines for line in lines)
        return [path for path in paths if self._is_there(path)]

    def _lists(self) -> Findings:
        try:
            split = splits.read(self.name, "paper", self.root.path)
        except InputError as error:
            there = splits.is_fetched(self.name, self.root.path)
            yield Finding("wrong" if there else "missing", f"split: {error}")
            return
        lines = [Line(file, *row) for file in split.files for row in splits.entries(split, file)]
        for line in lines:
            self.lines[line.file in _TEST].append(line)
        self.split = split
        train, test = (len({line.path for line in lines}) for lines in self.lines)
        yield Finding("ok", f"split: {split.folder}, {train:,} training and {test:,} test images")
        if split.restriction:
            yield Finding("note", f"split: restricted to {split.restriction}")

    def _images(self, part: Part, lines: list[Line]) -> Findings:
        names = self.root.names(part.images)
        if names is None:
            yield Finding("missing", f"images: {part.images}: {self._get(part.archive)}")
            return
        there = sum(name.lower().endswith(".jpg") for name in names)
        number = f"{there:,}" if there >= part.count else f"{there:,} of {part.count:,}"
        paths = dict.fromkeys(line.path for line in lines)
        absent = [path for path in paths if not self._is_there(path)]
        what = f"{part.images} has {number} images"
        if absent:
            first = f"{len(absent):,} of {len(paths):,} listed images, first {absent[0]}"
            yield Finding("missing", f"images: {first}; {what}: {self._get(part.archive)}")
        elif paths:
            yield Finding("ok", f"images: {what}; all {len(paths):,} listed are there")
        else:
            yield Finding("ok" if there >= part.count else "note", f"images: {what}")

    def _own_images(self) -> Findings:
        """Of own images there is no archive to name, and no annotation but the lists themselves."""
        paths = dict.fromkeys(line.path for lines in self.lines for line in lines)
        absent = [path for path in paths if not self._is_there(path)]
        if not absent:
            yield Finding("ok", f"images: all {len(paths):,} listed are there")
            return
        first = f"{len(absent):,} of {len(paths):,} listed images, first {absent[0]}"
        remedy = f"put them back below {self.root.path}, or make the split again"
        yield Finding("missing", f"images: {first}: {remedy}")

    def _labels(self, part: Part, lines: list[Line]) -> Findings:
        coco, place = part.size is not None, f"annotations: {part.annotations}"
        names = self.root.names("annotations" if coco else part.annotations)
        if names is None or (coco and PurePosixPath(part.annotations).name not in names):
            # The episodes of coco-fs cannot be decoded without them; all else runs.
            needed = self.name == "coco-fs" and self.split is None
            what = place if needed else f"{place}: {NOT_COMPARED}"
            how = self._get(part.annotations_archive)
            yield Finding("missing" if needed else "note", f"{what}: {how}")
        elif coco:
            yield from self._coco(part, lines, place)
        else:
            yield from self._voc(part, lines, place, names)

    def _coco(self, part: Part, lines: list[Line], place: str) -> Findings:
        content = Instances(self.root.path / part.annotations)
        found, known = (
            f"{images:,} images and {annotations:,} annotations"
            for images, annotations in (content.size, part.size)
        )
        if content.size == part.size:
            yield Finding("ok", f"{place} has {found}")
        else:
            partial = self.split is not None and self.split.restriction is not None
            text = f"{place} has {found}, not {known}: {self._get(part.annotations_archive)}"
            yield Finding("note" if partial else "wrong", text)
        if self.split is not None and content.classes != self.split.classes:
            number, how = len(self.split.classes), self._get(part.annotations_archive)
            text = f"{place}: field categories: not the split's {number} classes: {how}"
            yield Finding("wrong", text)
            return
        yield from self._compared(part, lines, content.labels(part.convention))

    def _voc(self, part: Part, lines: list[Line], place: str, names: frozenset[str]) -> Findings:
        ids = dict.fromkeys(PurePosixPath(line.path).stem for line in lines)
        absent = [name for name in ids if f"{name}.xml" not in names]
        number = f"{place} has {len(names):,} files"
        if absent:
            others, how = f"{len(absent) - 1:,} more", self._get(part.annotations_archive)
            text = f"{number} but not {absent[0]}.xml and {others} that are listed: {how}"
            yield Finding("missing", text)
            return
        yield Finding("ok", number)
        devkit = (self.root.path / part.annotations).parent
        derived = voc_labels(devkit, ids, part.convention)
        yield from self._compared(part, lines, {f"{k}.jpg": v for k, v in derived.items()})

    def _compared(self, part: Part, lines: list[Line], derived: dict[str, set[int]]) -> Findings:
        if self.split is None:
            return
        apart, number = differences(self.split, lines, derived), f"{len(lines):,} lines"
        kind = "crowds" if part.size else "difficult objects"
        if apart:
            shown = "; ".join(apart[:SHOWN])
            first = f", the first {SHOWN}" if len(apart) > SHOWN else ""
            yield Finding(
                "wrong",
                f"labels: {len(apart):,} of {number} differ from {part.annotations}{first}: "
                f"{shown}; annotations and split lists must be of the same release",
            )
        else:
            text = f"labels: all {number} equal {part.annotations} ({kind} {part.convention})"
            yield Finding("ok", text)

    def _is_there(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return name in (self.root.names(folder) or ())

    def _get(self, archive: Archive) -> str:
        """How to get an archive, or to go on with it where it lies in the data root."""
        if archive.name not in self.root.names(""):
            if archive in self._named:
                return f"it is in {archive.name}, see above"
            self._named.add(archive)
            return f"get {archive.text} and unpack it in {self.root.path}"
        size = (self.root.path / archive.name).stat().st_size
        if size != archive.size:
            return f"{archive.name} has {size:,} of {archive.size:,} bytes; download it completely"
        return f"unpack {archive.name} in {self.root.path}"


def caught(findings: Findings) -> Findings:
    """The findings; an InputError ends them and is one."""
    try:
        yield from findings
    except InputError as error:
        yield Finding("wrong", str(error))


def differences(split: Split, lines: Iterable[Line], derived: dict[str, set[int]]) -> list[str]:
    """One text for each whose labels are not those that the annotations give its file name.

    An image without labels agrees with an image without objects. The lists of LaSO's COCO
    episodes keep images that have classes of the other group, too, and mask those classes.
    """
    masked = split.setting == "few-shot" and split.dataset == "coco"

    def names(labels: Collection[int]) -> str:
        return ", ".join(split.classes[k] for k in sorted(labels)) or "none"

    out = []
    for line in lines:
        found = derived.get(PurePosixPath(line.path).name)
        if found is None:
            out.append(f"{line.path} in {line.file}: the annotations have no such image")
            continue
        if masked:
            group = "base" if line.file == "base_train.txt" else "novel"
            found = found & set(split.groups[group])
        if found != set(line.labels):
            both = f"list {names(line.labels)}, annotations {names(found)}"
            out.append(f"{line.path} in {line.file}: {both}")
    return out
