"""Settings files: written as they are read, merged, and taken up by suites in their place."""

from __future__ import annotations

import pytest

from benchmark.common.errors import InputError
from benchmark.suites import load, settings
from tests.suites.test_load import TEXT, WORLD
from tests.suites.test_load import expand as expanded
from tests.suites.test_load import settings as given

FILE = """\
coop:
  long-tailed: {lr: 0.3, nesterov: true, loss: bce}
  few-shot: {lr: 0.03, g: [2.0, 3.0]}
slow-twin:
  long-tailed: {lr: 0.7, epochs: 2}
"""
FIELD = "settings: {miniature: chosen.yaml}\nmethods:\n"


def expand(tmp_path, file=FILE, text=TEXT, **changes):
    (tmp_path / "chosen.yaml").write_text(file)
    return expanded(tmp_path, text.replace("methods:\n", FIELD), **changes)


def test_precedence(tmp_path):
    """Class defaults, then the settings file, then hyperparameters, then overrides."""
    units = expand(tmp_path)
    long_tailed = given(units, "coco-lt", "coop")
    assert long_tailed["lr"] == 0.01 and long_tailed["epochs"] == 7  # overrides
    assert long_tailed["nesterov"] is True and long_tailed["loss"] == "bce"  # the file
    assert long_tailed["width"] is None and long_tailed["g"] == (1.0,)  # class defaults
    few_shot = given(units, "coco-fs-1", "coop")
    assert few_shot["lr"] == 0.03 and few_shot["g"] == (2.0, 3.0)
    assert few_shot["epochs"] == 3 and few_shot["loss"] == "asl"  # hyperparameters, default
    slow = given(units, "coco-lt", "slow")  # no label of the file: its method's
    assert slow["lr"] == 2.0 and slow["loss"] == "bce"


def test_other_scales_and_suites_without_the_field_are_as_they_were(tmp_path):
    plain = [unit.key for unit in expanded(tmp_path)]
    assert [unit.key for unit in expand(tmp_path, file="")] == plain
    paper = [unit.key for unit in expanded(tmp_path, scale="paper")]
    assert [unit.key for unit in expand(tmp_path, scale="paper")] == paper


def test_an_entry_may_name_other_settings(tmp_path):
    text = TEXT.replace("hyperparameters: {lr: 2}", "settings: slow-twin")
    slow = given(expand(tmp_path, text=text), "coco-lt", "slow")
    assert slow["lr"] == 0.7 and slow["epochs"] == 2 and slow["loss"] == "asl"


@pytest.mark.parametrize(
    "change, words",
    [
        (("nesterov: true", "nestrov: true"), "chosen.yaml: coop.long-tailed: unknown hyperpar"),
        (("lr: 0.3", "lr: fast"), "chosen.yaml: coop.long-tailed.lr: the text 'fast'"),
        (("lr: 0.3", "lr: 1e-5"), "write 1.0e-5"),
        (("few-shot:", "few-shots:"), "chosen.yaml: coop: unknown key 'few-shots'"),
        (("{lr: 0.7, epochs: 2}", "7"), "chosen.yaml: slow-twin: long-tailed: 7 is not a mapping"),
        (("slow-twin", "5"), "chosen.yaml: a label: 5 is not text"),
    ],
)
def test_errors_name_file_label_and_field(tmp_path, change, words):
    with pytest.raises(InputError) as caught:
        expand(tmp_path, file=FILE.replace(*change))
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("chosen.yaml", "other.yaml", "settings: other.yaml: no such file"),
        ("{miniature:", "{small:", "settings: unknown key 'small'"),
        ("  zeroshot:\n", "  zeroshot: {settings: cop}\n", "did you mean 'coop'"),
        (FIELD, "methods:\n  z: {settings: coop}\n", "methods.z: settings: the suite has no"),
    ],
)
def test_errors_of_a_suites_field(tmp_path, old, new, words):
    (tmp_path / "chosen.yaml").write_text(FILE)
    text = TEXT.replace("methods:\n", FIELD).replace(old, new)
    with pytest.raises(InputError, match=words):
        expanded(tmp_path, text)


def test_an_including_suite_keeps_its_members_settings(tmp_path):
    (tmp_path / "chosen.yaml").write_text(FILE)
    part = TEXT.replace("methods:\n", FIELD)
    (tmp_path / "a.yaml").write_text(part.replace("name: small", "name: a"))
    (tmp_path / "all.yaml").write_text("name: all\ninclude: [a]\nseeds: [0]\nepisodes: 1\n")
    whole = load.load_suite("all", tmp_path)
    units = load_expanded(whole)
    assert given(units, "coco-lt", "coop")["loss"] == "bce"
    assert whole.chosen("slow-twin", "coop") and not whole.chosen("new", "zeroshot")
    (tmp_path / "b.yaml").write_text(TEXT.replace("name: small", "name: b"))
    (tmp_path / "all.yaml").write_text("name: all\ninclude: [a, b]\nseeds: [0]\nepisodes: 1\n")
    with pytest.raises(InputError, match="'coop' differs between"):
        load.load_suite("all", tmp_path)


def load_expanded(suite):
    from benchmark.suites import expand as expanding

    return expanding.expand(suite, WORLD)


FOUND = {"mine": {"few-shot": {"lr": 1e-5, "betas": (0.9, 1e-8), "n": 3, "on": True, "to": None}}}


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "more" / "chosen.yaml"
    settings.merge(path, FOUND, "tune --trials 3")
    values = settings.read(path, "x").labels["mine"]["few-shot"]
    assert values == FOUND["mine"]["few-shot"] | {"betas": [0.9, 1e-8]}
    assert isinstance(values["lr"], float) and "1.0e-05" in path.read_text()
    before = path.read_text()
    settings.merge(path, FOUND, "tune --trials 3")
    assert path.read_text() == before


def test_merging_keeps_what_was_not_searched(tmp_path):
    path = tmp_path / "chosen.yaml"
    path.write_text(f"# by hand\n{FILE}")
    settings.merge(path, {"coop": {"few-shot": {"lr": 0.5}}, **FOUND}, "tune again")
    labels = settings.read(path, "x").labels
    assert labels["coop"]["few-shot"] == {"lr": 0.5}  # replaced as a whole
    assert labels["coop"]["long-tailed"] == {"lr": 0.3, "nesterov": True, "loss": "bce"}
    assert set(labels) == {"coop", "mine", "slow-twin"}
    lines = path.read_text().splitlines()
    assert lines[1:3] == ["# by hand", "# written by tune again"]
    assert "  few-shot: {lr: 0.5}" in lines


def test_a_label_that_yaml_would_misread_is_quoted(tmp_path):
    path = tmp_path / "chosen.yaml"
    settings.merge(path, {"1.5": {"few-shot": {"loss": "off"}}}, "tune")
    assert settings.read(path, "x").labels == {"1.5": {"few-shot": {"loss": "off"}}}
