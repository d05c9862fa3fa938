"""From Python what the commands do: units computed, splits made of own data, pictures scored.

run          a selection of a suite's units, computed and reported as run_all.py does: one table
fit          a method trained as its unit of a suite trains it, to score any pictures
make_splits  split lists made of one's own pictures and labels

    from benchmark import api

    records = api.run(tasks=["voc-fs-1"], methods=["zeroshot", "coop"], episodes=2)
    records.groupby(["task", "title"])["map"].mean()
    with api.fit("voc-fs-1", "coop") as fitted:
        fitted.scores(["one.jpg", "pictures/another.png"])

They work in a notebook, in a script without a main guard, on standard input and in a thread:
what is computed is computed in processes of its own, which never import the caller's main file, and
nothing is left behind in the caller's process: no signal handler, no setting of torch's. An
interrupt raises KeyboardInterrupt, ends what computes and leaves no half record; the same call goes
on from there. (On Linux one idle process stays until Python ends, so that the next call starts at
once.)

Arguments are called as the flags of the commands, with underscores, and mean the same; a message
names the flag. Bad input is raised as InputError, whose text is one line with the remedy.
"""

from benchmark.api.fitting import Fitted, fit
from benchmark.api.own import make_splits
from benchmark.api.running import UnitsRefused, run
from benchmark.common.errors import InputError

__all__ = ["Fitted", "InputError", "UnitsRefused", "fit", "make_splits", "run"]
