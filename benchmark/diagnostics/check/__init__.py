"""Checks one method on a toy: does it keep the contract, repeat, and learn? Says so in words."""
