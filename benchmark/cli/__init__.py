"""Flags in, text out, exit code: one file a command."""
