"""Commands and modules of the last version say in one line where they are now."""

import importlib.util
import pickle
import subprocess
import sys

import pytest

from benchmark.__main__ import COMMANDS
from benchmark.common import environment, moved
from benchmark.common.errors import InputError
from benchmark.method.discovery import discover
from benchmark.suites.unit import Unit

NOW = {"datasets": "data-root", "published": "published"} | {
    name: name for name in ("check", "parity", "speed", "splits")
}


@pytest.mark.parametrize("old", NOW)
def test_an_old_command_says_in_one_line_what_to_type_now(old):
    command = [sys.executable, "-m", f"benchmark.{old}", "fetch", "--force"]
    done = subprocess.run(command, cwd=environment.ROOT, capture_output=True, text=True)
    told = f"error: python -m benchmark.{old} is now: python -m benchmark {NOW[old]}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)


@pytest.mark.parametrize(
    "line, now",
    [
        (
            "from benchmark.prompts import template_features",
            "prompts is now benchmark.clip.prompts",
        ),
        ("from benchmark import losses", "losses is now benchmark.method.losses"),
        ("import benchmark.losses.focal", "losses is now benchmark.method.losses"),
        ("from benchmark.training import train", "training is now benchmark.method.training"),
        ("from benchmark.transfer import rows", "transfer is now benchmark.common.device"),
        ("from benchmark.captions import of", "captions is now benchmark.data.captions"),
        ("from benchmark.tasks import ImageList", "for image lists benchmark.data.images"),
        ("from benchmark.draws import Features", "draws is now benchmark.method.batches"),
    ],
)
def test_a_plugin_of_the_last_version_is_told_the_modules_new_name(tmp_path, line, now):
    plugin = tmp_path / "mine.py"
    plugin.write_text(f"{line}\n")
    with pytest.raises(InputError, match="does not import") as caught:
        discover([plugin])
    assert str(plugin) in str(caught.value) and f"{now})" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_every_new_name_is_there_and_no_old_one_is():
    for old, told in moved.MODULES.items():
        for name in told.replace(", for image lists benchmark.", " ").split():
            assert importlib.util.find_spec(f"benchmark.{name}").origin != "moved", name
        assert importlib.util.find_spec(f"benchmark.{old}").origin == "moved", old
    assert set(moved.COMMANDS.values()) == set(NOW.values()) < set(COMMANDS)


def test_other_names_are_as_unknown_as_ever_and_pickles_are_read():
    assert importlib.util.find_spec("benchmark.nothing") is None
    with pytest.raises(ModuleNotFoundError, match="No module named 'benchmark.nothing'"):
        importlib.import_module("benchmark.nothing")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from benchmark import nothing  # noqa: F401
    unit = Unit("voc-lt", "a", "a", 1, (), "miniature", 0, None, "s", "t", "f")
    assert pickle.loads(pickle.dumps(unit)) == unit
    moved.install()
    assert sys.meta_path.count(moved.MovedFinder) == 1


def test_it_brings_nothing_that_python_has_not_loaded_already():
    code = "import sys; old = set(sys.modules); import benchmark; print(*set(sys.modules) - old)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=environment.ROOT, capture_output=True, text=True
    )
    known = {"__future__", "types", "importlib", "importlib._bootstrap", "importlib.machinery"}
    found = {name for name in done.stdout.split() if not name.startswith("benchmark")}
    assert found <= known | {"importlib._bootstrap_external"}, done.stderr
