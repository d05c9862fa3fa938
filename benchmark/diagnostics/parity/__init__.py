"""Holds the methods to numbers that their authors' own code has computed."""
