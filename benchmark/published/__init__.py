"""The papers' numbers, and whether they add up."""

from benchmark.published.model import BEST, Claim, Place, Published, PublishedTable, Row, Run, Spot
from benchmark.published.reading import PATH, load

__all__ = ["BEST", "PATH", "Claim", "Place", "Published", "PublishedTable", "Row", "Run", "Spot"]
__all__ += ["load"]
