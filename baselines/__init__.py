"""One file per baseline; every Method class in here is found by scanning."""
