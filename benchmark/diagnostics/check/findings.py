"""What a check says: a verdict, what was seen, and how to mend it."""

from __future__ import annotations

import contextlib
import inspect
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

OK, NOTE, WRONG, LEFT_OUT = "ok", "note", "wrong", "left out"


@dataclass(frozen=True)
class Finding:
    """One check's result; a note is worth reading and breaks nothing."""

    check: str
    verdict: str
    text: str
    remedy: str = ""
    trace: str = ""  # the traceback of what the method's own code raised


class Wrong(Exception):
    """Raised by a check: what breaks the contract, and how to mend it; once or more."""

    verdict, trace = WRONG, ""

    def __init__(self, text: str, remedy: str, *others: tuple[str, str]) -> None:
        super().__init__(text)
        self.faults = ((text, remedy), *others)


class Doubtful(Wrong):
    """What is probably not meant, and what to do then."""

    verdict = NOTE


class Raised(Wrong):
    """The method's own code raised: a finding, not an error of the check."""

    def __init__(self, what: str, error: Exception, cls: type) -> None:
        """`what` was being done to the method of class `cls`, for example "fit"."""
        reason = " ".join(str(error).split())[:300]
        text = f"{what} raised {type(error).__name__}{f': {reason}' if reason else ''}"
        remedy = "mend the error; --traceback shows the whole of it"
        file, frames = inspect.getfile(cls), traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file]
        place = f" (line {lines[-1]} of {file})" if lines else ""  # innermost in the method's file
        super().__init__(text + place, remedy)
        self.trace = "".join(traceback.format_exception(error))


@contextlib.contextmanager
def calling(what: str, cls: type) -> Iterator[None]:
    """Turns what the method's code raises in the block into `Raised`."""
    try:
        yield
    except Raised:
        raise  # from a block within
    except Exception as error:
        raise Raised(what, error, cls) from error


def listing(findings: Sequence[Finding]) -> str:
    """The findings as text, one below the other, and how many there are of each verdict."""
    width = max(len(finding.check) for finding in findings)
    lines = []
    for found in findings:
        lines.append(f"  {found.verdict:<8}  {found.check:<{width}}  {found.text}")
        if found.remedy:
            lines.append(f"  {'':8}  {'':{width}}  mend: {found.remedy}")
    counts = {v: sum(f.verdict == v for f in findings) for v in (WRONG, NOTE, LEFT_OUT, OK)}
    totals = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return "\n".join([*lines, f"{len(findings)} checks: {totals}"])
