"""Strict YAML: every key known, every value of its type, errors that name file, field, remedy."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmark.common import errors
from benchmark.common.errors import InputError
from benchmark.common.text import HALVES, shortened

_INT, _STR = "tag:yaml.org,2002:int", "tag:yaml.org,2002:str"
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")  # YAML 1.1 reads such numbers as text
_KINDS = {
    str: "text (put it in quotes)",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list like [a, b]",
    dict: "a mapping of 'name: value' lines",
}


def read(path: Path, origin: str) -> tuple[Any, str]:
    """The data of a YAML file and its first comment line; InputError if it is no YAML."""
    try:
        text = path.read_text(encoding="utf-8")
        data = parse(text)
    except (OSError, ValueError) as error:
        raise InputError(f"{origin}: cannot be read as YAML: {error}") from None
    comments = (line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#"))
    return data, next(filter(None, comments), "")


def parse(text: str) -> Any:
    """The data of a YAML text, merge keys (<<) followed; ValueError, in one line, if it is none."""
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:  # of a wrong value under a tag (!!int abc), PyYAML lets all pass
        kind = type(error).__name__
        raise ValueError(f"a value is not what it is said to be ({kind}: {error})") from None


class _Loader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys without a word; a suite must not lose one.

    Looked for while the text is read: later on, a merge puts the keys of two mappings in one.
    """

    def compose_mapping_node(self, anchor):
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in seen:
                at = f"the mapping at line {node.start_mark.line + 1}"
                raise yaml.YAMLError(f"{at} has '{shortened(key.value)}' twice; keep one")
            seen.add((key.tag, key.value))
        return node

    def construct_yaml_str(self, node):
        value = super().construct_yaml_str(node)
        if HALVES.search(value):  # "\ud83d": no file can have it
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"the text at line {line} has half a character; write it whole")
        return value

    def construct_yaml_int(self, node):
        value = super().construct_yaml_int(node)
        if abs(value) >= 2**63:  # no JSON reader and no tensor takes it
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"the whole number at line {line} is too large")
        return value


_Loader.add_constructor(_INT, _Loader.construct_yaml_int)
_Loader.add_constructor(_STR, _Loader.construct_yaml_str)


class Fields:
    """One YAML mapping with the keys it may have; reads its fields with their types."""

    def __init__(self, data: Any, where: str, known: Sequence[str]):
        if not isinstance(data, dict):
            raise InputError(f"{where}: {_shown(data)} is not {_KINDS[dict]}")
        for key in data:
            if key not in known:
                raise InputError(f"{where}: {errors.unknown('key', str(key), known)}")
        self.data, self.where = data, where

    def get(self, key: str, kind: type, default: Any = None) -> Any:
        """The field's value; without a default the field must be there."""
        if self.data.get(key) is None:
            if default is None:
                raise InputError(f"{self.where}: '{key}' is missing; add it")
            return default
        return typed(self.data[key], kind, f"{self.where}: {key}")

    def items(self, key: str, kind: type, default: tuple | None = None) -> tuple:
        """The field as a tuple: a list with at least one entry, all of one type, none twice."""
        if self.data.get(key) is None and default is not None:
            return default
        values = self.get(key, list)
        values = [typed(v, kind, f"{self.where}: {key}[{i}]") for i, v in enumerate(values)]
        if not values or len(set(values)) < len(values):
            raise InputError(f"{self.where}: {key}: give at least one entry, and none twice")
        return tuple(values)


def typed(value: Any, kind: type, where: str) -> Any:
    """`value` as `kind`: an int serves as float, a bool is no int, a float is finite."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise InputError(f"{where}: {_shown(value)} is not {_KINDS[kind]}{_remedy(value, kind)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where}: {value} is not a finite number")
    return value


def like(value: Any, default: Any, where: str) -> Any:
    """`value` with the type of a hyperparameter's default; a list stands for a tuple."""
    if isinstance(default, (list, tuple)):
        values = typed(value, list, where)
        return tuple(like(v, default[0], where) if default else v for v in values)
    if default is not None:
        kind = next((k for k in (bool, int, float, str) if isinstance(default, k)), None)
        if kind is None:
            raise InputError(f"{where}: a {type(default).__name__} cannot be set in a suite")
        return typed(value, kind, where)
    if value is None:
        return None
    if isinstance(value, (dict, list)):
        raise InputError(f"{where}: {_shown(value)} is not one value")
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return typed(value, float, where)
    return typed(value, type(value), where) if type(value) in _KINDS else typed(value, str, where)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return f"the text '{shortened(value)}'" if isinstance(value, str) else reprlib.repr(value)


def _remedy(value: Any, kind: type) -> str:
    """For text that was meant as a number: YAML wants a dot and a signed exponent."""
    if kind not in (int, float) or not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return ""
    mantissa, _, exponent = value.lower().partition("e")
    if kind is int:
        return f"; write {float(value):.0f}"
    return f"; write {mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent):+d}"
