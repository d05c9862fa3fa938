"""`python -m benchmark splits fetch`, on made-up official files; bad flags and data roots."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from benchmark.cli.splits import main
from benchmark.common import environment
from benchmark.data import splits, tasks
from benchmark.data.official import fetch, laso
from benchmark.data.splits import lists
from tests.helpers import official_files as fakes
from tests.helpers.official_files import Site, one_line

ROOT = environment.ROOT


@pytest.fixture
def site(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("CIMLIC_DATA_ROOT", raising=False)
    return Site(tmp_path, monkeypatch.setattr, capsys)


def test_fetch_does_what_needs_no_annotations_and_says_what_is_left(site):
    code, out, err = site.run("fetch", "--from", str(site.made))
    assert (code, err) == (0, "")
    assert (
        "coco-fs: not made" in out and laso.TRAIN in out and "annotations_trainval2014.zip" in out
    )
    assert out.count("\n") == 4
    for name in ("coco-lt", "voc-lt", "voc-fs"):
        folder = splits.fetched(name, site.root)
        committed = splits.committed(name, "paper")
        assert (folder / "manifest.json").read_bytes() == committed.content
        split = splits.read(name, "paper", site.root)
        assert split.sha256 == committed.sha256 and split.restriction is None
        for file in split.files:
            splits.entries(split, file)
    one = site.root / "cimlic-splits/official/a/lists/data/voc/voc_lt_test.txt"
    assert one.read_bytes() == (site.made / "a/lists/data/voc/voc_lt_test.txt").read_bytes()
    code, _, err = site.run("fetch", "--splits", "coco-fs")
    assert code == 2 and laso.TRAIN in one_line(err)


def test_fetch_decodes_the_episodes_once_the_annotations_are_there(site):
    site.fetch()
    site.annotate()
    code, out, err = site.run("fetch")  # the official files are there: no network needed
    assert (code, err) == (0, "") and "coco-fs: 22 lists" in out
    committed = splits.committed("coco-fs", "paper").raw
    found = json.loads((splits.fetched("coco-fs", site.root) / "manifest.json").read_text())
    assert list(found) == list(committed)
    assert found["files"]["base_train.txt"]["sha256"] and sum(found["train_counts"]) > 0
    assert all(found[k] == committed[k] for k in ("classes", "groups", "sources", "annotations"))
    task = tasks.load("coco-fs-5", "paper", site.root, 3)
    assert task.class_names == ("traffic light", "cat") and len(task.train.images) == 6
    assert task.split_sha256 == tasks.info("coco-fs-5", "paper", site.root).split_sha256
    before = site.content()
    site.fetch()
    assert site.content() == before  # again: the same bytes, nothing left over
    assert site.run("verify")[0] == 0


def test_files_are_found_by_name_and_hash_in_any_layout(site, tmp_path):
    other = tmp_path / "elsewhere"
    for n, path in enumerate(sorted(p for p in site.made.rglob("*") if p.is_file())):
        (other / str(n)).mkdir(parents=True)
        (other / str(n) / path.name).write_bytes(path.read_bytes())
    (other / "0" / "voc_lt_train.txt").write_text("another file of that name")
    code, _, err = site.run("fetch", "--from", str(other))
    assert (code, err) == (0, "")


def test_a_missing_file_is_named_with_its_origin(site):
    (site.made / "a/lists/data/voc/voc_lt_train.txt").unlink()
    code, _, err = site.run("fetch", "--from", str(site.made))
    wanted = "missing repository a/lists, commit c0ffee, path data/voc/voc_lt_train.txt"
    assert code == 2 and wanted in one_line(err)
    site.fetch("coco-lt", "voc-fs")  # what does not need it can be had by name


def test_a_changed_file_is_refused(site):
    path = site.made / "a/tables" / f"{fakes.HP_DVAL}Train_base.csv"
    path.write_text(path.read_text().replace("0,1", "1,0", 1))
    code, _, err = site.run("fetch", "--from", str(site.made))
    assert code == 2 and "has another sha256" in one_line(err)
    assert not splits.is_fetched("voc-fs", site.root)


def test_fetch_over_the_network_verifies_what_comes(site, monkeypatch):
    seen = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            self.path = self.path.replace("/c0ffee/", "/")
            super().do_GET()

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(site.made))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(fetch, "HOST", f"http://127.0.0.1:{server.server_port}")
        code, _, err = site.run("fetch", "--splits", "voc-lt")
        assert (code, err) == (0, "") and "/a/lists/c0ffee/data/voc/voc_labels.txt" in seen
        del seen[:]
        assert site.run("fetch", "--splits", "voc-lt")[0] == 0 and not seen
        path = site.made / "a/lists/data/coco/coco_lt_test.txt"
        path.write_bytes(path.read_bytes()[:-2] + b"9\n")
        code, _, err = site.run("fetch", "--splits", "coco-lt")
        assert code == 2 and "path data/coco/coco_lt_test.txt" in one_line(err)
        path.unlink()
        code, _, err = site.run("fetch", "--splits", "coco-lt")
        assert code == 2 and "404" in one_line(err) and "--from FOLDER" in err
        server.shutdown()
    code, _, err = site.run("fetch", "--splits", "voc-fs")  # nobody answers any more
    assert code == 2 and "without a network, give --from" in one_line(err)
    assert not splits.is_fetched("coco-lt", site.root)


def test_bad_flags_are_one_line(site, tmp_path, monkeypatch):
    for arguments, wanted in (
        (["verify"], "--data-root: name the folder"),
        (["fetch", "--data-root", str(tmp_path / "none")], "No such file"),
        (["fetch", "--data-root", str(tmp_path), "--splits", "voc-tl"], "did you mean 'voc-lt'"),
        (["fetch", "--data-root", str(tmp_path), "--from", "/none/at/all"], "--from /none/at/all"),
        (["pin"], "--from"),
        ([], "see --help"),
        (["fetsch"], "see --help"),
    ):
        site.capsys.readouterr()
        assert main(arguments) == 2
        assert wanted in one_line(site.capsys.readouterr().err)
    monkeypatch.setenv("CIMLIC_DATA_ROOT", str(site.root))
    assert main(["fetch", "--from", str(site.made)]) == 0


def test_an_interrupted_fetch_leaves_nothing_half_written(site, monkeypatch):
    site.fetch("voc-lt")
    before = site.content()
    monkeypatch.setattr(lists, "content", lambda rows: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            site.run("fetch", "--from", str(site.made), "--splits", "voc-lt")
        assert site.content() == before


@pytest.fixture
def nobody():
    """Become another user for the test; what it needs must be imported and readable by all."""
    if not hasattr(os, "seteuid") or os.geteuid() != 0:
        pytest.skip("only root can become another user")
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def open_site(monkeypatch, capsys):
    """A site in a folder that every user may read, with all splits but coco-fs fetched."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        made = Site(Path(name), monkeypatch.setattr, capsys)
        made.fetch()
        made.run("verify"), made.run("restrict")  # imports
        made.fetch()
        yield made


def test_a_data_root_that_may_not_be_written(open_site, nobody):
    before = open_site.content()
    code, _, err = open_site.run("fetch")
    assert code == 2 and "cannot be written (Permission denied)" in one_line(err)
    assert open_site.run("restrict")[0] == 2 and open_site.content() == before
    assert open_site.run("verify")[0] == 0


def test_a_data_root_that_may_not_be_read(open_site, request):
    open_site.root.chmod(0)
    request.getfixturevalue("nobody")
    for command in ("fetch", "verify", "restrict"):
        code, _, err = open_site.run(command)
        assert code == 2 and "Permission denied" in one_line(err)


@pytest.mark.parametrize("flags", [["--help"], ["fetch", "--help"], ["verify"], ["restrict"]])
def test_the_commands_need_no_torch(flags, tmp_path):
    heavy = ("torch", "open_clip", "sklearn", "matplotlib", "pandas", "requests")
    code = (
        "import sys\nfrom benchmark.cli.splits import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *flags],
        cwd=ROOT,
        env={"PATH": "", "CIMLIC_DATA_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "HEAVY []" in done.stdout, done.stdout[-500:] + done.stderr
