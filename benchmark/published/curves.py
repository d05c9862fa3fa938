"""Logged runs along their epochs, along one setting, and beside the variants of one method."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.published.model import EXACT, Flag, Place, Published, Run


def best(data: Published) -> Iterator[Flag | None]:
    """A run's total is its best epoch's, and where the curve ends is its last."""
    for run in (run for run in data.runs if run.last is not None or run.curve):
        words = "; ".join(_off(run))
        at = data.spots(run.rows, [Place(run.task, "total")])
        yield Flag("best", f"log {run.log}: {words}", at) if words else None


def _off(run: Run) -> Iterator[str]:
    total, curve = run.values["total"], run.curve
    if run.last is not None and run.last > total + EXACT:
        yield f"total {total:.2f} is below the last epoch's {run.last:.2f}"
    for epoch, value in curve.items():
        if epoch != run.epoch and value > total + EXACT:
            yield f"total {total:.2f} is below the {value:.2f} of epoch {epoch}"
    here = curve.get(run.epoch)
    if here is not None and abs(here - total) > EXACT:
        yield f"total {total:.2f}, but the curve has {here:.2f} in epoch {run.epoch}"
    end = curve[max(curve)] if curve else None
    if None not in (end, run.last) and abs(end - run.last) > EXACT:
        yield f"the curve ends at {end:.2f}, the last epoch has {run.last:.2f}"


def sweep(data: Published) -> Iterator[Flag | None]:
    """Where a row stands at a point of a sweep, both have one total."""
    for each in data.sweeps:
        place = Place(each.task, "total")
        for point, name in each.rows.items():
            found, total = each.totals[point], data.row(name).number(place)
            if total is None:
                continue
            text = f"{data.titles([name])}, {each.task}: total {total:.2f}, but {found:.2f} in the "
            text += f"sweep of {each.setting} at {point:g}"
            off = abs(found - total) > EXACT
            yield Flag("sweep", text, data.spots([name], [place])) if off else None


def chosen(data: Published) -> Iterator[Flag | None]:
    """One flag a task for the row that is published, with all its variants of a higher total."""
    for table in (table for table in data.tables.values() if table.chosen):
        own = table.rows[table.chosen]
        for place in (Place(task, "total") for task in table.tasks):
            mine = own.number(place)
            numbers = {name: row.number(place) for name, row in table.rows.items()}
            if mine is None:
                continue
            above = [f"{x} ({n:.2f})" for x, n in numbers.items() if n is not None and n > mine]
            name = f"{table.name}/{own.name}"
            text = f"{data.titles([name])}, {place.task}: total {mine:.2f} is published, above it "
            text += ", ".join(above)
            yield Flag("chosen", text, data.spots([name], [place])) if above else None
