"""Identities as digests: canonical JSON, seeds by purpose, a file's sha256. No torch."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.common.errors import InputError


def canonical(value: Any) -> str:
    """JSON with one spelling for one value; ValueError for NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def seed_of(identity: str, purpose: str) -> int:
    """A seed in [0, 2**32) for one purpose ("batches", "init") of what `identity` names."""
    return int.from_bytes(hashlib.sha256(f"{identity}\n{purpose}".encode()).digest()[:4], "big")


@cache
def sha256(path: Path) -> str:
    """Hex digest of a file's bytes; InputError if they cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"weights file {path}: cannot be read ({reason})") from None
