"""One look for every figure: palette, markers, hatches, fonts, and bytes that repeat exactly."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

# Okabe and Ito's eight colours, which people with the common colour blindnesses tell apart; the
# order alternates dark and light so that the first few also differ when printed in grey.
COLOURS = ("#999999", "#56B4E9", "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#D55E00", "#F0E442")
# Strokes only: a hatch of dots makes an SVG file five times as large.
HATCHES = ("", "////", "----", "\\\\\\\\", "xxxx", "||||", "//", "++++", "\\\\")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LOOKS = len(COLOURS) * len(MARKERS)  # that differ
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), "-", (0, (6, 1.5, 1.2, 1.5)))

_STYLE = Path(__file__).with_name("figures.mplstyle")
_SETTINGS = matplotlib.rc_params_from_file(_STYLE, use_default_template=False)
INK = _SETTINGS["text.color"]  # bar edges too
FAINT = "#6B6B6B"  # subtitles, notes
WRONG = "#A33B00"  # a label that is not true; a sign says so as well
BAND = "#F5F6F8"  # background of every other group

_COLOURS_OF_A_DRAWING = 1 << 15  # at most, with soft edges and bands; photographs have 100,000


@dataclass(frozen=True)
class Look:
    """How one method is drawn in every figure."""

    colour: str
    hatch: str
    marker: str
    dash: object


@dataclass(frozen=True)
class Drawn:
    """A figure, the stem of its files and its caption; what stands before the colon names it."""

    name: str
    figure: Figure
    caption: str


def look(index: int) -> Look:
    """The look of the method at `index` in the suite's order; the first LOOKS differ, for there are
    eight colours and nine hatches and markers."""
    return Look(*(each[index % len(each)] for each in (COLOURS, HATCHES, MARKERS, DASHES)))


@contextmanager
def applied() -> Iterator[None]:
    """matplotlib's defaults with this look, whatever the user's own matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def canvas() -> tuple[Figure, Axes]:
    """One figure with one pair of axes; no global state is touched."""
    figure = Figure(figsize=(8.6, 4.9), layout="constrained")
    return figure, figure.add_subplot()


def panels(count: int, columns: int, size: tuple, **shared: Any) -> tuple[Figure, np.ndarray]:
    """A figure with `count` axes (count,) in rows of `columns`; the rest of the last row is empty.

    size     (width, height) in inches
    shared   which axes have a scale in common, as in `Figure.subplots`
    """
    figure = Figure(figsize=size, layout="constrained")
    every = figure.subplots(-(-count // columns), columns, squeeze=False, **shared).ravel()
    for axes in every[count:]:
        axes.set_axis_off()
    return figure, every[:count]


def headings(axes: Axes, title: str, subtitle: str) -> None:
    """A bold title and a quiet line below it, flush with the left edge of the axes."""
    at = {"xy": (0, 1), "xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(title, xytext=(0, 27), fontsize=13, fontweight="bold", va="bottom", **at)
    axes.annotate(subtitle, xytext=(0, 11), fontsize=9.5, color=FAINT, va="bottom", **at)


def heading(figure: Figure, title: str, subtitle: str) -> None:
    """As `headings`, above all panels of a figure; the empty lines of a title keep the room."""
    size = figure.get_figheight()
    figure.suptitle("\n", fontsize=14)
    figure.text(0.012, 1 - 0.06 / size, title, fontsize=13, fontweight="bold", va="top")
    figure.text(0.012, 1 - 0.31 / size, subtitle, fontsize=9.5, color=FAINT, va="top")


def bar(axes: Axes, x: float, height: float, width: float, look: Look) -> tuple[Patch, Patch]:
    """A bar with a white hatch and a dark outline, as (filling, outline)."""
    filling = axes.bar(x, height, width, color=look.colour, hatch=look.hatch, ec="white", lw=0)
    outline = axes.bar(x, height, width, color="none", ec=INK, lw=0.8)
    return filling[0], outline[0]


def dots(axes: Axes, x: Sequence[float], y: Sequence[float], zorder: int) -> None:
    """Small white dots: the single units behind a mean."""
    axes.scatter(x, y, s=9, color="white", edgecolor=INK, linewidth=0.6, zorder=zorder)


def log_axis(axes: Axes, low: float, high: float, ticks: dict[float, str]) -> None:
    """A logarithmic x axis from `low` to `high`, with those of the `ticks` {value: text} on it."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    inside = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(inside, [ticks[tick] for tick in inside])
    axes.minorticks_off()


def epoch_ticks(epochs: int) -> list[int]:
    """At most six whole epochs, the first and the last among them."""
    step = max(1, -(-epochs // 5))
    return sorted({1, *(e for e in range(step, epochs, step) if e <= epochs - step / 2), epochs})


def boundary(axes: Axes, x: float) -> None:
    """A dashed vertical line that is no data, such as the border between two groups."""
    axes.axvline(x, color="#8A8A8A", lw=0.9, ls=(0, (4, 3)), zorder=1)


def legend_below(figure: Figure, handles: Sequence[object], labels: Sequence[str]) -> None:
    """The legend in one centred block under the axes, where it can hide no data; the figure
    grows with its rows, so that the axes keep their height."""
    rows = -(-len(labels) // max(1, 112 // (max(map(len, labels)) + 7)))
    columns = -(-len(labels) // rows)  # as many in each row as in the others
    figure.set_figheight(figure.get_figheight() + 0.235 * (rows - 1))
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns,
        handlelength=2.2, handleheight=1.1, columnspacing=1.8,
    )  # fmt: skip


def rendered(figure: Figure) -> dict[str, bytes]:
    """The figure as {"png": bytes, "svg": bytes}, without dates or program versions inside.

    Laid out once, since that takes longer than the drawing. An .svg has fewer dots per inch: they
    are those of the pictures inside it, which make it large.
    """
    figure.set_dpi(160)
    renderer = FigureCanvasAgg(figure).get_renderer()
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine(None)  # what it arranged stays
    part = figure.get_tightbbox(renderer).padded(0.15)
    out = {}
    for kind, dpi, options in (
        ("png", 160, {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 1}}),
        ("svg", 84, {"metadata": {"Date": None, "Creator": None}}),
    ):
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, dpi=dpi, bbox_inches=part, **options)
        out[kind] = stream.getvalue()
    return {**out, "png": _small(out["png"])}


def _small(png: bytes) -> bytes:
    """A drawing with the 256 colours that it has most of: a third of the bytes, alike to the eye.

    One with photographs, which have many more colours, keeps them.
    """
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        drawing = image.convert("RGB")
    if drawing.getcolors(_COLOURS_OF_A_DRAWING) is not None:
        drawing = drawing.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    drawing.save(stream, "png")
    return stream.getvalue()
