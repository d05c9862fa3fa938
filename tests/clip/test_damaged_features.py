"""Cached features against accidents: damage, leftovers, a changed CLIP, a crowd, a full disk."""

import collections
import errno
import os
import threading

import numpy as np
import pytest
import torch

from benchmark.clip import feature_cache
from benchmark.common import arrays
from benchmark.common.errors import DiskFull
from tests.helpers import drawn_images

KINDS = ("global", "tokens", "pixels")


def read(folder, images, kind):
    run = drawn_images.run(folder)
    return np.array(run.pixels(images) if kind == "pixels" else run.features(images, kind))


def entry(folder, kind):
    (path,) = (folder / "cache" / "features").glob(f"{kind}-*.npy")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_entry_is_built_anew_which_one_line_says(kind, tmp_path, capsys):
    images = drawn_images.images(tmp_path, 4).images
    before = read(tmp_path, images, kind)
    path = entry(tmp_path, kind)
    content = path.read_bytes()
    assert path.stat().st_mode & 0o222 == 0
    for damaged in (content[: len(content) // 2] + bytes(len(content) // 2), content[:200], b""):
        path.unlink()
        path.write_bytes(damaged)
        capsys.readouterr()
        assert np.array_equal(read(tmp_path, images, kind), before)
        (line,) = capsys.readouterr().err.splitlines()
        assert str(path) in line and "built anew" in line
        assert path.read_bytes() == content
    assert read(tmp_path, images, kind) is not None and not capsys.readouterr().err


def test_an_entry_of_other_images_under_its_name_is_damage(tmp_path, capsys):
    data, other = drawn_images.images(tmp_path, 4), drawn_images.images(tmp_path, 4, seed=1)
    before = read(tmp_path, data.images, "global")
    path = entry(tmp_path, "global")
    read(tmp_path, other.images, "global")
    (foreign,) = set(path.parent.glob("global-*.npy")) - {path}
    os.replace(foreign, path)
    assert np.array_equal(read(tmp_path, data.images, "global"), before)
    assert "built anew" in capsys.readouterr().err


def test_what_a_method_writes_into_its_features_stays_with_it(tmp_path):
    images = drawn_images.images(tmp_path, 4).images
    run = drawn_images.run(tmp_path)
    for read_of in (run.features, run.pixels, lambda images: run.features(images, "tokens")):
        before = np.array(read_of(images))
        torch.from_numpy(read_of(images)).zero_()
        assert before.any() and np.array_equal(read_of(images), before)
        assert np.array_equal(
            drawn_images.run(tmp_path).store.features(images), run.features(images)
        )


def test_leftovers_of_killed_processes_are_removed_before_building(tmp_path):
    images = drawn_images.images(tmp_path, 4).images
    for kind in ("tokens", "global"):
        read(tmp_path, images, kind)
    paths = [entry(tmp_path, kind) for kind in KINDS]
    for path in paths:
        path.unlink()
        path.with_name(f".{path.name}.0123456789ab.tmp").write_bytes(b"half")
    read(tmp_path, images, "tokens")
    assert all(path.exists() for path in paths)
    assert not list(paths[0].parent.glob(".*.tmp"))


def test_nothing_is_kept_of_a_clip_that_is_no_longer_the_shared_one(tmp_path, monkeypatch):
    images = drawn_images.images(tmp_path, 4).images
    run = drawn_images.run(tmp_path)

    def refuse():
        raise RuntimeError("the shared CLIP was changed")

    monkeypatch.setattr(run.clip, "check_frozen", refuse, raising=False)
    for kind in ("tokens", "global"):
        with pytest.raises(RuntimeError, match="was changed"):
            run.features(images, kind)
    kept = [path.name for path in run.store.folder.iterdir() if path.suffix != ".lock"]
    assert all(name.startswith("pixels") for name in kept) and len(kept) == 1


def test_a_crowd_on_a_cold_cache_builds_each_entry_once(tmp_path, monkeypatch):
    images = drawn_images.images(tmp_path, 40).images
    built, real = collections.Counter(), arrays.building
    monkeypatch.setattr(
        arrays, "building", lambda path, *rest: built.update([path.name]) or real(path, *rest)
    )
    runs, found = [drawn_images.run(tmp_path) for _ in range(8)], []
    start = threading.Barrier(len(runs))

    def use(run, kinds):
        start.wait()
        found.append([run.features(images, kind).sum() for kind in kinds])

    orders = [("tokens", "global"), ("global",), ("value", "global"), ("global", "tokens")] * 2
    crowd = [threading.Thread(target=use, args=pair) for pair in zip(runs, orders, strict=True)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(found) == len(runs)
    assert set(built.values()) == {1}
    assert {name.split("-")[0] for name in built} == {"pixels", "global", "tokens", "value"}


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    images = drawn_images.images(tmp_path, 4).images
    run = drawn_images.run(tmp_path)

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", refuse)
        with pytest.raises(DiskFull, match="^disk full: [^\n]*features"):
            run.features(images, "tokens")
    assert not [path for path in run.store.folder.iterdir() if path.suffix != ".lock"]
    assert np.array_equal(run.features(images), read(tmp_path, images, "global"))


def test_the_files_are_named_apart_from_those_without_a_seal(tmp_path, monkeypatch):
    images = drawn_images.images(tmp_path, 2).images
    read(tmp_path, images, "pixels")
    monkeypatch.setattr(feature_cache, "_FORMAT", "another")
    read(tmp_path, images, "pixels")
    assert len(list((tmp_path / "cache" / "features").glob("pixels-*.npy"))) == 2
