"""A split's manifest.json: its fields, checked one by one, and what a restriction may change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError
from benchmark.data.splits import lists
from benchmark.data.splits.lists import Row

GROUPS = {"long-tailed": ("head", "medium", "tail"), "few-shot": ("base", "novel")}
OFFICIAL = (100, 20)  # head >= 100, tail < 20 training images (DistributionBalancedLoss)
RESTRICTED = ("files", "train_counts", "test_counts")  # what a restriction changes


@dataclass(frozen=True)
class FileInfo:
    """One list file: sha256 of its bytes, its images (lines) and positive labels."""

    sha256: str
    images: int
    labels: int


@dataclass(frozen=True)
class OwnFacts:
    """What only the manifest of one's own images says: see `python -m benchmark splits make`.

    like       coco or voc, by the rule in benchmark/data/likeness.py
    template   what methods read in place of "a photo of a {}"; None: each its own
    recorded   what a record repeats of it
    """

    like: str
    template: str | None
    grouping: tuple[int, int]
    recorded: dict[str, Any]


@dataclass(frozen=True)
class Split:
    """A manifest. Groups hold class indices; counts are a list's positives of each class."""

    name: str
    scale: str
    version: int
    setting: str  # long-tailed | few-shot
    dataset: str  # coco | voc | the name of one's own
    protocol: dict[str, Any]
    classes: tuple[str, ...]
    groups: dict[str, tuple[int, ...]]
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    folder: Path  # where the list files lie
    files: dict[str, FileInfo]
    sha256: str  # of the manifest's bytes
    restriction: str | None = None  # e.g. "2 of 1,909 training and 128 of 5,000 test images"
    own: OwnFacts | None = None  # of a split of one's own images

    @property
    def like(self) -> str:
        """COCO or VOC: whose constants serve where a method has some for each of the two."""
        return self.own.like if self.own else self.dataset


@dataclass(frozen=True)
class Document:
    """A manifest's file as it was read, with typed access to its fields.

    InputError names the file, the field and the remedy where one is not as it should be.
    """

    path: Path
    content: bytes
    raw: dict[str, Any]
    remedy: str

    @property
    def sha256(self) -> str:
        """Of the file's bytes: the split's identity."""
        return lists.sha256(self.content)

    def bad(self, field: str, wanted: str) -> InputError:
        """The complaint about a field that is not as `wanted`."""
        return InputError(f"{self.path}: field {field}: must be {wanted}; {self.remedy}")

    def value(self, field: str, kind: type, wanted: str) -> Any:
        """The field's value, of this type."""
        value = self.raw.get(field)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.bad(field, wanted)
        return value

    def text(self, field: str, known: tuple[str, ...] = ()) -> str:
        """A text, one of those known if there are any."""
        value = self.value(field, str, "a text")
        if known and value not in known:
            raise self.bad(field, " or ".join(known))
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of different texts."""
        value = self.value(field, list, "a list of texts")
        if not value or not all(isinstance(v, str) for v in value) or len(set(value)) < len(value):
            raise self.bad(field, "a list of different texts")
        return tuple(value)

    def counts(self, field: str, size: int) -> tuple[int, ...]:
        """A list of `size` whole numbers, none below 0."""
        value = self.value(field, list, "a list of integers")
        if len(value) != size or not all(type(v) is int and v >= 0 for v in value):
            raise self.bad(field, f"a list of {size} integers, one for each class")
        return tuple(value)

    def groups(self, wanted: tuple[str, ...], classes: tuple[str, ...]) -> dict[str, tuple]:
        """Group -> class indices, ascending; the groups share out all classes."""
        value = self.value("groups", dict, "an object")
        members = [v for group in value.values() for v in (group if type(group) is list else [0])]
        texts = all(isinstance(v, str) for v in members)
        if tuple(value) != wanted or not texts or sorted(members) != sorted(classes):
            raise self.bad("groups", f"{', '.join(wanted)}, which share out all classes")
        return {g: tuple(sorted(classes.index(c) for c in value[g])) for g in wanted}

    def files(self) -> dict[str, FileInfo]:
        """List file -> what the manifest says of it."""
        value = self.value("files", dict, "an object")
        infos = {}
        for name, entry in value.items():
            types = {k: type(v) for k, v in entry.items()} if isinstance(entry, dict) else {}
            if types != {"sha256": str, "images": int, "labels": int}:
                raise self.bad(f"files.{name}", "an object of sha256, images and labels")
            infos[name] = FileInfo(**entry)
        return infos

    def own(self) -> OwnFacts | None:
        """What the manifest says of one's own images; None for an official split."""
        if "own" not in self.raw:
            return None
        value = self.value("own", dict, "an object")
        like, grouping = value.get("like"), value.get("grouping")
        if not isinstance(like, dict) or like.get("dataset") not in ("coco", "voc"):
            raise self.bad("own.like", "an object whose dataset is coco or voc")
        template = value.get("template")
        if template is not None and (not isinstance(template, str) or template.count("{}") != 1):
            raise self.bad("own.template", "null or a text with one {} in it")
        good = isinstance(grouping, list) and [type(v) for v in grouping] == [int, int]
        if not good or not 0 < grouping[1] <= grouping[0]:
            raise self.bad("own.grouping", "two numbers above 0, such as [100, 20]")
        told = {name: value[name] for name in ("like", "template", "grouping")}
        return OwnFacts(like["dataset"], template, (grouping[0], grouping[1]), told)

    def restriction(self, official: Document | None) -> dict[str, Any] | None:
        """The restriction's files, or None; the same files, not more images than the official."""
        value = self.raw.get("restriction")
        if value is None:
            return None
        files = value.get("files") if isinstance(value, dict) else None
        known = official.raw.get("files") if official else None
        if not isinstance(files, dict) or not known or set(files) != set(known):
            raise self.bad("restriction.files", "an object of all list files")
        for name, entry in files.items():
            pair = entry.get("images") if isinstance(entry, dict) else None
            good = isinstance(pair, list) and [type(v) for v in pair] == [int, int]
            whole = known[name]["images"]
            if not good or not 0 <= pair[0] <= pair[1] or whole not in (None, pair[1]):
                raise self.bad(f"restriction.files.{name}", "images: [kept, of how many]")
        return files


def load(path: Path, remedy: str) -> Document:
    """The JSON object in a file; FileNotFoundError or NotADirectoryError if there is none."""
    try:
        content = path.read_bytes()
        raw = json.loads(content)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: not readable as JSON ({reason}); {remedy}") from None
    if not isinstance(raw, dict):
        raise InputError(f"{path}: must be a JSON object; {remedy}")
    if b"\r\n" in content:
        raise InputError(f"{path}: has other line ends: {lists.LINE_ENDS}; {remedy}")
    return Document(path, content, raw, remedy)


def text(raw: dict[str, Any]) -> bytes:
    """The bytes of a manifest.json; they identify the split."""
    return (json.dumps(raw, indent=1) + "\n").encode()


def counted(files: Mapping[str, list[Row] | dict], classes: int) -> dict[str, Any]:
    """The fields that follow from the list files: train_counts, test_counts, files.

    A list that cannot be made yet is given by what is known of it, {"images": ..., "labels": ...}:
    its counts and its sha256 are null.
    """
    made = {file: isinstance(rows, list) for file, rows in files.items()}
    train, test = (lists.counts(files[f], classes) if made[f] else None for f in list(files)[:2])
    infos = {f: lists.info(x) if made[f] else {"sha256": None} | x for f, x in files.items()}
    return {"train_counts": train, "test_counts": test, "files": infos}


def write(folder: Path, files: Mapping[str, list[Row]], raw: dict[str, Any]) -> None:
    """Write a split's list files and manifest.json into its folder."""
    for file, rows in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(lists.content(rows))
    (folder / "manifest.json").write_bytes(text(raw))


def parse(found: Document, name: str, scale: str, official: Document | None = None) -> Split:
    """The split of a manifest; InputError names the field that is wrong.

    With `official`, the committed manifest, it must agree with that in all that is not null there.
    Its list files lie beside it.
    """
    restricted = found.restriction(official)
    if official is not None:
        free = () if restricted is None else RESTRICTED
        field = difference(found.raw, {k: v for k, v in official.raw.items() if k not in free})
        if field:
            raise InputError(
                f"{found.path}: field {field}: not as in the manifest in splits/paper; "
                f"{found.remedy}"
            )
    classes = found.texts("classes")
    if found.text("name") != name or found.text("scale") != scale:
        raise InputError(f"{found.path}: fields name and scale must be '{name}' and '{scale}'")
    setting, own = found.text("setting", tuple(GROUPS)), found.own()
    files = found.files()
    left = {file: info.images for file, info in files.items()}
    if restricted and left != {file: entry["images"][0] for file, entry in restricted.items()}:
        raise found.bad("restriction.files", "the numbers of images in field files")
    split = Split(
        name=name,
        scale=scale,
        version=found.value("version", int, "an integer"),
        setting=setting,
        dataset=found.text("dataset", (name.rpartition("-")[0],)),
        protocol=found.value("protocol", dict, "an object"),
        classes=classes,
        groups=found.groups(GROUPS[setting], classes),
        train_counts=found.counts("train_counts", len(classes)),
        test_counts=found.counts("test_counts", len(classes)),
        folder=found.path.parent,
        files=files,
        sha256=found.sha256,
        restriction=restriction_text(restricted) if restricted else None,
        own=own,
    )
    if setting == "long-tailed":
        # A restriction leaves the groups as they are: those of the official counts.
        source = official if restricted and official else found
        _check_groups(found, split, source.counts("train_counts", len(classes)))
    return split


def difference(found: Any, official: Any, field: str = "") -> str | None:
    """The first field in which a manifest is not the official one with its nulls filled in."""
    if official is None or found == official:
        return None
    both = isinstance(official, dict) and isinstance(found, dict)
    if not both or (field and set(found) != set(official)):
        return field
    prefix = f"{field}." if field else ""
    inner = (difference(found.get(k), v, f"{prefix}{k}") for k, v in official.items())
    return next(filter(None, inner), None)


def restriction_text(files: dict[str, dict[str, list[int]]]) -> str:
    """As "2 of 1,909 training and 128 of 5,000 test images"; episodes are added up.

    `files`: a restriction's field: list file -> {"images": [kept, of how many]}.
    """
    sums: dict[str, list[int]] = {}
    for file, entry in files.items():
        kind = "episode" if file.startswith("episodes/") else file.removesuffix(".txt")
        kind = {"train": "training", "base_train": "base", "novel_test": "test"}.get(kind, kind)
        sums[kind] = [a + b for a, b in zip(sums.get(kind, (0, 0)), entry["images"], strict=True)]
    order = sorted(sums, key=lambda kind: kind == "test")  # which comes last
    parts = [f"{sums[kind][0]:,} of {sums[kind][1]:,} {kind}" for kind in order]
    return f"{', '.join(parts[:-1])} and {parts[-1]} images"


def groups_of(
    counts: Sequence[int], grouping: tuple[int, int] = OFFICIAL
) -> dict[str, tuple[int, ...]]:
    """The long-tailed groups of classes with so many training images each: class indices.

    grouping   (a, b): a class of a images or more is head, one of fewer than b tail
    """
    head, tail = grouping
    names = ["head" if n >= head else "medium" if n >= tail else "tail" for n in counts]
    return {g: tuple(k for k, name in enumerate(names) if name == g) for g in GROUPS["long-tailed"]}


def thirds(counts: Sequence[int]) -> tuple[int, int]:
    """The grouping that makes a third of the classes head and a third tail; where classes of one
    count stand at an edge, all of them go to the larger group's side."""
    order = sorted(counts, reverse=True)
    head, tail = (order[-(-share * len(order) // 3) - 1] for share in (1, 2))
    return max(head, 1), max(tail, 1)


def _check_groups(found: Document, split: Split, counts: tuple[int, ...]) -> None:
    """Long-tailed groups must be those that the train counts give."""
    groups = groups_of(counts, split.own.grouping if split.own else OFFICIAL)
    expected = {k: group for group, members in groups.items() for k in members}
    for group, k in ((group, k) for group, members in split.groups.items() for k in members):
        if group != expected[k]:
            raise InputError(
                f"{found.path}: field groups: '{split.classes[k]}' with {counts[k]} training "
                f"images is {expected[k]}, not {group}; {found.remedy}"
            )
