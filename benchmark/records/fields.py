"""The fields of a record and the type of each: the table that writing and reading hold it against.

results/README.md says what they mean, field by field in the same order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

SCHEMA = 1
FAILED, SETTLED = "failed", ("done", "skipped")  # what `status` says in error files, and in others
LATER = {  # fields that came later than the first records, with what a record without them means
    "preprocess": "clip",
    "precision": "float32",
    "restriction": None,
    "own": None,
    "oracle_reason": None,
    "scores_sha256": None,
}
SETTINGS = (  # what the key is made of besides task, scale, seed and episode
    *("method", "method_version", "hyperparameters", "split_sha256"),
    *("backbone", "weights_sha256", "preprocess", "precision"),
)
LARGEST = 1e100  # no measured number is larger, and squares of these are still numbers
DEEPEST = 8  # levels of lists and names in what a method or a later version may put in


class Kind(NamedTuple):
    """What values may be. All values of a field are asked about at once: records are many.

    words   what each value must be, for the user
    fits    whether all of these values are of the kind
    """

    words: str
    fits: Callable[[Collection[Any]], bool]


def _one_of(words: str, *types: type) -> Kind:
    return Kind(words, lambda values: set(map(type, values)) <= {*types})


def _number(words: str, largest: float, *types: type) -> Kind:
    def fits(values: Collection[Any]) -> bool:
        known = set(map(type, values)) <= {*types}
        return known and (not values or -largest <= min(values) <= max(values) <= largest)

    return Kind(words, fits)


def _maybe(kind: Kind) -> Kind:
    def fits(values: Collection[Any]) -> bool:
        given = [value for value in values if value is not None]
        return not given or kind.fits(given)

    return Kind(f"{kind.words}, or null", fits)


def _each(kind: Kind) -> Kind:
    """Names with a value of the kind each."""
    return _over(dict, f"names with {kind.words} each", lambda value: value.values(), kind)


def _list(kind: Kind) -> Kind:
    return _over(list, f"a list, in it {kind.words} each", iter, kind)


def _over(of: type, words: str, parts: Callable[[Any], Any], kind: Kind) -> Kind:
    def fits(values: Collection[Any]) -> bool:
        if not set(map(type, values)) <= {of}:
            return False
        return kind.fits([*itertools.chain.from_iterable(map(parts, values))])

    return Kind(words, fits)


def _parts(**kinds: Kind) -> Kind:
    """Names with a value of its own kind each, as far as they are there; and others."""

    def fits(values: Collection[Any]) -> bool:
        if not set(map(type, values)) <= {dict}:
            return False
        others = [v for value in values for name, v in value.items() if name not in kinds]
        parts = ([v[name] for v in values if name in v] for name in kinds)
        fit = all(kind.fits(part) for kind, part in zip(kinds.values(), parts, strict=True) if part)
        return fit and (not others or ANYTHING.fits(others))

    return Kind(f"an object whose {', '.join(kinds)} are as documented", fits)


TEXT = _one_of("text", str)
TRUTH = _one_of("true or false", bool)
WHOLE = _number("a whole number below 2^63", 2**63 - 1, int)
NUMBER = _number(f"a number up to {LARGEST:g}", LARGEST, int, float)
MAYBE_TEXT, MAYBE_NUMBER = _maybe(TEXT), _maybe(NUMBER)
NUMBERS = _each(MAYBE_NUMBER)


def _anything(values: Collection[Any], deepest: int = DEEPEST) -> bool:
    """Whether these are plain values: not too deep, and no number too large."""
    inside: list[Any] = []
    for value in values:
        if isinstance(value, dict | list):
            inside += value.values() if isinstance(value, dict) else value
    numbers = [value for value in values if type(value) in (int, float)]
    return NUMBER.fits(numbers) and (not inside or (deepest > 0 and _anything(inside, deepest - 1)))


ANYTHING = Kind(f"at most {DEEPEST} levels deep, numbers up to {LARGEST:g}", _anything)

FIELDS: Mapping[str, Kind] = {
    "schema": WHOLE,
    "key": TEXT,
    "suite": TEXT,
    "scale": TEXT,
    "task": TEXT,
    "setting": TEXT,
    "label": TEXT,
    "method": TEXT,
    "method_version": WHOLE,
    "seed": WHOLE,
    "episode": _maybe(WHOLE),
    "status": TEXT,
    "reason": MAYBE_TEXT,
    "selection": TEXT,
    "metrics": NUMBERS,
    "oracle": _maybe(
        _parts(
            **dict.fromkeys(("map", "head", "medium", "tail", "novel"), MAYBE_NUMBER),
            **{"epoch": WHOLE, "stage": TEXT, "epochs": WHOLE},
            **dict.fromkeys(("curve", "curve_softmax"), _list(NUMBER)),
        )
    ),
    "oracle_reason": MAYBE_TEXT,
    "n_classes": _each(_maybe(WHOLE)),
    "per_class_ap": NUMBERS,
    "train_counts": NUMBERS,
    "curve": _list(_parts(stage=TEXT, epoch=WHOLE, loss=MAYBE_NUMBER)),
    "hyperparameters": _each(ANYTHING),
    "split_sha256": TEXT,
    "backbone": TEXT,
    "weights_sha256": TEXT,
    "preprocess": TEXT,
    "precision": TEXT,
    "scores_sha256": MAYBE_TEXT,
    "restriction": MAYBE_TEXT,
    "own": _maybe(_parts(like=ANYTHING, template=MAYBE_TEXT, grouping=_list(WHOLE))),
    "seconds": NUMBERS,
    "provenance": _parts(
        commit=MAYBE_TEXT,
        dirty=_maybe(TRUTH),
        versions=_each(MAYBE_TEXT),
        device=TEXT,
        threads=WHOLE,
        host=TEXT,
        utc=TEXT,
    ),
    # of an error file alone
    "kind": TEXT,
    "error": TEXT,
    "traceback": TEXT,
}
_OF_KIND: dict[Kind, list[str]] = {}  # the fields of one kind are looked at together
for _name, _kind in FIELDS.items():
    _OF_KIND.setdefault(_kind, []).append(_name)
NEEDED = ("key", "suite", "scale", "task", "label", "status")
# A result has these too; what else is absent counts as null.
OF_RESULTS = ("method", "seed", "episode", "metrics", "n_classes", "per_class_ap", "split_sha256")


def check(value: Any, failure: bool = False) -> None:
    """ValueError, which names the field, if a parsed JSON value is no record.

    failure   whether it is to say why a unit failed, as error files do, and not what came out
    """
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise ValueError(f"not a record of schema {SCHEMA}")
    for name in NEEDED if failure else (*NEEDED, *OF_RESULTS):
        if name not in value:
            raise ValueError(f"field '{name}' is missing")
    for kind, names in _OF_KIND.items():
        there = [name for name in names if name in value]
        if not kind.fits([value[name] for name in there]):
            wrong = next(name for name in there if not kind.fits([value[name]]))
            raise ValueError(f"field '{wrong}' must be {kind.words}")
    expected = (FAILED,) if failure else SETTLED
    if value["status"] not in expected:
        raise ValueError(f"field 'status' must be {' or '.join(expected)} in such a file")
    for name in value.keys() - FIELDS.keys():
        if not ANYTHING.fits([value[name]]):
            raise ValueError(f"field {name!r:.40} must be {ANYTHING.words}")
