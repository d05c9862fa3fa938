"""Examines code, not results: a method's contract, the authors' numbers, speed."""
