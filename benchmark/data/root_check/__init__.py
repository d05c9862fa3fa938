"""The check of a data root: what is there, what is missing, what is damaged."""
