"""Writes the file that a new method starts from: `run_all.py --new-method NAME`."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from benchmark.common.errors import InputError
from benchmark.common.text import LONGEST
from benchmark.method import registry

_TEMPLATE = Path(__file__).with_name("new_method.txt")
_NAME = re.compile(rf"[a-z][a-z0-9_]{{,{LONGEST - 1}}}")  # a Python name, and a suite's label
_TAKEN = ("F", "Method", "Recipe")  # names that the skeleton imports


def write(name: str, folder: Path) -> Path:
    """Write NAME.py into the folder and return its path; it is a method that runs as it is.

    InputError for a name that is no identifier or is another method's, a folder that is not there,
    or a file that is: nothing is overwritten.
    """
    path = folder / f"{name}.py"
    if not _NAME.fullmatch(name) or any(map(keyword.iskeyword, (name, name.capitalize()))):
        remedy = f"use at most {LONGEST} small letters, digits and '_', a letter first"
        raise InputError(f"--new-method {name}: not a name for a method; {remedy}")
    if name in (known := registry.methods()):
        raise InputError(f"--new-method {name}: {known[name].file} has it; choose another name")
    if not folder.is_dir():
        raise InputError(f"--to {folder}: no such folder; make it first")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text(name))
    except FileExistsError:
        raise InputError(f"{path}: is there already; choose another name or folder") from None
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"--to {folder}: cannot be written ({reason})") from None
    return path


def text(name: str) -> str:
    """The skeleton of a method of that name."""
    words = "".join(part.capitalize() for part in name.split("_"))
    made = f"My{words}" if words in _TAKEN else words
    return _TEMPLATE.read_text(encoding="utf-8").replace("@NAME@", name).replace("@CLASS@", made)


def advice(path: Path) -> str:
    """What to do with the file that was written, as commands."""
    return (
        f"wrote {path}: a method that works; make it yours, then\n"
        f"  python -m benchmark check {path}\n"
        f"  python run_all.py --plugin {path} --methods {path.stem} --tasks voc-fs-1"
    )
