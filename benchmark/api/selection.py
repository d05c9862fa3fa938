"""A selection of a suite's units: what was asked for, the checked plan, where its records are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.api import arguments
from benchmark.api.arguments import maybe
from benchmark.common import environment, processes
from benchmark.common.errors import InputError

if TYPE_CHECKING:
    from benchmark.api.arguments import Methods, Names, PathLike
    from benchmark.records.store import ResultsFolder
    from benchmark.suites.plan import Choice, Plan
    from benchmark.suites.unit import Unit

HOME = environment.ROOT  # results/ lies in it, and the repository's own in results/reference


@dataclass(frozen=True)
class Selection:
    """Units of a suite, checked.

    results   the folder as it was given; `folder` is the suite's in it
    """

    choice: Choice
    made: Plan
    results: Path

    @property
    def folder(self) -> ResultsFolder:
        return self._folder(self.results)

    @property
    def reference(self) -> ResultsFolder:
        """The repository's own records of the suite at this scale; the folder may be absent."""
        return self._folder(HOME / "results" / "reference")

    def _folder(self, results: Path) -> ResultsFolder:
        from benchmark.records import store

        return store.paths(results, self.made.suite.name, self.made.scale)

    def reported(self) -> list[Unit]:
        """The units of a report: those selected, and whatever else of the suite has a record."""
        from benchmark.records import store

        records = store.RecordStore(self.folder)
        records.scan()
        return self.made.reported(records.done)


def select(
    suite: PathLike = "cimlic",
    *,
    tasks: Names = None,
    methods: Methods = None,
    seeds: int | Sequence[int] | None = None,
    episodes: int | None = None,
    data_root: PathLike | None = None,
    backbone: str | None = None,
    preprocess: str | None = None,
    precision: str | None = None,
    plugins: PathLike | Iterable[PathLike] = (),
    results_dir: PathLike | None = None,
    download: bool = True,
) -> Selection:
    """The selection that these choose, as the flags of run_all.py do; InputError for what is wrong.

    download   False: a look at the plan, for which no weights are fetched
    """
    if processes.is_ours():
        remedy = "in a file that is also a plugin, call it below `if __name__ == '__main__':`"
        raise InputError(f"called in a process that computes or imports methods; {remedy}")
    from benchmark.common import files
    from benchmark.suites import plan

    named_suite = os.fspath(suite) if isinstance(suite, os.PathLike) else suite
    root = maybe(arguments.path, data_root, "--data-root")
    root = environment.data_root(root and str(root))
    files.check_readable(root)
    named, sources = arguments.methods(methods, arguments.paths(plugins, "--plugin"))
    choice = plan.Choice(
        suite=arguments.text(named_suite, "--suite"),
        tasks=arguments.names(tasks, "--tasks"),
        methods=named,
        seeds=arguments.numbers(seeds, "--seeds"),
        episodes=maybe(arguments.number, episodes, "--episodes"),
        data_root=root,
        backbone=maybe(arguments.text, backbone, "--backbone"),
        plugins=sources,
        preprocess=maybe(arguments.text, preprocess, "--preprocess"),
        precision=maybe(arguments.text, precision, "--precision"),
        download=download,
    )
    results = maybe(arguments.path, results_dir, "--results-dir") or HOME / "results"
    return Selection(choice, plan.make(choice), results)
