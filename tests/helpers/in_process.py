"""A unit's process that is none: units are computed here, where tests can look and patch."""

from __future__ import annotations

import multiprocessing
import time

from benchmark.runner import unit_process


class InProcess:
    """What the supervisor sees of a `UnitProcess`."""

    def __init__(self, job, device, plugins=False):
        self.job, self.device, self.plugins, self.workspace = job, device, plugins, None
        self.pipe, self.there = multiprocessing.Pipe()

    def begin(self, unit, broken):
        self.began, self.given = time.monotonic(), (unit, broken)
        self.there.send("done")

    def answer(self):
        self.pipe.recv()
        unit, broken = self.given
        if self.workspace is None:
            self.workspace = unit_process.workspace_of(self.job, self.device, self.plugins)
        return unit_process.computed(self.job, unit, self.workspace, broken)

    def end(self):
        self.pipe.close()
        self.there.close()
