"""`run`: a selection computed and reported, as run_all.py does it, and its records as one table."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from benchmark.api import arguments, computing, reporting
from benchmark.api.arguments import maybe
from benchmark.api.computing import Means
from benchmark.api.selection import select
from benchmark.common.errors import InputError
from benchmark.common.text import one_line

if TYPE_CHECKING:
    import pandas

    from benchmark.api.arguments import Methods, Names, PathLike
    from benchmark.api.computing import Work
    from benchmark.suites.unit import Unit


class UnitsRefused(InputError):
    """Bad input that only showed while units computed; the others are recorded and reported.

    records   the table that `run` would have returned
    """

    def __init__(self, message: str, records: pandas.DataFrame | None = None) -> None:
        super().__init__(message)
        self.records = records


def run(
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
    workers: int | None = None,
    device: str = "auto",
    unit_timeout: float | None = None,
    oracle: bool = False,
    plain: bool = False,
    force: bool = False,
    report: bool = True,
    progress: bool | TextIO = True,
) -> pandas.DataFrame:
    """Compute what of a selection has no record yet, write the report, return all as a table.

    What is recorded is not computed again, and what failed is tried again, so the same call goes
    on after an interruption, and reads the table once all is done.

    suite         a suite's name or its .yaml file
    tasks         only these tasks; also tasks that are not in the suite
    methods       only these: labels of the suite, names of methods, or classes of methods. A class
                  must be one that a file defines, not a notebook's cell or the calling script
    seeds         of the long-tailed tasks, in place of the suite's
    episodes      how many of the few-shot episodes, the first ones
    data_root     the folder with real images and their splits ($CIMLIC_DATA_ROOT); without one
                  the drawn miniature
    backbone      an open_clip model: NAME:TAG, NAME:/weights, NAME:random or local-dir:FOLDER
    preprocess    such as "square-raw-448", for all methods alike
    precision     float32, bf16, half-features or bf16+half-features
    plugins       files with methods of your own, added to the suite
    results_dir   where records and the report go (the repository's results/)
    workers       processes; by default one a GPU, else one a core
    device        auto, cpu, cuda or cuda:N
    unit_timeout  seconds after which a unit is ended and has failed
    oracle        also evaluate each epoch on the test images; the last stays the headline
    plain         encode prompts the slow way of the references
    force         compute the units again although they are recorded
    report        write tables, figures and the page
    progress      False: be silent; a text stream: show it there, not on stderr

    One row is a unit, in the order of tasks, methods, seeds and episodes. Its columns:
        task, label, title, method, seed, episode   which it is: `label` in the suite, `title` in
                  tables; `episode` is missing for long-tailed tasks
        status    done; skipped, where the method refuses the task; failed
        map       the headline, percent: mean average precision over classes; missing unless done
        head, medium, tail, novel, var, map_softmax, map_redraw, cf1, of1   other metrics; missing
                  where one does not apply
        error     why it failed or was skipped, in one line
        key       the unit's identity; `file`: the path of its record
    and all other fields of the records, as results/README.md documents them; those inside a field
    are called `seconds.fit` or `provenance.utc`. `attrs["page"]` is the path of the report's page.

    InputError for bad input, before anything is computed; its kind UnitsRefused where it only
    showed while units computed, such as a picture that is cut short, once the others are done. A
    unit that fails in another way is a row. KeyboardInterrupt ends all that computes.
    """
    means = Means(
        maybe(arguments.number, workers, "--workers"),
        arguments.text(device, "--device"),
        maybe(arguments.seconds, unit_timeout, "--unit-timeout"),
    )
    chosen = select(
        suite,
        tasks=tasks,
        methods=methods,
        seeds=seeds,
        episodes=episodes,
        data_root=data_root,
        backbone=backbone,
        preprocess=preprocess,
        precision=precision,
        plugins=plugins,
        results_dir=results_dir,
    )
    work = computing.begun(chosen, oracle=oracle, plain=plain, force=force)
    if work.left:
        work = work.compute(work.job(means), _stream(progress))
    found = table(work)
    wrong = computing.bad_input(work.units.values(), work.records)
    del work  # of many units its records are gigabytes, and so are the report's
    if report:
        path = reporting.write(chosen, chosen.reported(), workers, anew=force)
        found.attrs["page"] = os.path.abspath(path.with_name("index.html"))
    if wrong:
        raise UnitsRefused("; ".join(wrong), found)
    return found


def _stream(progress: bool | TextIO) -> TextIO | None:
    """None for stderr."""
    if isinstance(progress, bool):
        return None if progress else io.StringIO()
    return progress


def table(work: Work) -> pandas.DataFrame:
    """A row for each selected unit: see `run`."""
    import pandas

    from benchmark.records.record import METRICS

    made = work.chosen.made
    first = ("task", "label", "title", "method", "seed", "episode", "status")
    first += (*METRICS, "error", "key", "file")
    files = {record["key"]: source.file for source, record in work.records.every()}
    rows = []
    for unit in made.units:
        file = files.get(unit.key)
        about = {name: getattr(unit, name) for name in ("task", "label", "method", "seed", "key")}
        about |= {"episode": unit.episode, "title": made.titles.get(unit.label, unit.label)}
        about |= {"file": file and os.path.abspath(file)}
        rows.append({**_outcome(work, unit), **about})
    found = pandas.DataFrame(rows)
    found = found[[*first, *(name for name in found if name not in first)]]
    return found.astype({"episode": "Int64", **dict.fromkeys(METRICS, float)})


def _outcome(work: Work, unit: Unit) -> Mapping[str, Any]:
    """What is recorded of the unit, its metrics and `error` in any case."""
    from benchmark.records import table
    from benchmark.records.record import METRICS

    done, failed = work.records.done.get(unit.key), work.records.failed.get(unit.key)
    found = dict.fromkeys(METRICS) | {"status": "missing", "error": None}
    if done:
        return found | table.row(done) | {"error": done.get("reason")}
    if failed:
        return found | {"status": "failed", "error": one_line(failed.get("error"))}
    return found
