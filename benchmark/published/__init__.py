"""The papers' numbers, and whether they add up."""
