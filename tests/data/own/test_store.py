"""Made splits are put below a data root whole and together, or not at all."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.common import environment
from benchmark.common.errors import DiskFull, InputError
from benchmark.data import splits, tasks
from benchmark.data.own import draw, store
from benchmark.data.own.choices import Choices
from benchmark.data.splits import manifest
from tests.helpers.own_tables import names, table, together

CLASSES = names(8)


def drawn(seed: int = 0) -> dict[str, store.Drawn]:
    """birds-lt and birds-fs."""
    choices = Choices(few_shot=True, novel=CLASSES[2:4], episodes=2, shots=(1,), seed=seed)
    rows = table(together(200, 8), CLASSES)
    source = draw.Source("birds", ".", rows, None, CLASSES, choices)
    parts = draw.parts(source)
    made = (draw.long_tailed(source, *parts), draw.few_shots(source, *parts))
    return {each.raw["name"]: each for each in made}


def content(root: Path) -> dict[str, bytes]:
    """All that lies below the root, hidden files and empty folders too."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else b"folder"
        for path in root.rglob("*")
    }


def test_what_is_put_is_read_again_and_put_once(tmp_path):
    assert store.put(tmp_path, drawn(), replace=False) == ["birds-lt", "birds-fs"]
    before = content(tmp_path)
    split = splits.read("birds-fs", "paper", tmp_path)
    assert splits.entries(split, "episodes/1-shot-02.txt")
    assert sorted(path.name for path in (tmp_path / "cimlic-splits").iterdir()) == sorted(drawn())
    assert store.put(tmp_path, drawn(), replace=False) == [] and content(tmp_path) == before
    assert store.put(tmp_path, drawn(), replace=True) == [] and content(tmp_path) == before


def test_others_make_place_only_if_told(tmp_path):
    store.put(tmp_path, drawn(), replace=False)
    before = content(tmp_path)
    with pytest.raises(InputError, match="birds-lt: is there and not .* --replace"):
        store.put(tmp_path, drawn(seed=1), replace=False)
    assert content(tmp_path) == before
    assert store.put(tmp_path, drawn(seed=1), replace=True) == ["birds-lt", "birds-fs"]
    after = content(tmp_path)
    assert after.keys() == before.keys() and after != before
    assert store.put(tmp_path, drawn(), replace=True) and content(tmp_path) == before


@pytest.mark.parametrize("file", ["manifest.json", "train.txt"])
def test_a_split_that_was_changed_is_another(tmp_path, file):
    store.put(tmp_path, drawn(), replace=False)
    before = content(tmp_path)
    path = splits.fetched("birds-lt", tmp_path) / file
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    with pytest.raises(InputError, match="--replace"):
        store.put(tmp_path, drawn(), replace=False)
    assert store.put(tmp_path, drawn(), replace=True) == ["birds-lt"]
    assert content(tmp_path) == before


def test_a_file_or_a_link_where_a_split_belongs(tmp_path):
    (tmp_path / "cimlic-splits").mkdir()
    (tmp_path / "else").mkdir()
    splits.fetched("birds-lt", tmp_path).symlink_to(tmp_path / "else")
    splits.fetched("birds-fs", tmp_path).write_text("a file")
    with pytest.raises(InputError, match="--replace"):
        store.put(tmp_path, drawn(), replace=False)
    assert store.put(tmp_path, drawn(), replace=True) == list(drawn())
    assert list((tmp_path / "else").iterdir()) == []
    assert len(content(tmp_path / "cimlic-splits")) == 2 + 3 + 1 + 5


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def denied(*_: object) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "there")


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def at(number: int, action, real, after: bool = False):
    """`real`, and the given time `action` in its place, or after it."""
    calls = []

    def call(*arguments):
        calls.append(arguments)
        now = len(calls) == number
        if after or not now:
            real(*arguments)
        if now:
            action()

    return call


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(
    "action, error, words",
    [
        (full, DiskFull, "disk full"),
        (denied, InputError, "there: cannot be written .Permission denied.; --data-root"),
        (interrupted, KeyboardInterrupt, None),
    ],
)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "target, name", [(manifest, "write"), (Path, "rename"), (Path, "write_bytes")]
)
def test_whatever_fails_all_is_as_before(
    tmp_path, monkeypatch, there, action, error, words, after, target, name
):
    if there:
        store.put(tmp_path, drawn(seed=1), replace=False)
    before = content(tmp_path)
    for number in range(1, 3 + 2 * there if name == "rename" else 3):
        with monkeypatch.context() as patch, pytest.raises(error, match=words):
            patch.setattr(target, name, at(number, action, getattr(target, name), after))
            store.put(tmp_path, drawn(), replace=True)
        assert content(tmp_path) == before
    assert store.put(tmp_path, drawn(), replace=True) == list(drawn())


KILLED = """
import os, sys
from pathlib import Path
from benchmark.data.own import store
from benchmark.data.splits import manifest
from tests.data.own.test_store import at, drawn
manifest.write = at(2, lambda *_: os._exit(9), manifest.write)
store.put(Path(sys.argv[1]), drawn(), replace=False)
"""


def test_a_killed_process_leaves_no_split(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run(command, cwd=environment.ROOT).returncode == 9
    (left,) = (tmp_path / "cimlic-splits").iterdir()
    assert left.name.startswith(".birds-lt.") and tasks.own(tmp_path) == []
    os.utime(left, (0, 0))  # long ago
    assert store.put(tmp_path, drawn(), replace=False) == list(drawn())
    assert not left.exists() and "birds-fs-1" in tasks.own(tmp_path)


def test_manifests_are_the_same_whoever_makes_them():
    """Nothing in them tells of the machine or the time."""
    first, second = (json.dumps([each.raw for each in drawn().values()]) for _ in range(2))
    assert first == second
