"""What was understood of a labels file, in words."""

from __future__ import annotations

from benchmark.common.text import aligned, plain, shortened
from benchmark.data.own.found import some
from benchmark.data.own.table import FEW, LabelTable
from benchmark.data.splits import lists


def understood(table: LabelTable) -> str:
    """Lines for a terminal: form, images, classes, labels, rare classes, what is left out."""
    counts = lists.counts(table.rows, len(table.classes))
    sizes = [len(labels) for _, labels in table.rows]
    order = sorted(range(len(counts)), key=counts.__getitem__)
    least, most = order[0], max(order, key=counts.__getitem__)

    def named(k: int) -> str:
        return f"{shortened(table.classes[k])} ({counts[k]:,})"

    few = [k for k in order if counts[k] < FEW]
    lines = [
        ("read", f"{table.source}: {table.form}"),
        ("images", f"{len(sizes):,}, of them {sizes.count(0):,} without a label"),
        ("classes", f"{len(counts):,}"),
        ("labels", f"{sum(sizes) / len(sizes):.2f} an image, at most {max(sizes)}"),
        ("rarest class", named(least)),
        ("commonest class", named(most)),
        ("imbalance", f"{counts[most] / counts[least]:.1f} (most images of a class / fewest)"),
        (f"under {FEW} images", some([*map(named, few)]) or "no class"),
        *(("note", note) for note in table.notes),
    ]
    return plain("\n".join(aligned(lines)))
