"""Tables of the report, each from the grid of cells."""
