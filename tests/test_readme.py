"""What the README shows must be true: its commands, its plugin, its files."""

import re

import numpy as np
import torch

from benchmark.cli.run import parser
from benchmark.common import environment
from benchmark.method.discovery import discover
from tests.helpers import drawn_images

ROOT = environment.ROOT
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
    method, run = discover([path])["prototype"](), drawn_images.run(tmp_path)
    data, other = drawn_images.images(tmp_path, 20), drawn_images.images(tmp_path, 9, seed=1)
    method.fit(data, run)
    scores = method.predict(other.images, run)
    assert scores.shape == (9, 5) and torch.isfinite(scores).all()
    right = other.labels[np.arange(9), scores.argmax(1).numpy()]
    assert right.mean() > 0.7


def test_its_flags_files_and_pictures_exist():
    known = parser().format_help()
    for flag in set(re.findall(r"run_all\.py[^\n`]*", README)):
        for name in re.findall(r"--[a-z-]+", flag):
            assert name in known, name
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_its_floor_plan_is_the_packages_own():
    """Thirteen rooms, each of them there, in the words of benchmark/__init__.py."""
    import benchmark

    rooms = re.findall(r"^(\w+/ .*)$", benchmark.__doc__, re.M)
    assert re.findall(r"^    (\w+/ .*)$", README, re.M) == rooms and len(rooms) == 13
    folders = {path.name for path in (ROOT / "benchmark").iterdir() if path.is_dir()}
    assert {room.partition("/")[0] for room in rooms} == folders - {"__pycache__"}
