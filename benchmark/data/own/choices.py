"""What may be chosen where splits are made of one's own images, each choice checked by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from benchmark.common.errors import InputError
from benchmark.common.text import shortened
from benchmark.data.splits import manifest

SHARE = 0.2  # of the images for the test, where no test images are named
LONGEST = 200  # letters of a template
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_TAKEN = ("coco", "voc")
_MOST = 99  # episodes, which their files' names number with two digits; shots


@dataclass(frozen=True, kw_only=True)
class Choices:
    """How to make the splits. InputError, which names the command's flag, if it cannot be so.

    test_labels   a labels file of the test images, in any form; None: a share is taken for the test
    test_share    that share, above 0 and below 1; None: SHARE
    long_tailed   (MAX, MIN) of the training list drawn, see `long_tail`; None: all there is
    few_shot      whether to make a few-shot split too, with the classes `novel`, named as in the
                  labels file, and `episodes` episodes of each number of `shots`
    groups        (HEAD, TAIL): head has HEAD training images or more, tail fewer than TAIL
    template      of the prompts of every method that has one; "{}" stands for the class
    names         a file of renames, or the renames: class in the labels file -> what CLIP reads
    replace       whether splits that are there, and different, make place
    """

    test_labels: Path | str | None = None
    test_share: float | None = None
    long_tailed: tuple[int, int] | None = None
    few_shot: bool = False
    novel: tuple[str, ...] = ()
    shots: tuple[int, ...] = (1, 5)
    episodes: int = 10
    groups: tuple[int, int] | Literal["thirds"] = manifest.OFFICIAL
    template: str | None = None
    names: Path | str | Mapping[str, str] | None = None
    seed: int = 0
    replace: bool = False

    def __post_init__(self) -> None:
        for field, good, rule in self._rules():
            if not good:
                shown = f"--{field.replace('_', '-')} {_shown(getattr(self, field))}".strip()
                raise InputError(f"{shown}: {rule}")

    def _rules(self) -> Iterator[tuple[str, bool, str]]:
        """(field, whether it is as it must be, the rule)."""
        share, tail, groups, template = (
            self.test_share,
            self.long_tailed,
            self.groups,
            self.template,
        )
        path = self.test_labels is None or isinstance(self.test_labels, Path | str)
        yield "test_labels", path, "must be a path"
        given = self.names is None or isinstance(self.names, Path | str | Mapping)
        yield "names", given, "must be a file of renames, or the renames"
        yield "test_share", share is None or _is_share(share), "must be above 0 and below 1"
        alone = share is None or self.test_labels is None
        yield "test_share", alone, "test images are named by --test-labels; leave one of them out"
        yield (
            "long_tailed",
            tail is None or _is_falling(tail),
            "must be pareto:MAX:MIN, whole numbers, MIN 1 or more and MAX not below it",
        )
        yield (
            "groups",
            groups == "thirds" or _is_falling(groups),
            "must be HEAD,TAIL, whole numbers, TAIL 1 or more and HEAD not below it, or thirds",
        )
        whole = f"a whole number from 1 to {_MOST}"
        yield "shots", _are(self.shots, lambda k: _is_whole(k, 1, _MOST)), f"each must be {whole}"
        yield "episodes", _is_whole(self.episodes, 1, _MOST), f"must be {whole}"
        yield "seed", _is_whole(self.seed, 0, 2**32 - 1), "must be a whole number below 2**32"
        yield (
            "template",
            template is None or _is_template(template),
            f"must have one {{}}, where the class goes, no other brace, at most {LONGEST} letters, "
            "all of them printable",
        )
        named = not self.few_shot or _are(self.novel, lambda name: isinstance(name, str))
        yield "few_shot", named, "needs the novel classes; name them with --novel A,B,C"
        for field in fields(self):
            if field.name in ("novel", "shots", "episodes"):
                value = getattr(self, field.name)
                same = (tuple(value) if isinstance(value, list) else value) == field.default
                yield field.name, self.few_shot or same, "is for few-shot splits; add --few-shot"

    @property
    def share(self) -> float | None:
        """Of the images for the test; None where they are named."""
        return None if self.test_labels is not None else self.test_share or SHARE

    def grouping(self, counts: Sequence[int]) -> tuple[int, int]:
        """(HEAD, TAIL), of classes with so many training images."""
        return manifest.thirds(counts) if self.groups == "thirds" else tuple(self.groups)


def check_name(name: str) -> None:
    """InputError if one's own data cannot be called so: their splits are NAME-lt and NAME-fs."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        rule = "letters, digits, - and _, at most 40, a letter or digit first"
        raise InputError(f"name {_shown(name)}: must have {rule}")
    if name.lower() in _TAKEN:
        raise InputError(f"name {name}: is that of the official splits; choose another")


def _shown(value: Any) -> str:
    """A choice as the command line has it; a flag alone says that it is on."""
    if isinstance(value, bool):
        return ""
    several = isinstance(value, tuple | list)
    return shortened(",".join(map(str, value)) if several else str(value))


def _are(values: Any, good: Any) -> bool:
    return isinstance(values, tuple | list) and bool(values) and all(map(good, values))


def _is_whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < 1


def _is_falling(pair: Any) -> bool:
    whole = _are(pair, lambda value: _is_whole(value, 1, 10**9))
    return whole and len(pair) == 2 and pair[0] >= pair[1]


def _is_template(text: Any) -> bool:
    if not isinstance(text, str) or len(text) > LONGEST or not text.isprintable():
        return False
    return text.count("{}") == 1 and not set("{}") & set(text.replace("{}", ""))
