"""Two results folders side by side: which cells agree, by how much, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.common.errors import InputError
from benchmark.records.pack import pack
from benchmark.report import compare
from tests.helpers import suite_records as fakes
from tests.report import test_bootstrap as scored


def put(root: Path, records, suite="cimlic", scale="miniature") -> Path:
    """The records in <root>/<suite>/<scale>, as that suite's; the root."""
    named = [{**r, "suite": suite, "scale": scale} for r in records]
    fakes.store(root / suite / scale, named)
    return root


def shifted(record, gap):
    metrics = record["metrics"]
    few = metrics["novel"] is not None
    return {
        **record,
        "metrics": {
            **metrics,
            "map": metrics["map"] + gap,
            "novel": metrics["novel"] + gap if few else None,
        },
    }


def line(text: str, task: str, label: str) -> str:
    return next(x for x in text.splitlines() if x.split()[:2] == [task, label])


@pytest.fixture
def units():
    return fakes.units(("coop", "hpdval"), ("voc-lt", "voc-fs-1"), episodes=3)


def test_each_cell_has_a_verdict(tmp_path, units):
    gaps = {("voc-lt", "hpdval"): 1.5, ("voc-fs-1", "coop"): 0.004}
    ours = [shifted(r, gaps.get((r["task"], r["label"]), 0)) for r in map(fakes.record, units)]
    a = put(tmp_path / "a", ours)
    b = put(tmp_path / "b", [fakes.record(u) for u in units if u.seed < 2])
    text = compare.compare(a, b)
    assert f"A  {a / 'cimlic' / 'miniature'}" in text and "not COCO/VOC" in text
    assert "10 units in both, 4 cells: identical in 2, within 0.01 in 1, different in 1" in text
    assert line(text, "voc-lt", "coop").split()[-1] == "identical"
    assert line(text, "voc-fs-1", "coop").endswith("within 0.01")
    different = line(text, "voc-lt", "hpdval").split()
    assert different[-1] == "different" and "+1.50" in different
    assert different[3] == different[5] == "2"  # the seeds that both have
    assert different[-3:-1] == ["±", "0.00"]  # no scores: the spread over units
    assert max(map(len, text.splitlines())) <= 100


def test_any_level_of_a_folder_will_do(tmp_path, units):
    found = [fakes.record(u) for u in units]
    a, b = put(tmp_path / "a", found), put(tmp_path / "b", found)
    put(tmp_path / "b" / "reference", [shifted(r, 9) for r in found])  # as in this repository
    texts = {
        compare.compare(one, two).split("suite cimlic")[1]
        for one in (a, a / "cimlic", a / "cimlic" / "miniature")
        for two in (b, b / "cimlic", b / "cimlic" / "miniature" / "records")
    }
    assert len(texts) == 1 and "identical in 4" in texts.pop()
    assert "different in 4" in compare.compare(a, b / "reference")


def test_scales_are_never_compared(tmp_path, units):
    a = put(tmp_path / "a", map(fakes.record, units))
    paper = [replace(u, scale="paper") for u in units]
    b = put(tmp_path / "b", map(fakes.record, paper), scale="paper")
    with pytest.raises(InputError, match="never compared") as error:
        compare.compare(a, b)
    assert "\n" not in str(error.value) and "cimlic (paper)" in str(error.value)
    both = put(a, map(fakes.record, paper), scale="paper")
    text = compare.compare(both, b)
    assert text.count("suite cimlic") == 1 and "paper scale" in text


def test_suites_are_matched_by_name_or_each_alone(tmp_path, units):
    found = [fakes.record(u) for u in units]
    a, b = put(tmp_path / "a", found, "mine"), put(tmp_path / "b", found)
    assert "suite mine and cimlic" in compare.compare(a, b)
    put(b, found, "prompts")
    with pytest.raises(InputError, match="one has mine"):
        compare.compare(a, b)
    put(a, found, "prompts")
    assert compare.compare(a, b).count("identical in 4") == 1


def test_packed_records_are_a_side_too(tmp_path, units):
    a = put(tmp_path / "a", map(fakes.record, units))
    b = tmp_path / "b"
    path, count = pack(a / "cimlic" / "miniature", b)
    assert count == len(units) and not (path.parent / "records").exists()
    texts = {
        compare.compare(one, two).split("suite cimlic")[1]
        for one, two in ((a, b), (b, a), (b / "cimlic", a), (path.parent, a), (b, b))
    }
    assert len(texts) == 1 and "12 units in both, 4 cells: identical in 4" in texts.pop()


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_without_records_is_bad_input(tmp_path, units, there):
    a = put(tmp_path / "a", map(fakes.record, units))
    if there:
        (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="no records there"):
        compare.compare(a, tmp_path / "b")


def test_what_one_side_lacks(tmp_path, units):
    found = [fakes.record(u) for u in units]
    a = put(tmp_path / "a", [r for r in found if r["task"] == "voc-lt"])
    refused = [fakes.skipped(u, "too few images") for u in units if u.label == "hpdval"]
    few = [r for r in refused if r["task"] == "voc-fs-1"]
    b = put(tmp_path / "b", few + [r for r in found if r["label"] == "coop"])
    text = compare.compare(a, b)
    assert "identical in 1, missing in B in 1, missing in A in 1" in text
    assert line(text, "voc-lt", "hpdval").endswith("missing in B (no record)")
    assert line(text, "voc-fs-1", "coop").endswith("missing in A (no record)")
    assert "voc-fs-1   hpdval" not in text  # neither side has a number
    back = line(compare.compare(b, a), "voc-lt", "hpdval")
    assert back.endswith("missing in A (no record)")


def test_other_settings_are_named_and_paired_by_seed(tmp_path, units):
    changed = [
        replace(u, method_version=2) if u.label == "coop"
        else replace(u, hyperparameters=(("epochs", 10), ("lr", 0.5)))
        for u in units
    ]  # fmt: skip
    a = put(tmp_path / "a", map(fakes.record, units))
    text = compare.compare(a, put(tmp_path / "b", map(fakes.record, changed)))
    assert "0 units in both, 4 cells: other settings in 4" in text
    assert "other settings: other method_version" in line(text, "voc-lt", "coop")
    assert line(text, "voc-lt", "hpdval").endswith("other lr")
    assert "±" in line(text, "voc-lt", "hpdval")


def test_scores_on_both_sides_give_an_interval(tmp_path):
    levels = {"better": 2.0, "alike": 1.0}
    units = fakes.units(levels, ("voc-lt",), seeds=2)
    a, b = (tmp_path / x / "cimlic" / "miniature" for x in "ab")
    ours = [scored.score(a, u, levels[u.label]) for u in units]
    theirs = [scored.score(b, u, 1.0 if u.label == "better" else 1.001) for u in units]
    put(tmp_path / "a", ours), put(tmp_path / "b", theirs)
    text = compare.compare(a, b)
    better, alike = line(text, "voc-lt", "better"), line(text, "voc-lt", "alike")
    assert better.endswith("different") and "[+" in better
    low, high = (float(x.strip("[,]")) for x in better.split()[7:9])
    assert low < float(better.split()[6]) < high
    assert "[-" in alike and alike.endswith("0 in the interval")
    again = line(compare.compare(b, a), "voc-lt", "better")
    assert f"[{-high:+.2f}, {-low:+.2f}]" in again


def test_the_command(tmp_path, units, capsys):
    from benchmark.cli.run import main

    a = put(tmp_path / "a", map(fakes.record, units))
    assert main(["--compare", str(a), str(a)]) == 0
    assert "identical in 4" in capsys.readouterr().out
    assert main(["--compare", str(a), str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
