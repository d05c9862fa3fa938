"""What the README shows must be true: its commands, its plugin, its files."""

import re
from pathlib import Path

import numpy as np
import small
import torch

from benchmark import command
from benchmark.discovery import discover

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_the_two_commands_open_it_and_ci_runs_the_second():
    commands = re.findall(r"```bash\n(.*?)\n```", README, re.S)[:2]
    assert commands == [
        "pip install -e . && python run_all.py --suite cimlic",
        'pip install -e ".[dev]" && pytest',
    ]
    assert "README.md" in (ROOT / ".ci" / "run").read_text()


def test_its_plugin_has_at_most_25_lines_and_learns(tmp_path):
    code = next(b for b in re.findall(r"```python\n(.*?)```", README, re.S) if "(Method)" in b)
    assert len(code.splitlines()) <= 25
    path = tmp_path / "prototype.py"
    path.write_text(code)
    method, run = discover([path])["prototype"](), small.run(tmp_path)
    data, other = small.images(tmp_path, 20), small.images(tmp_path, 9, seed=1)
    method.fit(data, run)
    scores = method.predict(other.images, run)
    assert scores.shape == (9, 5) and torch.isfinite(scores).all()
    right = other.labels[np.arange(9), scores.argmax(1).numpy()]
    assert right.mean() > 0.7


def test_its_flags_files_and_pictures_exist():
    known = command.parser().format_help()
    for flag in set(re.findall(r"run_all\.py[^\n`]*", README)):
        for name in re.findall(r"--[a-z-]+", flag):
            assert name in known, name
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    for name in re.findall(r"^    ([\w./]+)  ", README, re.M):
        assert (ROOT / name.rstrip("/")).exists(), name
