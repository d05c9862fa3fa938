"""The miniature's folder: built once, again where files are lacking, nothing half-built taken."""

import errno

import pytest

from benchmark.common.errors import DiskFull
from benchmark.miniature import build


def test_development_pictures_wait_until_they_are_asked_for(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(build, "build", lambda root: drawn.append("main"))
    monkeypatch.setattr(build, "render", lambda root, parts: drawn.extend(parts))
    assert build.ensure(tmp_path) == build.ensure(tmp_path) and drawn == ["main"]
    monkeypatch.setattr(build, "render", lambda root, parts: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # as an interruption: it is begun anew
        build.ensure(tmp_path, development=True)
    monkeypatch.setattr(build, "render", lambda root, parts: drawn.extend(parts))
    build.ensure(tmp_path, development=True)
    build.ensure(tmp_path, development=True)
    assert drawn == ["main", "development"]


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A cache for a world of four files, and what was drawn in it."""
    drawn = []

    def draw(root, parts):
        drawn.extend(parts)
        for part in parts:
            for name in (f"{part}/a.jpg", f"shared/{part}.jpg"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(part.encode())

    monkeypatch.setattr(build, "build", lambda root: draw(root, ("main",)))
    monkeypatch.setattr(build, "render", draw)
    return tmp_path, drawn


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_bytes(b"ma")])
@pytest.mark.parametrize("name", ["main/a.jpg", "shared/main.jpg"])
def test_a_missing_or_cut_picture_has_all_drawn_anew(world, damage, name, capsys):
    cache, drawn = world
    root = build.ensure(cache)
    damage(root / name)
    assert build.ensure(cache) == root == build.ensure(cache)
    assert (root / name).read_bytes() == b"main" and drawn == ["main", "main"]
    (line,) = capsys.readouterr().err.splitlines()
    assert str(root) in line and "drawn anew" in line
    assert sorted(path.name for path in cache.iterdir()) == sorted([root.name, "miniature.lock"])


def test_a_missing_development_picture_has_only_those_drawn_anew(world, capsys):
    cache, drawn = world
    root = build.ensure(cache, development=True)
    assert not capsys.readouterr().err
    (root / "shared" / "development.jpg").unlink()
    build.ensure(cache)
    assert drawn == ["main", "development"] and not capsys.readouterr().err
    build.ensure(cache, development=True)
    assert drawn == ["main", "development", "development"]
    assert "drawn anew" in capsys.readouterr().err


def test_what_killed_processes_left_is_removed(world):
    cache, _ = world
    (cache / "miniature-k9x.tmp" / "VOCdevkit").mkdir(parents=True)
    root = build.ensure(cache)
    assert sorted(path.name for path in cache.iterdir()) == sorted([root.name, "miniature.lock"])


def test_a_list_of_sizes_that_cannot_be_read_is_none(world):
    cache, drawn = world
    root = build.ensure(cache)
    (root / "drawn.json").write_text('{"main": {"a.j')
    build.ensure(cache)
    assert drawn == ["main", "main"]


def test_no_room_for_the_pictures_is_one_line_and_leaves_nothing(world, monkeypatch):
    def refuse(root):
        raise OSError(errno.ENOSPC, "No space left on device")

    cache, _ = world
    monkeypatch.setattr(build, "build", refuse)
    with pytest.raises(DiskFull, match="^disk full: [^\n]*make room"):
        build.ensure(cache)
    assert [path.name for path in cache.iterdir()] == ["miniature.lock"]
