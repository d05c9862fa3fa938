"""Figures, each from the grid of cells: a file a kind, all of them asked in turn by draw.py."""
