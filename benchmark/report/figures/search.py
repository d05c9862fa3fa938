"""The figures of a search: the best mAP found so far against the number of trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmark.records.search import SearchResult
from benchmark.report.figures import style
from benchmark.report.grid import task_title
from benchmark.report.wording import scale_words


def figures(results: Sequence[SearchResult]) -> Iterator[style.Drawn]:
    """A figure for each setting in which a search has a result, with a line for each label."""
    labels = list(dict.fromkeys(result.label for result in results))
    for setting in dict.fromkeys(result.setting for result in results):
        drawn = [result for result in results if result.setting == setting and result.best]
        if drawn:
            yield style.Drawn(
                f"search_{setting}",
                _figure(setting, drawn, labels),
                f"Search, {setting}, {scale_words(drawn[0].scale)}: mAP on "
                f"{_tasks(drawn[0])} of the best trial so far.",
            )


def _figure(setting: str, drawn: Sequence[SearchResult], labels: Sequence[str]) -> Figure:
    figure, axes = style.canvas()
    most = max(len(result.trials) for result in drawn)
    handles = []
    for result in drawn:
        look = style.look(labels.index(result.label))
        best = np.array(result.best_so_far(), float)
        best = np.append(best, [best[-1]] * (most - len(best)))  # nothing to choose: a level line
        axes.step(
            np.arange(1, most + 1), best, where="post",
            color=look.colour, ls=look.dash, lw=2.0, zorder=3,
        )  # fmt: skip
        handles += axes.plot(
            result.best.number, result.best.mean, color=look.colour, ls=look.dash, lw=2.0,
            marker=look.marker, ms=7, mec=style.INK, mew=0.8, zorder=4,
        )  # fmt: skip
    axes.set_xlabel("trials")
    axes.set_ylabel("mAP (%) of the best so far")
    axes.xaxis.get_major_locator().set_params(integer=True)
    words = f"mean of {len(drawn[0].tasks)} tasks; {scale_words(drawn[0].scale)}; marks: best trial"
    style.headings(axes, f"Search for hyperparameters, {setting}", words)
    style.legend_below(figure, handles, [result.title for result in drawn])
    return figure


def _tasks(result: SearchResult) -> str:
    return ", ".join(map(task_title, result.tasks))
