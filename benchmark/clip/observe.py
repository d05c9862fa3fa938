"""A hook on the passes through CLIP's encoders, so that they can be timed from outside a method."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

Observer = Callable[[str, Callable[[], Any]], Any]

_observer: ContextVar[Observer | None] = ContextVar("observer", default=None)


def observed(encoder: str) -> Callable[[Callable], Callable]:
    """Decorates a function that passes something through an encoder, "image" or "text"."""

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def encode(*arguments: Any, **options: Any) -> Any:
            observer = _observer.get()
            if observer is None:
                return function(*arguments, **options)
            return observer(encoder, functools.partial(function, *arguments, **options))

        return encode

    return decorate


@contextlib.contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """In this block each such pass is `observer(encoder, call)`, which must return `call()`."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)
