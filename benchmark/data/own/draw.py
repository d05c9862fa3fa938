"""The two splits of one's own images, drawn from labels by what was chosen; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmark.common.errors import InputError, unknown
from benchmark.common.text import shortened
from benchmark.data import likeness
from benchmark.data.own import few_shot
from benchmark.data.own.choices import Choices
from benchmark.data.own.store import Drawn
from benchmark.data.own.stratify import stratified
from benchmark.data.own.table import LabelTable
from benchmark.data.splits import Row, lists, manifest

VERSION = 1  # raise when a rule here changes: it is in the manifest, and so in a split's identity


@dataclass(frozen=True, eq=False)
class Source:
    """What splits are drawn from.

    name     of the data
    images   their folder below the data root, "." for the root itself
    table    all images, or those for training where `test` has others
    names    what CLIP reads for the table's classes
    """

    name: str
    images: str
    table: LabelTable
    test: LabelTable | None
    names: tuple[str, ...]
    choices: Choices


def parts(source: Source) -> tuple[list[Row], list[Row]]:
    """The training and the test images; InputError if one of them has none.

    The test file may have fewer classes than the other one, and none that it does not have.
    """
    table, test, choices = source.table, source.test, source.choices
    if test is None:
        train, tested = stratified(table.rows, len(table.classes), choices.share, choices.seed)
        if not train or not tested:
            raise InputError(
                f"--test-share {choices.share}: of {len(table.rows)} images, {len(train)} would be "
                f"for training and {len(tested)} for the test; give more images or another share"
            )
        return train, tested
    index = {name: k for k, name in enumerate(table.classes)}
    foreign = [name for name in test.classes if name not in index]
    if foreign:
        raise InputError(
            f"{test.source}: class '{shortened(foreign[0])}' is not in {table.source}; a test file "
            "has the training file's classes, spelled alike"
        )
    columns = [index[name] for name in test.classes]
    return list(table.rows), [(p, tuple(sorted(columns[k] for k in ks))) for p, ks in test.rows]


def long_tailed(source: Source, train: list[Row], test: list[Row]) -> Drawn:
    """NAME-lt; `train` as it is to be, drawn or not."""
    counts = lists.counts(train, len(source.names))
    groups = manifest.groups_of(counts, source.choices.grouping(counts))
    files = {"train.txt": train, "test.txt": test}
    return _drawn(source, "long-tailed", groups, files, {"source": "own data"})


def few_shots(source: Source, train: list[Row], test: list[Row]) -> Drawn:
    """NAME-fs; InputError if its novel classes are none, are all, or have too few images."""
    classes, choices = source.table.classes, source.choices
    for name in choices.novel:
        if name not in classes:
            raise InputError(shortened(f"--novel: {unknown('class', name, classes)}", 500))
    novel = tuple(k for k, name in enumerate(classes) if name in choices.novel)
    base = tuple(k for k in range(len(classes)) if k not in novel)
    if not base:
        raise InputError("--novel: names all classes; leave some as base classes")
    few_shot.check_enough(train, classes, novel, choices.shots)
    groups = {"base": base, "novel": novel}
    files = few_shot.files(train, test, groups, choices.shots, choices.episodes, choices.seed)
    for file, group in (("base_train.txt", "base"), ("novel_test.txt", "novel")):
        if not files[file]:
            raise InputError(f"--novel: no image of a {group} class is left for {file}")
    return _drawn(source, "few-shot", groups, files, few_shot.PROTOCOL)


def _drawn(
    source: Source,
    setting: str,
    groups: dict[str, Sequence[int]],
    files: dict[str, list[Row]],
    protocol: dict[str, str],
) -> Drawn:
    names, table, choices = source.names, source.table, source.choices
    train = next(iter(files.values()))
    counted = manifest.counted(files, len(names))
    kind = {"long-tailed": "lt", "few-shot": "fs"}[setting]
    renamed = zip(table.classes, names, strict=True)
    raw = {
        "name": f"{source.name}-{kind}",
        "scale": "paper",
        "version": VERSION,
        "setting": setting,
        "dataset": source.name,
        "origin": f"own data: {table.source.name}, made by python -m benchmark splits make",
        "licence": "",
        "protocol": protocol,
        "classes": list(names),
        "groups": {group: [names[k] for k in members] for group, members in groups.items()},
        **counted,
        "own": {
            "like": asdict(likeness.nearest(train, len(names))),
            "template": choices.template,
            "grouping": list(choices.grouping(counted["train_counts"])),
            "names": {column: name for column, name in renamed if column != name},
            "made": _made(source, kind),
        },
    }
    return Drawn(files, raw)


def _made(source: Source, kind: str) -> dict[str, Any]:
    """The choices that a split depends on, and no others: those of one leave the other as it is."""
    table, test, choices = source.table, source.test, source.choices
    common = {
        "images": source.images,
        "labels": table.source.name,
        "labels_sha256": table.sha256,
        "form": table.form,
        "test_labels": test and test.source.name,
        "test_labels_sha256": test and test.sha256,
        "test_share": choices.share,
    }
    if kind == "lt":
        tail = choices.long_tailed
        groups = choices.groups if choices.groups == "thirds" else list(choices.groups)
        own = {"long_tailed": tail and f"pareto:{tail[0]}:{tail[1]}", "groups": groups}
    else:
        novel = [name for name in table.classes if name in choices.novel]
        shots = sorted(set(choices.shots))
        own = {"novel": novel, "shots": shots, "episodes": choices.episodes}
    return common | own | {"seed": choices.seed}
