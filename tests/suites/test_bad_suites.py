"""Suites and settings files that cannot be: each is one line and exit code 2; merge keys can be."""

from __future__ import annotations

import pytest
import yaml

from benchmark.common import strict_yaml
from benchmark.common.errors import InputError
from benchmark.suites import load
from tests.helpers.bad_input import refused, run_all

SUITE = """\
name: small
tasks: [coco-lt, coco-fs-1]
seeds: [0, 1]
episodes: 2
methods:
  coop:
    hyperparameters: {epochs: 3}
    overrides:
      - when: {scale: miniature}
        set: {lr: 0.01}
  slow: {method: coop, title: Slow}
  zeroshot:
tables:
  one: {title: One, paper: Table I, factors: [a], rows: {coop: x, slow: y}}
"""
LAUGHS = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 8)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
WHOLE = {  # files that are no suite at all
    "nothing": "",
    "a comment": "# nothing else\n",
    "null": "null",
    "a number": "3",
    "a text": "just a text",
    "a list": "[a, b]",
    "open bracket": "name: [",
    "open quote": 'name: "x',
    "tab": "name:\n\t- x",
    "indent": "name: x\n  tasks: []",
    "two documents": "a: 1\n---\nb: 2",
    "a tag": "!!python/object/apply:os.system [ls]",
    "an unknown tag": "name: !mine x",
    "no alias": "name: *gone",
    "a NUL": "name: \0",
    "a bell": "name: \a",
    "a directive": "%YAML 9.9\n---\nname: x",
    "brackets": "name: " + "[" * 1000,
    "closed brackets": "name: " + "[" * 1000 + "]" * 1000,
    "braces": "{a: " * 1000,
    "dashes": "- " * 1000,
    "laughs": LAUGHS,
    "a name of laughs": LAUGHS + "name: *i\n",
    "itself": "name: &a [*a]",
    "itself as key": "? &a [*a]\n: 1",
    "a list as key": "? [a]\n: 1",
    "a mapping as key": "{a: 1}: 1",
    "a long key": "? " + "k" * 2000 + "\n: 1",
    "a large key": "0x" + "f" * 5000 + ": 1",
    "merge of a number": "<<: 3",
    "merge of a list": "<<: [1, 2]",
    "merge with itself": "&a {<<: *a}",
    "merge twice": "a: &a {b: 1}\n<<: *a\n<<: *a",
    "no include": "name: x\nseeds: [0]\nepisodes: 1\ninclude: []",
    "include gone": "name: x\nseeds: [0]\nepisodes: 1\ninclude: [gone]",
    "include a path": "name: x\nseeds: [0]\nepisodes: 1\ninclude: ['../../x']",
    "include a NUL": 'name: x\nseeds: [0]\nepisodes: 1\ninclude: ["a\\0"]',
    "include long": "name: x\nseeds: [0]\nepisodes: 1\ninclude: [" + "x" * 300 + "]",
    "include a number": "name: x\nseeds: [0]\nepisodes: 1\ninclude: [3]",
    "include and tasks": "name: x\nseeds: [0]\nepisodes: 1\ninclude: [cimlic]\ntasks: [voc-lt]",
    "include what includes": "name: x\nseeds: [0]\nepisodes: 1\ninclude: [paper]",
}
CHANGED = [  # (what is replaced, by what)
    *(("name: small", f"name: {x}") for x in ("a/b", "..", "reference", "3", "[a]", '"a\\n"')),
    *(("name: small", f"name: {x}") for x in ("x" * 101, "''", "~", "2001-01-01", "' a'", "-a")),
    *(("[coco-lt, coco-fs-1]", x) for x in ("[]", "coco-lt", "[coco-lt, coco-lt]", "[3]", "[[a]]")),
    *(("[coco-lt, coco-fs-1]", x) for x in ("[coco-ld]", "{coco-lt: 1}", "['']", '["a\\0"]')),
    *(("[0, 1]", x) for x in ("[]", "0", "[-1]", "[0.5]", "['0']", "[0, 0]", "[true]", "[~]")),
    *(("[0, 1]", x) for x in ("[!!int abc]", f"[{'9' * 5000}]", f"[0x{'f' * 5000}]", "[.nan]")),
    *(("[0, 1]", x) for x in ("[2001-13-45]", "[!!bool maybe]", "[!!timestamp no]", "[1e3]")),
    *(
        ("[0, 1]", x)
        for x in ("[!!float x]", "[!!binary '%']", "[!!set {a}]", "[99999999999999999999]")
    ),
    *(("episodes: 2", f"episodes: {x}") for x in ("0", "-1", "11", "1.5", "x", "[1]", "~", "true")),
    *(("  zeroshot:", f"  {x}:") for x in ("a b", "a/b", "..", "3", "~", "[a]", "-", "'a\\nb'")),
    ("  zeroshot:", f"  {'x' * 101}: {{method: zeroshot}}"),
    ("  zeroshot:", "  coop:"),
    ("  zeroshot:", "  zeroshot: 3"),
    ("  zeroshot:", "  zeroshot: []"),
    ("  zeroshot:", "  zeroshot: {settings: x}"),
    ("  zeroshot:", "  zeroshot: {hyperparameters: {lr: 1}}"),
    *(("method: coop", f"method: {x}") for x in ("coup", "3", "[coop]", "''", "../coop")),
    *(("title: Slow", f"title: {x}") for x in ("3", "[a]", "true", "2001-01-01")),
    *(("epochs: 3", f"epochs: {x}") for x in ("-3", "2.5", "'3'", "~", "true", "[3]", "{a: 1}")),
    *(("epochs: 3", f"batch_size: {x}") for x in ("-1", "1.0", "x")),
    *(("epochs: 3", x) for x in ("lr: -0.1", "warmup: -1", "weight_decay: -1", "views: -2")),
    *(("epochs: 3", x) for x in ("lr: .inf", "lr: -.inf", "lr: .nan", "lr: 1.0e+999", "lr: 1e-5")),
    *(("epochs: 3", x) for x in ("init: 3", "loss: [a]", "3: 3", "~: 3", "epoch: 3", "[a]: 3")),
    *(
        ("{scale: miniature}", x)
        for x in ("{scale: mini}", "{scales: paper}", "[]", "~", "{task: 3}")
    ),
    *(("{scale: miniature}", x) for x in ("{setting: [long]}", "{dataset: [[coco]]}", "{task: ~}")),
    *(("set: {lr: 0.01}", x) for x in ("set: 3", "set: {rl: 1}", "preprocess: clop", "st: {}")),
    *(("set: {lr: 0.01}", x) for x in (f"preprocess: clip-{'9' * 5000}", "preprocess: 3")),
    ("title: Slow", "precision: bf15"),
    ("title: Slow", "preprocess: [clip]"),
    ("tables:\n", "tables: 3\nx:\n"),
    *(("  one: ", f"  {x}: ") for x in ("A", "a b", "a_b", "3", "~", "x" * 101)),
    *(("factors: [a]", f"factors: {x}") for x in ("[]", "[a, b]", "a", "[a, a]", "[3]")),
    *(("rows: {coop: x, slow: y}", f"rows: {x}") for x in ("{}", "[]", "{gone: x}", "{coop: 3}")),
    *(("factors: [a]", f"factors: [a], curve: {x}") for x in ("3", "{axis: a}", "{mark: 3}")),
    ("paper: Table I", "paper: 3"),
    ("paper: Table I", "taks: []"),
    ("episodes: 2", "episodes: 2\nsettings: 3"),
    ("episodes: 2", "episodes: 2\nsettings: {miniature: gone.yaml}"),
    ("episodes: 2", "episodes: 2\nsettings: {mini: gone.yaml}"),
    ("episodes: 2", f"episodes: 2\nsettings: {{miniature: {'x' * 300}}}"),
    ("episodes: 2", 'episodes: 2\nsettings: {miniature: "a\\0b"}'),
]
SETTINGS = [  # settings files; the suite's entry coop takes what they have for it
    "3",
    "[]",
    "x",
    "coop: 3",
    "coop: []",
    "coop:",
    "3: {}",
    "coop: {long-tail: {lr: 0.1}}",
    "coop: {long-tailed: 3}",
    "coop: {long-tailed: }",
    "coop: {long-tailed: {rl: 1}}",
    "coop: {long-tailed: {lr: x}}",
    "coop: {long-tailed: {lr: -1}}",
    "coop: {long-tailed: {epochs: -3}}",
    "coop: {long-tailed: {lr: 1e-5}}",
    "coop: {long-tailed: {lr: !!float x}}",
    "coop: {long-tailed: {lr: 1}, long-tailed: {lr: 2}}",
    "coop: {long-tailed: {3: 1}}",
    "coop: {long-tailed: {epochs: " + "9" * 5000 + "}}",
    "coop: [[[",
]


def looked_at(text: str, folder, capsys) -> str:
    (folder / "small.yaml").write_text(text)
    return refused(capsys, lambda: run_all(["--suite", "small.yaml"]))


@pytest.mark.parametrize("case", WHOLE)
def test_a_file_that_is_no_suite(case, place, capsys):
    assert "small.yaml" in looked_at(WHOLE[case], place, capsys)


@pytest.mark.parametrize("old, new", CHANGED, ids=lambda text: text[:40])
def test_a_bad_field(old, new, place, capsys):
    assert SUITE.count(old) == 1
    assert "small.yaml" in looked_at(SUITE.replace(old, new), place, capsys)


@pytest.mark.parametrize("text", SETTINGS, ids=lambda text: text[:40])
def test_a_bad_settings_file(text, place, capsys):
    (place / "chosen.yaml").write_text(text)
    suite = SUITE.replace("episodes: 2", "episodes: 2\nsettings: {miniature: chosen.yaml}")
    assert "chosen.yaml" in looked_at(suite, place, capsys)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00n", b"name: \xe4", b"\x80"])
def test_bytes_that_are_no_text(content, place, capsys):
    (place / "small.yaml").write_bytes(content)
    assert "small.yaml" in refused(capsys, lambda: run_all(["--suite", "small.yaml"]))


def test_the_suite_itself_is_right(place, capsys):
    (place / "small.yaml").write_text(SUITE)
    assert run_all(["--suite", "small.yaml"]) == 0
    assert "coco-lt slow:" in capsys.readouterr().out


def test_a_long_label_is_refused_with_the_limit_before_anything_runs(place, capsys):
    label = "a" * 200
    line = looked_at(
        SUITE.replace("  zeroshot:", f"  {label}: {{method: zeroshot}}"), place, capsys
    )
    assert label in line and "at most 100" in line
    label = "a" * 100
    (place / "small.yaml").write_text(
        SUITE.replace("  slow:", f"  {label}:").replace("slow", label)
    )
    assert run_all(["--suite", "small.yaml"]) == 0


MERGED = """\
base: &base {lr: 0.01, epochs: 5}
more: &more {<<: *base, epochs: 7, context: 4}
own: {<<: *more, lr: 0.5}
both: {<<: [{a: 1}, *base], epochs: 1}
deep: {<<: {<<: *more}}
"""


def test_merge_keys_share_settings_and_own_ones_win():
    found = strict_yaml.parse(MERGED)
    assert found == yaml.safe_load(MERGED)
    assert found["own"] == {"lr": 0.5, "epochs": 7, "context": 4}


@pytest.mark.parametrize("text", [r'"half \ud83d"', r'{"\udc00": 1}', r'["\ud83d\ude00"]'])
def test_half_a_character_is_told_of_where_it_stands(text):
    with pytest.raises(ValueError, match="line 2 has half a character; write it whole"):
        strict_yaml.parse(f"a: 1\nb: {text}")


def test_rows_of_a_suite_share_settings(tmp_path):
    """A merged mapping is looked at after one that merges it: what it had is not given twice."""
    text = SUITE.replace("{epochs: 3}", "&shared {<<: &first {epochs: 3}, lr: 0.01}")
    text = text.replace("title: Slow", "hyperparameters: {<<: *shared, epochs: 9}")
    (tmp_path / "small.yaml").write_text(text)
    coop, slow, _ = load.load_suite(str(tmp_path / "small.yaml")).methods
    assert coop.hyperparameters == {"epochs": 3, "lr": 0.01}
    assert slow.hyperparameters == {"epochs": 9, "lr": 0.01}


@pytest.mark.parametrize("text", ["{<<: *b, lr: 1, lr: 2}", "{lr: 1, <<: *b, 'lr': 2}"])
def test_a_key_given_twice_is_found_beside_a_merge(text, tmp_path):
    (tmp_path / "x.yaml").write_text(f"b: &b {{lr: 0}}\nc: {text}\n")
    with pytest.raises(InputError, match="the mapping at line 2 has 'lr' twice"):
        strict_yaml.read(tmp_path / "x.yaml", "x.yaml")
