"""The report as one self-contained page, and as Markdown."""
