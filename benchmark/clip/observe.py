"""A hook on the passes through CLIP's encoders, so that they can be timed from outside a method."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

Observer = Callable[[str, Callable[[], Any]], Any]

# Where one is set, each such pass is `observer(encoder, call)`, which must return `call()`.
observer: ContextVar[Observer | None] = ContextVar("observer", default=None)


def observed(encoder: str) -> Callable[[Callable], Callable]:
    """Decorates a function that passes something through an encoder, "image" or "text"."""

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def encode(*arguments: Any, **options: Any) -> Any:
            call, watch = functools.partial(function, *arguments, **options), observer.get()
            return watch(encoder, call) if watch else call()

        return encode

    return decorate
