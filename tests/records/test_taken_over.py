"""Records taken over from other suites of the results folder: which, whole, and by whom."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from benchmark.api import computing, selection
from benchmark.common import files
from benchmark.common.errors import InputError
from benchmark.method import registry
from benchmark.records import store
from benchmark.records.scores import digest, path_of, read_scores, read_truth, write_scores
from benchmark.records.taken_over import take_over
from tests.helpers import suite_records as fakes
from tests.records.test_scores import SCORES, made

UNIT = fakes.unit("voc-lt", "coop")
MINE = dataclasses.replace(UNIT, label="coop-again")


@pytest.fixture
def folders(tmp_path):
    """The folders of the suite that has the record, and of the one that lacks it."""
    theirs, mine = (store.paths(tmp_path, name, "miniature") for name in ("cimlic", "paper"))
    return theirs, mine


def no_lock(path):
    raise OSError("no locks here")


def put(folder, unit=UNIT, **changes) -> dict:
    """A record of the unit, with scores."""
    record = fakes.record(unit)
    _, task = made()
    task.split_sha256 = record["split_sha256"]
    record["n_classes"] = {"all": 3, "head": 1, "medium": None, "tail": 2, "absent": 0}
    record |= write_scores(folder.path, record, task, "logits", SCORES) | changes
    store.write(folder, unit, record)
    return record


def known(folder) -> list[dict]:
    return store.load(folder.path)


def test_the_record_and_its_scores_come_whole_under_the_suites_own_names(folders):
    theirs, mine = folders
    record = put(theirs)
    assert take_over(mine, "paper", [MINE], oracle=False) == 1
    (found,) = known(mine)
    assert found == json.loads(theirs.record(UNIT).read_text()) | {
        "suite": "paper",
        "label": "coop-again",
    }
    assert digest(read_scores(mine.path, found)) == record["scores_sha256"]
    assert np.array_equal(
        read_truth(mine.path, found).labels, read_truth(theirs.path, record).labels
    )
    assert path_of(mine.path, found).name.startswith("voc-lt_coop-again")
    assert known(theirs)[0]["label"] == "coop"


def test_other_units_scales_and_failures_stay(folders, tmp_path):
    theirs, mine = folders
    put(theirs, dataclasses.replace(UNIT, seed=1))
    put(store.paths(tmp_path, "cimlic", "paper"))
    put(theirs, dataclasses.replace(UNIT, seed=2), status="skipped", reason="too few")
    wanted = [dataclasses.replace(MINE, seed=seed) for seed in (0, 2)]
    assert take_over(mine, "paper", wanted, oracle=False) == 0
    assert take_over(mine, "paper", [], oracle=False) == 0
    assert not mine.has_records()


def test_a_record_without_its_scores_or_with_others_is_computed_anew(folders, capsys):
    theirs, mine = folders
    path = path_of(theirs.path, put(theirs))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert take_over(mine, "paper", [MINE], oracle=False) == 0
    assert "not those of the scores_sha256" in capsys.readouterr().err
    path.unlink()
    assert take_over(mine, "paper", [MINE], oracle=False) == 0
    assert not mine.has_records() and not (mine.path / "scores").exists()


def test_with_oracle_only_records_with_one(folders):
    theirs, mine = folders
    put(theirs)
    assert take_over(mine, "paper", [MINE], oracle=True) == 0
    put(theirs, oracle_reason="no epochs")
    assert take_over(mine, "paper", [MINE], oracle=True) == 1


def test_what_another_process_computes_is_left_to_it(folders):
    theirs, mine = folders
    put(theirs)
    with files.claimed(mine.claim(MINE)) as held:
        assert held and take_over(mine, "paper", [MINE], oracle=False) == 0
    assert take_over(mine, "paper", [MINE], oracle=False) == 1


def test_a_run_takes_over_shipped_methods_alone(world, monkeypatch):
    other = world.folder / "other.yaml"
    other.write_text((world.folder / "tiny.yaml").read_text().replace("name: tiny", "name: other"))
    only = ("--methods", "prior", "--tasks", "voc-lt")
    assert world.run(*only)[0] == 0
    fits = world.computed()
    code, out, _ = world.run(*only, "--suite", str(other))
    assert code == 0 and "2 units, 2 to run" in out and len(world.computed()) == 2 * len(fits)
    methods = registry.methods

    def shipped(plugins):
        known = methods(plugins)
        return {name: dataclasses.replace(info, foreign=False) for name, info in known.items()}

    monkeypatch.setattr(registry, "methods", shipped)
    third = world.folder / "third.yaml"
    third.write_text(other.read_text().replace("name: other", "name: third"))
    given = {"tasks": "voc-lt", "plugins": world.folder / "fast.py", "results_dir": world.results}
    with monkeypatch.context() as patch:  # where jobs are submitted no disk need lock
        patch.setattr(files, "lock", no_lock)
        chosen = selection.select(third, **given)
        assert computing.begun(chosen, lockable=False).taken == 0
        with pytest.raises(InputError, match="no lock can be taken"):
            computing.begun(chosen)
    code, out, _ = world.run(*only, "--suite", str(third))
    assert code == 0 and "2 units, 2 taken over from other suites, 0 to run" in out
    assert len(world.computed()) == 2 * len(fits)
    assert world.run(*only, "--suite", str(third), "--report", "--recompute")[0] == 0
