"""From flags to units where not every split is at hand."""

from __future__ import annotations

from tests.helpers import tiny_suite


def suite_with_coco(world) -> str:
    path = world.folder / "more.yaml"  # the tiny world has no split of COCO
    path.write_text(tiny_suite.SUITE.replace("[voc-lt, voc-fs-1]", "[coco-lt, voc-lt]"))
    return str(path)


def test_a_split_that_is_not_there_matters_for_the_selected_tasks_only(world):
    suite = suite_with_coco(world)
    code, out, err = world.run("--suite", suite, "--tasks", "voc-lt", "--dry-run")
    assert code == 0 and not err
    assert "voc-lt" in out and "coco-lt" not in out
    code, _, err = world.run("--suite", suite, "--dry-run")
    assert code == 2
    assert "coco-lt" in err and err.count("\n") == 1
