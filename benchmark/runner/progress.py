"""Progress of a whole suite: one line that is redrawn on a terminal, a line a unit elsewhere."""

from __future__ import annotations

import contextlib
import statistics
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, TextIO

from benchmark.records.store import RecordStore
from benchmark.suites.unit import Unit

_PAUSE = 0.5  # seconds between two looks at the records
_SHARE = 20  # and so many times as long as a look takes: on a shared disk that may be seconds


class Progress:
    """Watches the records of `units` from a thread of its own, whoever writes them.

    The records are all it looks at, so it counts the work of other processes and machines too,
    and a worker that is killed cannot block it.
    """

    def __init__(
        self,
        units: Collection[Unit],
        records: RecordStore,
        workers: int = 1,
        stream: TextIO | None = None,
        beside: Callable[[], str] = str,
    ):
        """`beside` says what else the line is to tell, such as how many jobs are queued."""
        self.units = {unit.key: unit for unit in units}
        self.records, self.workers = records, workers
        self.stream = stream or sys.stderr
        self.beside = beside
        self.terminal = self.stream.isatty()
        self.began = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        with contextlib.suppress(RuntimeError):  # no room for a thread: it shows nothing until then
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.update()
        if self.terminal:
            print(file=self.stream)

    def _watch(self) -> None:
        took = 0.0
        while not self._stop.wait(max(_PAUSE, _SHARE * took)):
            began = time.monotonic()
            self.update()
            took = time.monotonic() - began

    def update(self) -> None:
        """Read what was recorded since the last call and show it."""
        seen, total = sum(self.counts()), len(self.units)
        start = "\r\x1b[2K" if self.terminal else ""
        for record in self.records.scan():
            if record["key"] in self.units:
                seen = min(seen + 1, total)
                if record["status"] == "failed" or not self.terminal:
                    line = f"{self.units[record['key']].text}: {outcome(record)}"
                    self.stream.write(f"{start}[{seen}/{total}] {line}\n")
        if self.terminal:
            self.stream.write(f"{start}{self.line()}")
        self.stream.flush()

    def counts(self) -> tuple[int, int]:
        """How many units have a record, and how many failed in this run and have none."""
        done = self.units.keys() & self.records.done.keys()
        return len(done), len(self.units.keys() & self.records.failed.keys() - done)

    def line(self) -> str:
        """`37/96 units done, 1 failed | 3:12 elapsed, about 5:40 left`."""
        done, failed = self.counts()
        broken = f", {failed} failed" if failed else ""
        left = self.seconds_left()
        rest = "" if left is None else f", about {clock(left)} left"
        elapsed = clock(time.monotonic() - self.began)
        beside = "".join(f" | {text}" for text in [self.beside()] if text)
        return f"{done}/{len(self.units)} units done{broken}{beside} | {elapsed} elapsed{rest}"

    def seconds_left(self) -> float | None:
        """From the seconds of finished units, most similar first; None before there is any."""
        took: dict[object, list[float]] = {}
        for record in self.records.done.values():
            for like in ((record["task"], record["label"]), record["label"], None):
                took.setdefault(like, []).append(own_seconds(record))
        if None not in took:
            return None
        left = [unit for unit in self.units.values() if not self.records.settled(unit)]
        total = 0.0
        for unit in left:
            like = next(k for k in ((unit.task, unit.label), unit.label, None) if k in took)
            total += statistics.fmean(took[like])
        return total / max(1, min(self.workers, len(left)))


def own_seconds(record: Mapping[str, Any]) -> float:
    """Fit, predict and, with --oracle, its evaluations; not what units share: it counts once."""
    seconds = record.get("seconds") or {}
    return sum(seconds.get(name) or 0.0 for name in ("fit", "predict", "oracle"))


def outcome(record: Mapping[str, Any]) -> str:
    """`mAP 27.31, 9.2 s`, `skipped: no base classes` or `FAILED: ValueError: ...`."""
    if record["status"] == "failed":
        return f"FAILED: {record.get('error')}"
    if record["status"] == "skipped":
        return f"skipped: {record.get('reason')}"
    score = (record.get("metrics") or {}).get("map")
    return f"mAP {'-' if score is None else f'{score:.2f}'}, {own_seconds(record):.1f} s"


def clock(seconds: float) -> str:
    """`5:40`, or `1:05:40` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
