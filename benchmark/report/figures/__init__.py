"""Figures, each from the grid of cells."""
