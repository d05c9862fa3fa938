"""What results/ looks like on disk, and what a record says."""

from benchmark.records.store import frame, load

__all__ = ["frame", "load"]
