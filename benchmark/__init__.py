"""The harness: a suite's units run down these rooms, and a report is made of their records.

cli/          flags in, text out, exit code: one file a command
api/          the same for Python: what is chosen, computed, reported; commands stand on it
diagnostics/  examines code, not results: a method's contract, the authors' numbers, speed
report/       records to tables, figures and the page
runner/       units to records: workers, executor, checkpoints
records/      what results/ looks like on disk, and what a record says
suites/       what a suite asks for, and the units that it stands for
method/       the plugin contract and its toolbox: training loop, batches, losses
clip/         the frozen CLIP: which weights, image features, prompts, text features
miniature/    the drawn world and its CLIP
data/         tasks, images, captions; split lists, dataset formats, the official files
published/    the papers' numbers, and whether they add up
common/       errors, strict YAML, whole files and locks, seeds, environment

A room imports from rooms below it, never from one above: data knows no miniature, a method no
runner, a report no torch. Beside them `metrics.py` is the one metric, `__main__.py` the door to
every command but run_all.py. tests/test_architecture.py has the table of arrows, and holds it.
"""

from benchmark.common import moved

moved.install()  # for one version: see there
