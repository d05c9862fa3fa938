"""Tables of a search: the trials of one label and setting, and the summary of all searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark.common.text import aligned
from benchmark.records.search import BEST, SearchResult, Trial
from benchmark.report.grid import task_title
from benchmark.report.tables.formats import csv_text, md_grid, md_text
from benchmark.report.wording import scale_words

HEAD = ("method", "setting", "trials", "first", "best", "trial", "spread", "best settings")
WORDS = (
    "mAP in percent, mean over the tasks. First: the suite's own settings; spread: by how much the "
    f"best trial beats the {BEST}th best, so how much the choice matters."
)


def files(result: SearchResult) -> dict[str, bytes]:
    """{file name: content}: the trials of one search as Markdown and CSV."""
    head = ["trial", *result.names, *map(task_title, result.tasks), "mean"]
    rows = [list(map(md_text, _texts(result, trial))) for trial in result.trials]
    for row, trial in zip(rows, result.trials, strict=True):
        row[-1] = f"**{row[-1]}**" if trial is result.best else row[-1]
    plain = ["trial", *result.names, *result.tasks, "mean"]
    grid = md_grid(list(map(md_text, head)), "r" * len(head), rows)
    name = f"{result.label}_{result.setting}"
    return {
        f"{name}.md": f"{md_text(_caption(result))}\n\n{grid}\n".encode(),
        f"{name}.csv": csv_text([plain, *(_fields(result, t) for t in result.trials)]).encode(),
    }


def _caption(result: SearchResult) -> str:
    return (
        f"{result.title}, {result.setting}, {scale_words(result.scale)}: mAP in percent of each "
        "trial, the best in bold. Trial 1 has the suite's own settings, with a dash where they "
        "differ between tasks. A trial without a result on one of the tasks counts as the worst."
    )


def summary_files(results: Sequence[SearchResult]) -> dict[str, bytes]:
    """{file name: content}: the summary of one setting's searches as Markdown and CSV."""
    rows, first = _summary(results), results[0]
    named = [[r.title, *row[1:]] for r, row in zip(results, rows, strict=True)]
    grid = md_grid(HEAD, "llrrrrrl", [list(map(md_text, row)) for row in named])
    tasks = f"{first.setting} on {', '.join(map(task_title, first.tasks))}"
    caption = f"Search for hyperparameters, {scale_words(first.scale)}: {tasks}. {WORDS}"
    return {
        f"summary_{first.setting}.md": f"{md_text(caption)}\n\n{grid}\n".encode(),
        f"summary_{first.setting}.csv": csv_text([HEAD, *rows]).encode(),
    }


def summary_text(results: Sequence[SearchResult]) -> str:
    """The summary for a terminal."""
    return "\n".join(aligned([HEAD, *_summary(results)]))


def _texts(result: SearchResult, trial: Trial) -> list[str]:
    values = [_shown(trial.values[x]) if x in trial.values else "-" for x in result.names]
    scores = [_score(trial.scores[task]) for task in result.tasks]
    return [str(trial.number), *values, *scores, _score(trial.mean)]


def _fields(result: SearchResult, trial: Trial) -> list[Any]:
    """As `_texts`, but mAPs as numbers, and nothing where there is none."""
    values = [_shown(trial.values[x]) if x in trial.values else None for x in result.names]
    return [trial.number, *values, *(trial.scores[task] for task in result.tasks), trial.mean]


def _summary(results: Sequence[SearchResult]) -> list[list[str]]:
    rows = []
    for result in results:
        best, first = result.best, result.trials[0]
        settings = (
            [f"{name}={_shown(value)}" for name, value in best.values.items()] if best else []
        )
        rows.append(
            [
                *(result.label, result.setting, str(len(result.trials))),
                *(_score(first.mean), _score(best and best.mean)),
                *(str(best.number) if best else "-", _score(result.spread)),
                ", ".join(settings) or ("-" if result.names else "nothing to choose"),
            ]
        )
    return rows


def _score(value: float | str | None) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:.2f}"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
