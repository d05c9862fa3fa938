"""What results/ looks like on disk, and what a record says."""

from benchmark.records.store import load
from benchmark.records.table import frame

__all__ = ["frame", "load"]
