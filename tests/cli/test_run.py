"""The command line: flags, exit codes, one-line errors, what is printed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli.run import main, parser
from benchmark.common import environment, files
from benchmark.common.errors import InputError
from benchmark.common.files import claimed
from benchmark.data import tasks
from benchmark.method import registry
from benchmark.records import store
from benchmark.runner import workers
from benchmark.runner.progress import Progress, clock
from benchmark.suites import load, plan
from tests.helpers import tiny_suite

ROOT = environment.ROOT
FLAGS = (
    *("--suite", "--tasks", "--methods", "--seeds", "--episodes", "--workers", "--device"),
    *("--results-dir", "--data-root", "--backbone", "--preprocess", "--plugin", "--oracle"),
    *("--precision", "--plain", "--recompute", "--to", "--unit-timeout"),
    *("--launcher", "--jobs", "--slurm", "--detach"),
    *("--status", "--dry-run", "--list", "--report", "--force", "--compare", "--new-method"),
)


def test_flags_and_their_help():
    actions = {a.option_strings[-1]: a for a in parser()._actions}
    assert set(actions) == {*FLAGS, "--help"}
    assert all(action.help for action in actions.values())


def test_a_run_prints_the_table_and_writes_the_report(world):
    code, out, err = world.run("--methods", "prior,steady", "--seeds", "0,1", "--episodes", "1")
    assert code == 0
    assert "suite tiny, scale miniature: 5 units, 5 to run" in out
    assert re.search(r"\[5/5\] voc-fs-1 steady episode 1: mAP \d+\.\d\d, \d\.\d s", err)
    assert re.search(r"prior +\d+\.\d\d ± \d+\.\d\d", out)
    report = world.records.parent / "report" / "report.md"
    assert out.rstrip().endswith(f"report: {report}") and report.is_file()
    for name in ("table_lt", "table_fs"):
        assert all((report.parent / f"{name}.{end}").is_file() for end in ("md", "csv", "tex"))


def test_the_report_keeps_what_an_earlier_command_recorded(world):
    assert world.run("--methods", "prior", "--tasks", "voc-lt")[0] == 0
    code, out, _ = world.run("--methods", "steady", "--tasks", "voc-fs-1")
    assert code == 0 and "prior" in out and "steady" in out
    assert "prior" in (world.records.parent / "report" / "table_lt.md").read_text()


def test_the_plain_road_is_the_jobs(world, monkeypatch):
    """It is not part of what a unit is: what the fast road recorded is not computed again."""
    jobs, run = [], workers.run
    monkeypatch.setattr(workers, "run", lambda job, *to: jobs.append(job) or run(job, *to))
    for flags in ((), ("--plain",), ("--plain", "--force")):
        code, out, _ = world.run("--methods", "steady", "--tasks", "voc-lt", *flags)
        assert code == 0
    assert [job.plain for job in jobs] == [False, True]


def test_report_only(world):
    assert world.run("--methods", "prior")[0] == 0
    report = world.records.parent / "report" / "report.md"
    report.unlink()
    code, out, _ = world.run("--methods", "prior", "--report")
    assert code == 0 and report.is_file() and "VOC-LT" in out
    assert world.computed() == ["fit"] * 4


def test_a_report_that_would_be_the_same_stays_unless_forced(world):
    assert world.run("--methods", "prior")[0] == 0
    page = world.records.parent / "report" / "index.html"
    before = page.stat().st_ino  # a new file takes its place
    code, out, _ = world.run("--methods", "prior")
    assert code == 0 and page.stat().st_ino == before
    assert (page.with_name("summary.txt")).read_text() in out
    old = page.with_name("index.html.old")
    old.hardlink_to(page)  # so that its number is not given again
    assert world.run("--methods", "prior", "--force")[0] == 0 and page.stat().st_ino != before


def test_titles_reach_the_tables_and_labels_the_csv(world):
    suite = world.folder / "titled.yaml"
    suite.write_text(tiny_suite.SUITE.replace("  prior:", "  prior: {title: A prior}"))
    assert world.run("--suite", suite, "--methods", "prior", "--tasks", "voc-lt")[0] == 0
    folder = world.results / "tiny" / "miniature" / "report"
    assert "| A prior | " in (folder / "table_lt.md").read_text()
    assert "voc-lt,prior,A prior," in (folder / "table_lt.csv").read_text()


def test_a_reference_is_compared_with(world, monkeypatch):
    monkeypatch.setattr("benchmark.api.selection.HOME", world.folder)
    reference = world.results / "reference"  # below HOME
    assert world.run("--methods", "prior", "--results-dir", reference)[0] == 0
    code, out, _ = world.run("--methods", "prior")
    assert code == 0 and "identical" in out
    assert "identical" in world.run("--methods", "prior", "--report")[1]


def test_status(world, monkeypatch):
    monkeypatch.setenv("TINY_HOW", "raises")
    methods = ("--methods", "prior", "breaks", "refuses")
    world.run("--methods", "prior", "breaks", "refuses", "--seeds", "0", "--episodes", "1")
    made = plan.make(
        plan.Choice(str(world.folder / "tiny.yaml"), plugins=(world.folder / "fast.py",))
    )
    unit = next(u for u in made.units if (u.task, u.label, u.seed) == ("voc-lt", "prior", 1))
    before = files.file_times(world.records)
    with claimed(store.paths(world.results, "tiny", "miniature").claim(unit)) as mine:
        code, out, _ = world.run(*methods, "--status")
    assert mine and code == 0
    assert "12 units: 3 done, 1 skipped, 1 running, 2 failed, 5 missing" in out
    assert re.search(r"prior +1/2, 1 running +1/2\n", out)
    assert re.search(r"breaks +0/2, 1 failed +0/2, 1 failed\n", out)
    assert "RuntimeError: no luck today" in out and ".error.json" in out
    assert "locks: UnixFileLock in" in out or "FileLock" in out
    assert files.file_times(world.records) == before


def test_dry_run(world):
    code, out, _ = world.run("--methods", "prior", "--seeds", "7", "--dry-run")
    assert code == 0 and "3 units, 3 to run" in out
    assert re.search(r"^[0-9a-f]{16}  missing  voc-lt +prior +7$", out, re.M)
    assert "voc-lt prior: noise=0.5, sleep=0.0" in out
    assert not world.results.exists() and not world.computed()


def test_list(world):
    code, out, _ = world.run("--list")
    assert code == 0 and "prior: Class frequencies and a little noise." in out
    assert "noise = 0.5" in out and "voc-fs-5" in out and "coco-lt-holdout" in out
    assert not world.results.exists()


def test_a_plugin_is_added_to_the_suite(world):
    code, out, _ = world.run("--dry-run")
    assert code == 0 and {"prior", "based", "steady"} <= set(re.findall(r"voc-lt (\w+):", out))


BAD = {
    ("--suite", "tinny"): "unknown suite 'tinny'",
    ("--methods", "priro"): "unknown method 'priro'; did you mean 'prior'",
    ("--tasks", "voc-ld"): "unknown task 'voc-ld'; did you mean 'voc-lt'",
    ("--seeds", "one"): "--seeds one",
    ("--episodes", "0"): "--episodes 0",
    ("--episodes", "x"): "--episodes",
    ("--workers", "0"): "--workers 0",
    ("--device", "cda"): "unknown device 'cda'; did you mean 'cuda'",
    ("--data-root", "/nowhere/at/all"): "--data-root /nowhere/at/all: no such folder",
    ("--sute", "tiny"): "--sute",
    ("--preprocess", "sqare"): "unknown preprocess",
    ("--status", "--force"): "not allowed with",
    ("--plugin", "gone.py"): "gone.py",
}


@pytest.mark.parametrize("flags", BAD, ids=" ".join)
def test_bad_flags_are_one_line_and_exit_code_2(world, flags):
    code, out, err = world.run(*flags)
    assert code == 2 and out == ""
    assert err.startswith("error: ") and err.count("\n") == 1 and BAD[flags] in err
    assert not world.results.exists()


def test_exit_code_2_is_explained():
    assert "2 bad input, such as an image that cannot be read" in parser().format_help()


def test_preprocess_is_chosen_for_all_methods(world):
    code, out, _ = world.run("--methods", "prior", "steady", "--preprocess", "square-448-raw")
    assert code == 0
    found = store.load(world.records.parent)
    assert len(found) == 6 and {r["preprocess"] for r in found} == {"square-raw-448"}
    code, out, _ = world.run("--methods", "prior", "--dry-run")
    assert "4 units, 4 to run" in out and "preprocess" not in out  # other units than CLIP's own
    code, out, _ = world.run("--methods", "prior", "--dry-run", "--preprocess", "square-raw-448")
    assert "4 units, 0 to run" in out
    assert "voc-lt prior: noise=0.5, sleep=0.0, preprocess square-raw-448" in out


@contextlib.contextmanager
def without_privileges():
    """As a user whom permissions bind: root, which they do not, becomes nobody for a while."""
    if os.geteuid():
        yield
        return
    try:
        os.seteuid(65534)
    except OSError:
        pytest.skip("this root cannot become another user, and no permission binds it")
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("mode, where", [(0o000, "."), (0o444, "."), (0o000, "..")])
def test_a_data_root_without_permission(world, mode, where):
    root = world.folder / "outer" / "data"
    (root / "val2017").mkdir(parents=True)
    world.folder.chmod(0o755)
    closed = (root / where).resolve()
    closed.chmod(mode)
    try:
        with without_privileges():
            code, out, err = world.run("--data-root", root)
    finally:
        closed.chmod(0o755)
    assert code == 2 and out == "" and err.count("\n") == 1
    assert f"--data-root {root}: cannot be read (Permission denied); give" in err
    assert not world.results.exists()


def test_a_data_root_that_is_a_file(world):
    (world.folder / "file").write_text("")
    code, _, err = world.run("--data-root", world.folder / "file")
    assert code == 2 and err.count("\n") == 1 and "no such folder" in err


def test_missing_images_name_the_command_that_tells_more(world):
    task = tasks.load("voc-lt", "miniature", world.folder)
    with pytest.raises(InputError, match="24 of 24 missing for task voc-lt") as caught:
        tasks.check_files(task)
    assert f"python -m benchmark data-root check --data-root {world.folder}" in str(caught.value)


def test_a_misspelt_key_in_the_suite(world):
    path = world.folder / "tiny.yaml"
    path.write_text(path.read_text().replace("episodes", "episode"))
    code, _, err = world.run()
    assert code == 2 and err.count("\n") == 1 and "tiny.yaml: unknown key 'episode'" in err


def test_a_setting_that_yaml_reads_as_text(world):
    path = world.folder / "tiny.yaml"
    path.write_text(path.read_text() + "    hyperparameters: {noise: 1e-5}\n")
    code, _, err = world.run("--methods", "steady")  # the whole suite is checked all the same
    assert code == 2 and "methods.prior.hyperparameters.noise" in err and "1.0e-5" in err
    assert not world.results.exists()


def test_a_plugin_that_does_not_import(world):
    path = world.folder / "broken.py"
    path.write_text("import a_module_that_is_not_there\n")
    code, _, err = world.run("--plugin", path)
    assert code == 2 and err.count("\n") == 1
    assert "broken.py" in err and "a_module_that_is_not_there" in err


def test_a_default_that_no_record_can_hold(world):
    text = (world.folder / "fast.py").read_text().replace("noise: float = 0.5", "noise=object()")
    (world.folder / "other.py").write_text(re.sub(r'name = "(\w+)"', r'name = "\1-2"', text))
    code, _, err = world.run("--plugin", world.folder / "other.py")
    assert code == 2 and err.count("\n") == 1 and "other.py" in err and "default" in err


def test_a_results_folder_that_cannot_be_written(world):
    (world.folder / "file").write_text("")
    target = world.folder / "file" / "below"
    code, _, err = world.run("--results-dir", target)
    assert code == 2 and err.count("\n") == 1 and f"--results-dir {target}" in err
    assert not world.computed()


def test_a_cache_that_cannot_be_written(world, monkeypatch):
    (world.folder / "file").write_text("")
    monkeypatch.setenv("CIMLIC_CACHE", str(world.folder / "file" / "below"))
    code, _, err = world.run()
    assert code == 2 and "$CIMLIC_CACHE" in err and err.count("\n") == 1


def test_interruption(world, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmark.runner.workers.connection.wait", interrupt)
    code, _, err = world.run("--methods", "prior")
    assert code == 130 and "the same command goes on" in err
    assert not files.file_times(world.records)


@pytest.mark.parametrize("flag", ["--help", "--list", "--dry-run", "--status"])
def test_looking_needs_no_torch(flag, world, method_cards):
    """With the shipped methods, whose files do import torch."""
    heavy = ("torch", "open_clip", "sklearn", "matplotlib", "pandas")
    heavy += ("numpy", "PIL", "yaml") if flag == "--help" else ()  # which nothing waits for
    (world.folder / "shipped.yaml").write_text(tiny_suite.SUITE.replace("  prior:", "  zeroshot:"))
    code = (
        "import pathlib, sys, types\nfrom benchmark.data import splits\n"
        f"splits.FOLDER = pathlib.Path({str(world.folder / 'splits')!r})\n"
        "from benchmark.cli.run import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--suite", str(world.folder / "shipped.yaml"), flag],
        cwd=ROOT,
        env={"PATH": "", "CIMLIC_CACHE": str(method_cards)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "HEAVY []" in done.stdout, done.stdout[-500:] + done.stderr


@pytest.fixture(scope="module")
def method_cards(tmp_path_factory):
    """A cache folder with the cards of the shipped methods."""
    folder = tmp_path_factory.mktemp("cards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIMLIC_CACHE", str(folder))
        registry.methods()
    return folder


def test_method_cards_are_kept_until_a_source_changes(method_cards, monkeypatch):
    monkeypatch.setenv("CIMLIC_CACHE", str(method_cards))
    asked = registry._ask(())
    monkeypatch.setattr(registry, "_ask", lambda plugins: {"asked": next(iter(asked.values()))})
    assert registry.methods() == asked
    monkeypatch.setattr(registry, "_sources", lambda: "changed")
    assert list(registry.methods()) == ["asked"]
    (method_cards / "methods" / "changed.json").write_text("[")
    assert list(registry.methods()) == ["asked"]
    monkeypatch.setattr(registry.processes, "apart", lambda ask, plugins: ask(plugins))
    assert list(registry.methods([Path("plugin.py")])) == ["asked"]


def test_every_shipped_suite_can_be_expanded(method_cards, monkeypatch):
    """Its tasks, methods and hyperparameters exist, at the scale that needs no download."""
    monkeypatch.setenv("CIMLIC_CACHE", str(method_cards))
    for name in load.names():
        assert plan.make(plan.Choice(name)).units


def test_run_all_is_the_command():
    command = [sys.executable, str(ROOT / "run_all.py"), "--suite", "no-such-suite"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and done.stderr.startswith("error: unknown suite 'no-such-suite'")
    assert done.stderr.count("\n") == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_one_line_on_a_terminal(world):
    assert world.run("--methods", "prior", "--tasks", "voc-lt")[0] == 0
    files = (str(world.folder / "tiny.yaml"), None, ("prior",))
    made = plan.make(plan.Choice(*files, plugins=(world.folder / "fast.py",)))
    records = store.RecordStore(store.paths(world.results, "tiny", "miniature"))
    stream = Terminal()
    progress = Progress(made.units, records, workers=2, stream=stream)
    assert progress.seconds_left() is None
    progress.update()
    text = stream.getvalue()
    assert "\n" not in text and "2/4 units done | 0:00 elapsed, about 0:00 left" in text
    for record in records.done.values():
        record["seconds"] = {"base": 50.0, "fit": 6.0, "predict": 2.0}
    assert progress.seconds_left() == 8.0  # two units left, two workers
    failure = json.loads(next(iter(world.records.glob("*_s1_*.json"))).read_text())
    other = next(u for u in made.units if u.episode == 2)
    failure |= {"key": other.key, "status": "failed", "error": "ValueError: oh"}
    store.write(records.folder, other, failure)
    progress.update()
    assert "voc-fs-1 prior episode 2: FAILED: ValueError: oh\n" in stream.getvalue()
    assert "2/4 units done, 1 failed" in stream.getvalue()


def test_clock():
    assert [clock(s) for s in (0, 61.4, 3723)] == ["0:00", "1:01", "1:02:03"]


def test_main_uses_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run_all.py", "--workers", "x"])
    assert main() == 2
    assert "--workers" in capsys.readouterr().err
