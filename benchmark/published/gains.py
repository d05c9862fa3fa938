"""What a claim comes to: the gain of one row over another, or over the best of the others."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.published.model import BEST, Claim, Place, PublishedTable

Values = Mapping[str, Mapping[Place, float]]  # row -> column -> number


def of_print(table: PublishedTable) -> Values:
    """The numbers of a published table as printed."""
    return {row.name: row.printed for row in table.rows.values()}


def of_logs(table: PublishedTable) -> Values:
    """The same, with the log's number wherever there is one."""
    return {row.name: {**row.printed, **row.logged} for row in table.rows.values()}


def opponent(values: Values, claim: Claim, place: Place) -> str | None:
    """The row that the claim's is held against; None where there is none with the numbers.

    The best other row is the one best in the column itself; where two gains are compared, the
    one best in the total.
    """
    wanted = place.parts if len(place.parts) == 1 else (Place(place.task, "total"), *place.parts)
    others = {
        name: numbers[wanted[0]]
        for name, numbers in values.items()
        if name != claim.row and all(part in numbers for part in wanted)
    }
    if claim.over != BEST:
        return claim.over if claim.over in others else None
    return max(others, key=others.__getitem__) if others else None


def gain(values: Values, claim: Claim, place: Place) -> float | None:
    """The gain in mAP; for "a - b" the gain in a minus that in b; None where numbers lack."""
    over, mine = opponent(values, claim, place), values.get(claim.row, {})
    if over is None or not all(part in mine for part in place.parts):
        return None
    first, *second = (mine[part] - values[over][part] for part in place.parts)
    return first - sum(second)
