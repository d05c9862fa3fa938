"""A reader of pickles that hold whole numbers in lists and dictionaries, without unpickling them.

Loading a pickle can run any code. Here the file is taken apart by `pickletools.genops`, which runs
nothing, and the few opcodes that make lists, dictionaries and integers are carried out by hand; any
other one makes the file bad input.
"""

from __future__ import annotations

import pickletools
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError

_NUMBERS = ("BININT", "BININT1", "BININT2")
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict}
_NOTHING = ("PROTO", "FRAME", "MEMOIZE")  # MEMOIZE only matters to opcodes that are refused
_MARK = object()


def read(path: Path) -> list | dict:
    """The list or dictionary in a pickle file; InputError for anything but plain integers."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); fetch it again") from None
    try:
        return _carry_out(content, path)
    except (ValueError, IndexError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: not a pickle of integers ({error}); fetch it again") from None


def _carry_out(content: bytes, path: Path) -> list | dict:
    stack: list[Any] = []
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in _NUMBERS:
            stack.append(argument)
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "APPEND":
            item = stack.pop()
            _a(list, stack).append(item)
        elif name == "APPENDS":
            items = _since_mark(stack)
            _a(list, stack).extend(items)
        elif name == "SETITEMS":
            items = _since_mark(stack)
            _a(dict, stack).update(zip(items[::2], items[1::2], strict=True))
        elif name == "STOP":
            (result,) = stack
            return result if isinstance(result, dict) else _a(list, stack)
        elif name not in _NOTHING:
            raise InputError(f"{path}: opcode {name}; only lists of integers are read")
    raise ValueError("cut short")


def _a(kind: type, stack: list[Any]) -> Any:
    """The top of the stack, which must be of this kind."""
    if not isinstance(stack[-1], kind):
        raise TypeError(f"no {kind.__name__} where one is needed")
    return stack[-1]


def _since_mark(stack: list[Any]) -> list[Any]:
    """Takes what lies above the last mark, and the mark, off the stack."""
    at = max(n for n, value in enumerate(stack) if value is _MARK)
    items = stack[at + 1 :]
    del stack[at:]
    return items
