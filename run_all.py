"""The one command of the benchmark: flags in, exit code out. See `python run_all.py --help`."""

from benchmark.cli.run import main

if __name__ == "__main__":  # worker processes import this file too
    raise SystemExit(main())
