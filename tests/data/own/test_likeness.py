"""The rule for constants that are COCO's or VOC's."""

from __future__ import annotations

import pytest

from benchmark.data import likeness, splits
from tests.helpers.own_tables import alone


@pytest.mark.parametrize("name", likeness.OFFICIAL)
def test_the_official_values_are_those_of_the_committed_manifests(name):
    raw = splits.committed(f"{name}-lt", "paper").raw
    train, counts = raw["files"]["train.txt"], raw["train_counts"]
    wanted = (train["labels"] / train["images"], max(counts) / min(counts))
    assert likeness.OFFICIAL[name] == pytest.approx(wanted)


def test_many_labels_an_image_are_like_coco_and_few_like_voc():
    many = [(f"{n}.jpg", (0, 1, 2, 3)) for n in range(6)]
    assert likeness.nearest(many, 5) == likeness.Likeness("coco", 4.0, 1.0)
    assert likeness.nearest(alone(9, 2, 0), 3) == likeness.Likeness("voc", 1.0, 4.5)
    assert likeness.nearest([*alone(1), ("bare.jpg", ())], 1).labels_per_image == 0.5


def test_no_label_at_all():
    with pytest.raises(ValueError, match="without labels"):
        likeness.nearest([("a.jpg", ())], 2)
