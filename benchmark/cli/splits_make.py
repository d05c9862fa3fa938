"""`python -m benchmark splits make`: list files and manifests of one's own images."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from benchmark.api import make_splits
from benchmark.cli.parser import names, whole_number
from benchmark.common.errors import InputError
from benchmark.common.text import shortened
from benchmark.data.own.choices import SHARE

ABOUT = "make splits of your own images and labels, a task of any kind there is"
_LABELS = "CSV or TSV, COCO's instances JSON, or a folder of VOC XML or YOLO files"
_FLAGS = {  # of Choices: metavar, help
    "test_labels": ("FILE", "the labels of the test images, in any form, of the same --images"),
    "test_share": ("SHARE", f"or: take so many of the images for the test (default: {SHARE})"),
    "long_tailed": ("pareto:MAX:MIN", "draw an imbalanced training list, as COCO-LT was drawn"),
    "novel": ("A,B,C", "the novel classes of --few-shot, as the labels file names them"),
    "shots": ("K", "images of each novel class in an episode of --few-shot (default: 1,5)"),
    "episodes": ("N", "episodes of each number of shots (default: 10)"),
    "groups": ("HEAD,TAIL", "training images of head and tail, or thirds (default: 100,20)"),
    "template": ("TEXT", 'what CLIP reads of a class, such as "a chest x-ray showing {}"'),
    "names": ("FILE", "CSV of classes in the labels file and the names that CLIP reads instead"),
    "seed": ("N", "of all that is drawn (default: 0)"),
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The command's flags, --data-root left out."""
    add = parser.add_argument
    add("name", metavar="NAME", help="of the data: its tasks will be NAME-lt and NAME-fs-K")
    add("--images", required=True, metavar="DIR", help="the folder of the images")
    add("--labels", required=True, metavar="FILE", help=f"their labels: {_LABELS}")
    for field, (metavar, text) in _FLAGS.items():
        several = {"nargs": "+"} if field in ("novel", "shots") else {}
        add(f"--{field.replace('_', '-')}", metavar=metavar, help=text, **several)
    add("--few-shot", action="store_true", help="make a few-shot split too: NAME-fs")
    add("--replace", action="store_true", help="make splits anew that are there and different")


def run(flags: argparse.Namespace, root: Path) -> int:
    """Make the splits and print what was understood, what was made and what to run next."""
    given = {"images": flags.images, "labels": flags.labels, "data_root": root}
    made = make_splits(flags.name, **given, **choices(flags))
    print(made)
    tasks, where = " ".join(made.tasks), shlex.quote(str(root))
    print(f"next: python run_all.py --tasks {tasks} --data-root {where}")
    return 0


def choices(flags: argparse.Namespace) -> dict[str, Any]:
    """Of the flags that were given, in the form that `make_splits` takes."""
    given = {field: getattr(flags, field) for field in _FLAGS}
    read = {
        "test_labels": str,
        "names": str,
        "test_share": lambda text: _number(text, "--test-share"),
        "long_tailed": _pareto,
        "novel": names,
        "shots": lambda texts: tuple(whole_number(text, "--shots") for text in names(texts)),
        "episodes": lambda text: whole_number(text, "--episodes"),
        "groups": lambda text: _bounds(text, ",", "--groups"),
        "template": str,
        "seed": lambda text: whole_number(text, "--seed"),
    }
    told = {field: read[field](value) for field, value in given.items() if value is not None}
    return {"few_shot": flags.few_shot, "replace": flags.replace, **told}


def _number(text: str, flag: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{flag} {shortened(text)}: must be a number such as {SHARE}") from None


def _pareto(text: str) -> tuple[int, ...] | str:
    kind, _, bounds = text.partition(":")
    return _bounds(bounds, ":", "--long-tailed") if kind == "pareto" else text


def _bounds(text: str, between: str, flag: str) -> tuple[int, ...] | str:
    """The whole numbers; the text itself, for Choices to refuse, if they are none."""
    bounds = text.split(between)
    if not all(bound.isdecimal() for bound in bounds):
        return text
    return tuple(whole_number(bound, flag) for bound in bounds)
