"""The audit: what can be recomputed of the published numbers, and which do not add up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmark.published import crosschecks, curves, gains
from benchmark.published.model import EXACT, GROUPS, ROUNDING, Check, Flag, Place, Published, Spot


def audit(data: Published) -> list[Check]:
    """All checks, in the order in which they are printed."""
    rules: Sequence[tuple[str, str, Callable[[Published], Iterator[Flag | None]]]] = (
        ("groups", "total is the mean of head, medium and tail, weighted by classes", _groups),
        ("variance", "var is no less than between the group means, and not just that", _variance),
        ("log sums", "a log's APs, groups and total fit, and the printed variance", _log_sums),
        ("same", "rows of one experiment agree", crosschecks.same),
        ("repeated", "different experiments have different numbers", crosschecks.repeated),
        ("log", "what is printed is what the log says", crosschecks.log),
        ("run", "a logged run is printed as one experiment", crosschecks.run),
        ("best", "a run's numbers are those of its best epoch", curves.best),
        ("sweep", "a sweep passes through the runs at its points", curves.sweep),
        ("chosen", "no logged variant is above the one that is published", curves.chosen),
        ("gain", "gains over the best baseline are as the abstract states", _stated),
        ("rival", "gains that other papers state are those of their numbers", _rivals),
        ("claim", "claims hold in print, and with the logs' numbers", _claims),
    )
    out = []
    for name, rule, check in rules:
        found = list(check(data))
        out.append(Check(name, rule, len(found), tuple(f for f in found if f)))
    return out


def footnotes(checks: Sequence[Check]) -> dict[Spot, tuple[str, ...]]:
    """{published number: what is said against it}; a shared run says why numbers repeat."""
    found: dict[Spot, dict[str, list[str]]] = {}
    for flag in (flag for check in checks for flag in check.flags):
        for spot in flag.spots:
            found.setdefault(spot, {}).setdefault(flag.check, []).append(flag.text)
    for texts in found.values():
        if "run" in texts:
            texts.pop("repeated", None)
    return {spot: tuple(t for kind in x.values() for t in kind) for spot, x in found.items()}


# -- what one row says ----------------------------------------------------------------------------


def weighted(values: Sequence[float], counts: Sequence[int]) -> float:
    """Mean of group mAPs, each group weighted by its number of classes."""
    return sum(v * n for v, n in zip(values, counts, strict=True)) / sum(counts)


def between(values: Sequence[float], counts: Sequence[int]) -> float:
    """Variance of the group means, weighted by classes: a lower bound of the classes' variance."""
    mean = weighted(values, counts)
    return weighted([(v - mean) ** 2 for v in values], counts)


def _triples(data: Published) -> Iterator[tuple[str, str, list[float], list[int]]]:
    """("table/row", task, [total, head, medium, tail], numbers of classes) as printed."""
    for name, table, row in data.rows():
        for task in table.tasks:
            values = [row.printed.get(Place(task, column)) for column in ("total", *GROUPS)]
            if task in data.groups and None not in values:
                yield name, task, values, [data.groups[task][g] for g in GROUPS]


def _groups(data: Published) -> Iterator[Flag | None]:
    """One flag for rows that are one experiment and have the same numbers."""
    found: dict[tuple, list[str]] = {}
    for name, task, (total, *groups), counts in _triples(data):
        mean = weighted(groups, counts)
        members = found.setdefault((data.experiment(name), task, total, mean), [])
        members.append(name)
    for (_, task, total, mean), names in found.items():
        text = f"{data.titles(names)}, {task}: total {total:.2f}, the groups give {mean:.2f} "
        text += f"({total - mean:+.2f})"
        at = data.spots(names, (Place(task, column) for column in ("total", *GROUPS)))
        yield Flag("groups", text, at) if abs(total - mean) > ROUNDING else None


def _variance(data: Published) -> Iterator[Flag | None]:
    for name, task, (_, *groups), counts in _triples(data):
        place, text = Place(task, "var"), ""
        var = data.row(name).printed.get(place)
        if var is None:
            continue
        least, where = between(groups, counts), f"{data.titles([name])}, {task}: var {var:.2f}"
        if abs(var - least) < EXACT:
            text = f"{where} is the variance of the three group means, not of the classes' APs"
        elif var < least:
            text = f"{where} is below the {least:.2f} between the group means alone"
        yield Flag("variance", text, data.spots([name], [place])) if text else None


def _log_sums(data: Published) -> Iterator[Flag | None]:
    """A log's groups against its total; its APs against both and against the printed variance."""
    whole = (run for run in data.runs if {"total", *GROUPS} <= run.values.keys())
    for run in (run for run in whole if run.task in data.groups):
        counts = [data.groups[run.task][group] for group in GROUPS]
        mean, total = weighted([run.values[g] for g in GROUPS], counts), run.values["total"]
        text = f"log {run.log}: total {total:.2f}, the groups give {mean:.2f}"
        yield Flag("log sums", text, ()) if abs(total - mean) > ROUNDING else None
    for run in (run for run in data.runs if run.classes):
        aps = [ap for group in run.classes.values() for ap in group.values()]
        means = {g: sum(x.values()) / len(x) for g, x in run.classes.items()}
        means["total"] = sum(aps) / len(aps)
        for column, value in run.values.items():
            text = f"log {run.log}: {column} {value:.2f}, its classes give {means[column]:.2f}"
            yield Flag("log sums", text, ()) if abs(value - means[column]) > 2 * EXACT else None
        var = sum((ap - means["total"]) ** 2 for ap in aps) / len(aps)
        for name in run.rows:
            printed = data.row(name).printed.get(Place(run.task, "var"))
            if printed is None:
                continue
            text = f"{data.titles([name])}, {run.task}: var {printed:.2f}, but the log's APs of "
            text += f"the classes have {var:.2f}"
            at = data.spots([name], [Place(run.task, "var")])
            yield Flag("log sums", text, at) if abs(printed - var) > ROUNDING else None


# -- what the text says ---------------------------------------------------------------------------


def _stated(data: Published) -> Iterator[Flag | None]:
    for claim, place, stated in ((c, p, v) for c in data.claims for p, v in c.stated.items()):
        table = data.tables[claim.table]
        values = gains.of_print(table)
        found, over = gains.gain(values, claim, place), gains.opponent(values, claim, place)
        if found is None:
            continue
        text = f"{table.paper}, {place}: the abstract says {stated:+.1f}, the best baseline, "
        text += f"{over}, leaves {found:+.2f}"
        at = (Spot(claim.table, claim.row, place),)
        yield Flag("gain", text, at) if abs(stated - found) > 0.0501 else None


def _rivals(data: Published) -> Iterator[Flag | None]:
    """Gains in two decimals over one row; those of a method without a number are not tested."""
    for each in (each for each in data.gains if each.row):
        for place, stated in each.gains.items():
            mine, other = (data.row(name).number(place) for name in (each.row, each.over))
            if mine is None or other is None:
                continue
            text = f"{each.method}, {place}: {stated:+.2f} is stated over "
            text += f"{data.titles([each.over])}, but {mine:.2f} is {mine - other:+.2f} above it"
            at = data.spots([each.row], [place])
            yield Flag("rival", text, at) if abs(mine - other - stated) > ROUNDING else None


def _claims(data: Published) -> Iterator[Flag | None]:
    """Comparisons of two gains are questions of ours, not claims of the paper."""
    for claim, place in ((c, p) for c in data.claims for p in c.places if len(p.parts) == 1):
        table = data.tables[claim.table]
        numbers = {"in print": gains.of_print(table)}
        if any(place in row.logged for row in table.rows.values()):
            numbers["by the log"] = gains.of_logs(table)
        for words, values in numbers.items():
            found, over = gains.gain(values, claim, place), gains.opponent(values, claim, place)
            text = f"{table.paper}, {place}: {claim.text} does not hold {words} "
            text += f"({found or 0:+.2f} over {over})"
            at = data.spots([f"{claim.table}/{claim.row}"], [place])
            yield None if found is None or found > 0 else Flag("claim", text, at)
