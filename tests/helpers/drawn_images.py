"""The toy of `python -m benchmark check` under a short name, for tests of features and methods."""

from benchmark.diagnostics.check.toy import CLASSES, images, miniature_clip, run

__all__ = ["CLASSES", "images", "run", "miniature_clip"]
