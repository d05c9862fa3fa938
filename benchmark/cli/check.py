"""The command `python -m benchmark check my_method.py`: what is wrong with a method, in words."""

from __future__ import annotations

import argparse
import inspect
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.parser import Parser, command
from benchmark.common import environment, errors, processes, strict_yaml
from benchmark.common.errors import InputError
from benchmark.method import declaration, discovery
from benchmark.method.base import Method

if TYPE_CHECKING:
    from benchmark.diagnostics.check.toy import Toy


def parser() -> argparse.ArgumentParser:
    """All flags, each with its help."""
    out = Parser(
        prog="python -m benchmark check",
        description="Check methods on a toy of drawn pictures: contract, seeds, shapes, that the "
        "frozen CLIP stays frozen, that test images stay unseen, that something is learned.",
        epilog="Exit code 0 if nothing is wrong, 1 if something is, 2 for bad input.",
    )
    add = out.add_argument
    add("methods", nargs="+", metavar="FILE.py|NAME", help="your file, or the name of a method")
    add("--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help=_SET)
    add("--device", default="cpu", help="cpu, cuda or cuda:N (default: %(default)s)")
    add("--traceback", action="store_true", help="also print the tracebacks of errors")
    return out


_SET = "hyperparameters to check with, such as epochs=5; the others keep their defaults"


def _check(flags: argparse.Namespace) -> int:
    return max([_checked_apart(given, flags) for given in flags.methods])


def _checked_apart(given: str, flags: argparse.Namespace) -> int:
    """In a process of its own, so that a method that ends its process does not end in silence."""
    try:
        code, text = processes.apart(_examined, given, flags)
    except processes.Died as death:
        raise InputError(f"{given}: {death}; a method must leave its process alone") from None
    print(text, flush=True)
    return code


def _examined(given: str, flags: argparse.Namespace) -> tuple[int, str]:
    """Exit code and report of the methods that are named."""
    found = [(cls, chosen(cls, flags.set)) for cls in classes(given)]
    _check_device(flags.device)
    from benchmark.diagnostics.check.toy import Toy

    with tempfile.TemporaryDirectory(prefix="cimlic-check-") as folder:
        toy = Toy(Path(folder), flags.device)
        codes, texts = zip(*(_report(*one, toy, flags.traceback) for one in found), strict=True)
    return max(codes), "\n".join(texts)


def _report(
    cls: type[Method], settings: dict[str, Any], toy: Toy, traceback: bool
) -> tuple[int, str]:
    from benchmark.diagnostics.check import examine, findings

    given = ", ".join(f"{name}={value!r}" for name, value in settings.items()) or "its defaults"
    about = f"{cls.name}: class {cls.__name__} of {inspect.getfile(cls)}, with {given}"
    found = examine.examine(cls, toy, settings)
    traces = dict.fromkeys(item.trace for item in found if item.trace and traceback)
    code = 1 if any(item.verdict == findings.WRONG for item in found) else 0
    return code, "\n".join([about, findings.listing(found), *(f"\n{t.rstrip()}" for t in traces)])


def classes(given: str) -> list[type[Method]]:
    """The methods of a file, or the one of that name; InputError if there is none."""
    if not given.endswith(".py"):
        known = discovery.discover()
        if given not in known:
            raise errors.unknown("method", given, known)
        return [known[given]]
    path = environment.absolute(given, "check")
    if not path.is_file():
        raise InputError(f"{given}: no such file; `run_all.py --new-method NAME` writes one")
    shipped = _of_file(path, discovery.discover())
    return shipped or _of_file(path, discovery.discover([path]))


def _of_file(path: Path, methods: Mapping[str, type[Method]]) -> list[type[Method]]:
    return [cls for cls in methods.values() if Path(inspect.getfile(cls)).resolve() == path]


def chosen(cls: type[Method], given: Sequence[str]) -> dict[str, Any]:
    """--set as hyperparameters of the class; InputError for a name or a value that is none."""
    known, found = discovery.hyperparameters(cls), {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text}: write NAME=VALUE")
        if name not in known:
            raise errors.unknown(f"hyperparameter of {cls.name}", name, known)
        try:
            read = strict_yaml.parse(value)
        except ValueError:
            read = value
        about = (name, known[name], cls.search_space)
        found[name] = declaration.value(read, *about, f"--set {name}")
    return found


def _check_device(name: str) -> None:
    import torch

    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not (number.isdecimal() and len(number) < 4)):
        raise errors.unknown("device", name, ("cpu", "cuda", "cuda:0"))
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise InputError(f"--device {name}: there is no such CUDA device; try cpu")


main = command(parser, _check)
