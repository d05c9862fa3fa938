"""How fast the suite is, measured on the machine at hand: `python -m benchmark speed --help`."""
