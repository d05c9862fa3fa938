"""The drawn example of own images: the same in every form, and never half there."""

from __future__ import annotations

import pytest

from benchmark.common.errors import InputError
from benchmark.data.own import labels
from benchmark.miniature import example


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo") / "zoo"
    example.write(folder)
    return folder


def test_its_labels_are_the_same_in_every_form(zoo):
    forms = ("labels.csv", "list.csv", "instances.json", "xml", "yolo")
    found = [labels.read(zoo / form, zoo / "pictures", zoo.parent) for form in forms]
    assert len({table.form for table in found}) == len(forms)
    for table in found:
        assert table.rows == found[0].rows and table.classes == tuple(sorted(example.CLASSES))
    assert len(found[0].rows) == example.PICTURES
    assert found[0].rows[0] == ("zoo/pictures/000.jpg", (found[0].classes.index("Bär"),))


def test_what_is_there_stays(zoo):
    with pytest.raises(InputError, match="is there already"):
        example.write(zoo)


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(example, "PICTURES", 2)
    monkeypatch.setattr(example, "_CHUNK", 2)
    monkeypatch.setattr(example, "_voc", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        example.write(tmp_path / "zoo")
    assert not any(tmp_path.iterdir())
