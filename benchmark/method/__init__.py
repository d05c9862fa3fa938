"""The plugin contract, `Method` and `Run`, and its toolbox: training loop, batches, losses."""

from benchmark.method.base import Method
from benchmark.method.run import Run

__all__ = ["Method", "Run"]
