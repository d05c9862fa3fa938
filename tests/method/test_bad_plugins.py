"""Plugin files that cannot be: each is one line and exit code 2, before anything runs."""

from __future__ import annotations

import types

import pytest

from benchmark import __main__ as commands
from benchmark.common.errors import InputError
from benchmark.method import declaration, discovery
from benchmark.method.search_space import Choice, Range
from benchmark.runner import executor
from tests.helpers.bad_input import refused, run_all

PLUGIN = '''\
"""A method of one's own."""
from benchmark.method import Method


class Mine(Method):
    """Guesses."""

    name = "mine"
    scores = "raw"

    def __init__(self, *, epochs: int = 3):
        self.epochs = epochs

    def fit(self, train, run):
        pass

    def predict(self, images, run):
        pass
'''
IMPORTED = {  # what a file does while it is imported
    "nothing": "",
    "a text": "this is no Python",
    "a NUL": "x = 1\0",
    "no UTF-8": b"x = '\xff'",
    "indent": "  x = 1",
    "brackets": "(" * 300,
    "no such module": "import no_such_module",
    "a moved module": "from benchmark import prompts",
    "no such name": "from benchmark.method import Methods",
    "relative": "from . import x",
    "raises": "raise ValueError('one\\ntwo')",
    "raises nothing to say": "raise ValueError",
    "of its own": "class Odd(BaseException): pass\nraise Odd('x')",
    "asserts": "assert False",
    "divides": "1 / 0",
    "recurses": "def f(): f()\nf()",
    "exits": "import sys; sys.exit()",
    "exits with 0": "import sys; sys.exit(0)",
    "exits with a text": "import sys; sys.exit('done')",
    "exit": "exit()",
    "SystemExit": "raise SystemExit",
    "interrupts": "raise KeyboardInterrupt",
    "stops": "next(iter(()))",
    "escapes": "raise ValueError('\\x1b[31mred')",
    "a surrogate": "raise ValueError('\\udcff')",
}
DECLARED = [  # (what of the file is replaced, by what)
    *(('name = "mine"', f"name = {x}") for x in ("3", "None", "''", "'a b'", "'../x'", "'a\\nb'")),
    *(('name = "mine"', f"name = {x}") for x in ("'x' * 101", "'zeroshot'", "b'mine'", "['a']")),
    ('    name = "mine"\n', ""),
    *(('scores = "raw"', f"scores = {x}") for x in ("'foo'", "None", "3", "['raw']", "'Logits'")),
    *(('scores = "raw"', f"version = {x}") for x in ("'one'", "0", "-1", "1.5", "True", "None")),
    *(('scores = "raw"', f"title = {x}") for x in ("3", "None", "['a']", "b'x'")),
    *(('scores = "raw"', f"deterministic = {x}") for x in ("'yes'", "1", "None")),
    *(("epochs: int = 3", f"epochs={x}") for x in ("{}", "{'a': 1}", "set()", "object()", "print")),
    *(("epochs: int = 3", f"epochs={x}") for x in ("b'x'", "1j", "float('nan')", "float('inf')")),
    *(("epochs: int = 3", f"epochs={x}") for x in ("[{}]", "({},)", "range(3)", "int")),
    *(("*, epochs: int = 3", x) for x in ("epochs", "*epochs", "epochs, /")),
    ("def fit(", "def fti("),
    ("def predict(", "def predcit("),
    ("(Method)", ""),
]


def plugged(content: str | bytes, place, capsys, *flags: str) -> str:
    """The line that refuses the file, as a plugin and in a check of it."""
    path = place / "mine.py"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return refused(capsys, lambda: run_all(["--plugin", str(path), *flags]))


@pytest.mark.parametrize("case", IMPORTED)
def test_a_file_that_does_not_import(case, place, capsys):
    assert "mine.py" in plugged(IMPORTED[case], place, capsys)
    line = refused(capsys, lambda: commands.main(["check", str(place / "mine.py")]))
    assert "mine.py" in line


@pytest.mark.parametrize("old, new", DECLARED, ids=lambda text: text.strip()[:40])
def test_a_bad_declaration(old, new, place, capsys):
    assert PLUGIN.count(old) == 1
    assert "mine.py" in plugged(PLUGIN.replace(old, new), place, capsys)


def test_the_file_itself_is_right(place, capsys):
    (place / "mine.py").write_text(PLUGIN)
    flags = ["--plugin", "mine.py", "--methods", "mine", "--tasks", "voc-lt"]
    assert run_all(flags) == 0 and "voc-lt mine: epochs=3" in capsys.readouterr().out


def test_a_name_that_two_files_have(place, capsys):
    (place / "other.py").write_text(PLUGIN)
    line = plugged(PLUGIN, place, capsys, str(place / "other.py"))
    assert "the name 'mine' is taken by" in line


@pytest.mark.parametrize("made", [None, "a text", 3, []], ids=str)
def test_an_entry_point_that_is_no_class(made, monkeypatch):
    point = types.SimpleNamespace(name="odd", load=lambda: made)
    monkeypatch.setattr(discovery, "entry_points", lambda group: [point])
    monkeypatch.setattr(discovery, "_FOLDERS", ())
    with pytest.raises(InputError, match="entry point odd: does not import"):
        discovery.discover()


BELOW = [  # name, default, search space, value, whether that is refused
    ("epochs", 3, {}, -3, True),
    ("epochs", 3, {}, 0, False),
    ("warmup", 0, {}, -1, True),
    ("weight", 0.5, {}, -0.5, True),
    ("lr", 0.01, {}, -1, True),
    ("novel_lr", 0.0, {}, -0.1, True),
    ("bias", 0.0, {}, -0.1, False),
    ("bias", -1.0, {}, -0.1, False),
    ("layer", -1, {}, -2, False),
    ("bias", 1.0, {"bias": Range(-1.0, 1.0)}, -0.5, False),
    ("layer", 11, {"layer": Choice((-1, 11))}, -2, False),
    ("bias", 1.0, {"bias": Range(0.1, 1.0)}, -0.5, True),
    ("bias", 1.0, "no space", -0.5, True),
    ("width", None, {}, -4, False),
    ("flag", True, {}, False, False),
]


@pytest.mark.parametrize("name, default, space, value, wrong", BELOW)
def test_amounts_are_not_below_zero(name, default, space, value, wrong):
    if wrong:
        with pytest.raises(InputError, match=f"here: .* is below 0, which {name} cannot be"):
            declaration.value(value, name, default, space, "here")
    else:
        assert declaration.value(value, name, default, space, "here") == value


@pytest.mark.parametrize("answer", [False, True, 0, "", " ", "...", "3", b"no", ["no"], object])
def test_what_skip_may_not_answer(answer):
    method = types.SimpleNamespace(skip=lambda task: answer, hyperparameters=())
    unit = types.SimpleNamespace(method="mine", hyperparameters=())
    space = types.SimpleNamespace(task=lambda unit: None, classes={"mine": lambda: method})
    with pytest.raises(TypeError, match="skip returned .*; return None to take the task, or"):
        executor.execute(space, unit)
