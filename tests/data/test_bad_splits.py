"""Split files and data roots that cannot be: each is one line and exit code 2."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmark.cli.parser import guarded
from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.data import splits, tasks
from benchmark.data.splits import lists
from tests.helpers.bad_input import refused, run_all

ROOT = environment.ROOT
NAME = "voc-lt"


@pytest.fixture
def copied(place, monkeypatch) -> Path:
    """A writable copy of the miniature's voc-lt, in the place of the repository's splits."""
    folder = place / "splits" / "miniature" / NAME
    shutil.copytree(splits.FOLDER / "miniature" / NAME, folder)
    monkeypatch.setattr(splits, "FOLDER", place / "splits")
    return folder


def changed(manifest: Path, **fields) -> None:
    raw = json.loads(manifest.read_text()) | fields
    manifest.write_text(json.dumps({name: v for name, v in raw.items() if v is not ...}))


def read(folder: Path, capsys) -> str:
    """The line with which a run refuses the task's lists."""
    line = refused(capsys, lambda: guarded(lambda: bool(tasks.load(NAME, "miniature", folder))))
    assert NAME in line
    return line


FIELDS = [  # of the manifest; ...: left out
    *(("name", x) for x in (..., None, 3, "voc-fs", "", ["voc-lt"], "voc-lt\n")),
    *(("scale", x) for x in (..., None, "paper", 1)),
    *(("version", x) for x in (..., None, "1", 1.5, True, [1])),
    *(("setting", x) for x in (..., None, "long", 3, ["long-tailed"])),
    *(("dataset", x) for x in (..., "coca", 3, ["voc"])),
    *(("protocol", x) for x in (..., None, 3, [], "x")),
    *(("classes", x) for x in (..., None, 3, [], "abc", {}, ["a", "a"], [1, 2], ["a"], [["a"]])),
    *(("groups", x) for x in (..., None, 3, [], {}, {"head": []}, {"head": 3}, {"base": []})),
    *(("groups", {"head": [1], "medium": [], "tail": x}) for x in ([], 3, None, "x", [[]], [None])),
    *(("train_counts", x) for x in (..., None, 3, [], [1, 2], ["1"] * 20, [-1] * 20, [1.0] * 20)),
    *(("test_counts", x) for x in (..., None, {}, [True] * 20, [None] * 20)),
    *(("files", x) for x in (..., None, 3, [], {"train.txt": 3}, {"train.txt": {}})),
    *(
        ("files", {"train.txt": {"sha256": x, "images": y, "labels": 1}})
        for x, y in ((1, 1), ("", "1"))
    ),
    ("files", {"train.txt": {"sha256": "", "images": True, "labels": 1}}),
    ("files", {"train.txt": {"sha256": "", "images": 1, "labels": 1, "more": 1}}),
    *(("restriction", x) for x in (3, {}, [], {"files": {}}, {"files": 3})),
]
CONTENTS = [b"", b"{", b"3", b"[]", b"null", b'"x"', b"\xff", b"{}", b"[" * 5000, b'{"a": ' * 3000]
CONTENTS += [b'{"version": ' + b"9" * 5000 + b"}", b"\xef\xbb\xbf{}", b'{"a": NaN}', b"{}\r\n"]


@pytest.mark.parametrize("field, value", FIELDS, ids=lambda value: str(value)[:30])
def test_a_bad_manifest_field(field, value, copied, capsys):
    changed(copied / "manifest.json", **{field: value})
    line = refused(capsys, lambda: run_all(["--tasks", NAME]))
    assert "manifest.json" in line and field in line


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: str(content[:20]))
def test_a_manifest_that_is_none(content, copied, capsys):
    (copied / "manifest.json").write_bytes(content)
    assert "manifest.json" in refused(capsys, lambda: run_all(["--tasks", NAME]))


LINES = [b"", b" ", b"a.jpg 20", b"a.jpg -1", b"a.jpg x", b"a.jpg 1.0", b"a.jpg 1 1", b"\xff 1"]
LINES += [b"a.jpg " + b"9" * 5000, "a.jpg \N{SUPERSCRIPT TWO}".encode(), b"a.jpg 1,2", b"a.jpg\x0b"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: str(line[:20]))
def test_a_bad_line_of_a_list_that_the_manifest_pins(line, copied, capsys):
    path = copied / "train.txt"
    content = path.read_bytes() + line + b"\n"
    path.write_bytes(content)
    files = json.loads((copied / "manifest.json").read_text())["files"]
    files["train.txt"]["sha256"] = lists.sha256(content)
    changed(copied / "manifest.json", files=files)
    assert "train.txt" in read(copied, capsys)


@pytest.mark.parametrize(
    "what", ["gone", "a folder", "cut", "empty", "longer", "another", "a link"]
)
def test_a_list_that_is_another(what, copied, capsys):
    path, content = copied / "train.txt", (copied / "train.txt").read_bytes()
    path.unlink()
    if what == "a folder":
        path.mkdir()
    elif what == "a link":
        path.symlink_to(path)
    elif what != "gone":
        contents = {"cut": content[:-3], "empty": b"", "longer": content + b"x.jpg 1\n"}
        path.write_bytes(contents.get(what, (copied / "test.txt").read_bytes()))
    assert "restore it from git" in read(copied, capsys)


def test_line_ends_are_named_where_they_are_the_whole_difference(copied, capsys):
    path, content = copied / "train.txt", (copied / "train.txt").read_bytes()
    path.write_bytes(content.replace(b"\n", b"\r\n"))
    assert "by its line ends alone: CR LF" in read(copied, capsys)
    path.write_bytes(content.replace(b"\n", b"\r\n") + b"x.jpg 1\r\n")
    assert "line ends" not in read(copied, capsys)
    path.write_bytes(content)
    manifest = copied / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"\n", b"\r\n"))
    assert "manifest.json: has other line ends: CR LF" in read(copied, capsys)


def test_git_keeps_the_line_ends_of_what_is_hashed(tmp_path):
    """As .gitattributes says: a checkout with core.autocrlf has the same bytes."""
    attributes = ROOT / ".gitattributes"
    if shutil.which("git") is None:
        pytest.skip("no git here")
    (tmp_path / ".gitattributes").write_bytes(attributes.read_bytes())
    hashed = [
        *("splits/miniature/voc-lt/train.txt", "splits/miniature/voc-lt/manifest.json"),
        *("splits/paper/sources.tsv", "splits/paper/coco-fs/manifest.json"),
        *("benchmark/miniature/images/val2014.txt", "benchmark/miniature/concepts.yaml"),
        *("benchmark/miniature/banks.py", "benchmark/miniature/clip/open_clip_config.json"),
        *("benchmark/data/class_words.yaml", "tests/parity_vectors/meta.json"),
        "results/reference/cimlic/miniature/report/table_lt.csv",
    ]
    for name in (*hashed, "benchmark/metrics.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@y", "-c", "core.autocrlf=true")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "x")
    shutil.rmtree(tmp_path / "benchmark")
    shutil.rmtree(tmp_path / "splits")
    git("checkout", "--", ".")
    assert b"\r\n" in (tmp_path / "benchmark/metrics.py").read_bytes()
    for name in hashed:
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes(), name


ROOTS = [
    "gone",
    "a file",
    "a link",
    "empty",
    "no manifest",
    "cut",
    "a folder",
    "changed",
    "miniature's",
]
ROOTS += ["nulls", "a restriction", "line ends"]


@pytest.mark.parametrize("what", ROOTS)
def test_a_bad_data_root(what, place, capsys):
    """With what `splits fetch` would have put below it."""
    root = place / "data"
    manifest = splits.fetched(NAME, root) / "manifest.json"
    official = splits.committed(NAME, "paper").content
    if what == "a file":
        root.write_text("")
    elif what == "a link":
        os.symlink(root, root)
    elif what == "empty":
        root.mkdir()
    elif what == "a folder":
        manifest.mkdir(parents=True)
    elif what != "gone":
        manifest.parent.mkdir(parents=True)
        own = (splits.FOLDER / "miniature" / NAME / "manifest.json").read_bytes()
        contents = {
            "cut": official[:-9],
            "changed": official.replace(b"1", b"2"),
            "miniature's": own,
            "nulls": b'{"name": null}',
            "a restriction": official[:-2] + b',"restriction": {"files": {"train.txt": 3}}}',
            "line ends": official.replace(b"\n", b"\r\n"),
        }
        if what in contents:
            manifest.write_bytes(contents[what])
    line = refused(capsys, lambda: run_all(["--data-root", str(root), "--tasks", NAME]))
    assert str(root) in line


def test_the_copy_itself_is_right(copied, capsys):
    assert run_all(["--tasks", NAME]) == 0
    assert len(tasks.load(NAME, "miniature", copied).train.images) == 1142
    with pytest.raises(InputError, match="unknown file"):
        splits.entries(splits.read(NAME, "miniature"), "other.txt")
