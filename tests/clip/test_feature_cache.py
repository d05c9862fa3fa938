"""The cache: right values, no second look at an image, nothing half-written, views in turn."""

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.clip import feature_cache
from benchmark.common.errors import InputError
from benchmark.data import augmentation, image_loader, preprocessing
from benchmark.method.training import Recipe, train
from tests.helpers import drawn_images


def normalised(pixels, clip):
    return preprocessing.CLIP.normalised(torch.from_numpy(np.array(pixels)), clip.mean, clip.std)


def entries(folder):
    return list((folder / "cache" / "features").glob("*.npy"))


@pytest.fixture
def opened(monkeypatch):
    """The files that were read, in any order."""
    files, real = [], image_loader.read_image
    monkeypatch.setattr(image_loader, "read_image", lambda file: files.append(file) or real(file))
    return files


def test_features_are_what_clip_computes(tmp_path):
    data = drawn_images.images(tmp_path, 5)
    run, clip = drawn_images.run(tmp_path), drawn_images.miniature_clip()
    with torch.no_grad():
        whole, patches = clip.visual(normalised(run.pixels(data.images), clip))
    np.testing.assert_allclose(run.features(data.images), whole, rtol=1e-5, atol=1e-5)
    local = (patches @ clip.visual.proj).numpy()
    np.testing.assert_allclose(run.features(data.images, "tokens"), local, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["clip", "square", "square-raw"])
def test_each_preprocessing_has_entries_of_its_own(name, tmp_path):
    data = drawn_images.images(tmp_path, 3)
    for file in data.images.files():
        Image.open(file).resize((140, 96)).save(file)
    clip, how = drawn_images.miniature_clip(), preprocessing.parse(name)
    for other in {"clip", "square-raw", "square"} - {name}:
        drawn_images.run(tmp_path, preprocess=other).features(data.images)
    run = drawn_images.run(tmp_path, preprocess=name)
    pictures = [how.pixels(preprocessing.read_image(f), 96) for f in data.images.files()]
    assert run.preprocess == how and np.array_equal(run.pixels(data.images), pictures)
    batch = run.normalise(torch.from_numpy(np.array(run.pixels(data.images))))
    assert batch.dtype == torch.float32 and (batch.min() < -0.5) == (how.colours != "raw")
    with torch.no_grad():
        whole = clip.visual(batch)[0]
    np.testing.assert_allclose(run.features(data.images), whole, rtol=1e-5, atol=1e-5)


def test_any_number_of_threads_gives_the_same_bytes(tmp_path):
    data = drawn_images.images(tmp_path, 20)
    found = []
    for threads in (1, 2, 7):
        (tmp_path / str(threads)).mkdir()
        run = drawn_images.run(tmp_path / str(threads), threads=threads)
        draw = run.training_pixels(data.images, "crop+flip+cutout+randaugment")
        found.append(
            [
                run.pixels(data.images),
                run.store.features(data.images, "global", "crop+randaugment", 1),
                *(draw(torch.arange(20)) for _ in range(2)),
            ]
        )
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_a_hit_opens_no_image_and_a_changed_image_is_no_hit(tmp_path, opened):
    data = drawn_images.images(tmp_path, 4)
    before = np.array(drawn_images.run(tmp_path).features(data.images, "tokens"))
    opened.clear()
    drawn_images.run(tmp_path).features(data.images, "tokens")
    drawn_images.run(tmp_path).features(data.images, "global")
    assert opened == []
    first, second = data.images.files()[:2]
    first.write_bytes(second.read_bytes())
    after = drawn_images.run(tmp_path).features(data.images, "tokens")
    assert len(opened) == 4
    assert np.array_equal(after[0], before[1]) and np.array_equal(after[2], before[2])


@pytest.mark.parametrize("kind", ["tokens", "value"])
def test_global_features_do_not_depend_on_which_kind_was_asked_for_first(kind, tmp_path):
    data, found = drawn_images.images(tmp_path, 6), []
    for order in (("global", kind), (kind, "global")):
        folder = tmp_path / order[0]
        folder.mkdir()
        for name in order:
            drawn_images.run(folder).features(data.images, name)
        found.append(drawn_images.run(folder).features(data.images))
    assert np.array_equal(*found)


def test_a_local_kind_leaves_the_global_entry_as_it_is(tmp_path):
    data = drawn_images.images(tmp_path, 4)
    drawn_images.run(tmp_path).features(data.images)
    before = {p: p.stat().st_mtime_ns for p in entries(tmp_path)}
    drawn_images.run(tmp_path).features(data.images, "tokens")
    assert len(entries(tmp_path)) == len(before) + 1
    assert before.items() <= {p: p.stat().st_mtime_ns for p in entries(tmp_path)}.items()


def test_a_broken_image_is_named_and_leaves_no_entry(tmp_path):
    data = drawn_images.images(tmp_path, 30)
    broken = [data.images.files()[row] for row in (7, 3, 22)]
    for file in broken:
        file.write_bytes(file.read_bytes()[:200])
    for threads in (1, 4):
        run = drawn_images.run(tmp_path, threads=threads)
        for call in (
            lambda run=run: run.features(data.images),
            lambda run=run: run.training_features(data.images, augment="flip"),
            lambda run=run: run.training_pixels(data.images, "flip")(torch.arange(30)),
        ):
            with pytest.raises(InputError, match=broken[1].name):  # the first of the list
                call()
    kept = list((tmp_path / "cache" / "features").iterdir())
    assert not [path for path in kept if path.suffix in (".npy", ".tmp")]


def test_an_unknown_kind_or_augmentation_is_named(tmp_path):
    data, run = drawn_images.images(tmp_path, 1), drawn_images.run(tmp_path)
    with pytest.raises(ValueError, match="unknown kind 'locals'"):
        run.features(data.images, "locals")
    with pytest.raises(InputError, match="unknown augmentation 'flop'"):
        run.training_features(data.images, augment="flop")
    with pytest.raises(InputError, match="unknown augmentation 'flop'"):
        run.training_pixels(data.images, "flop")
    with pytest.raises(InputError, match="views: 0 must be 1 or more"):
        run.training_features(data.images, augment="flip", views=0)


def test_an_augmented_entry_holds_the_features_of_that_view(tmp_path):
    data, clip = drawn_images.images(tmp_path, 3), drawn_images.miniature_clip()
    found = drawn_images.run(tmp_path).store.features(data.images, "global", "crop+flip", 2)
    steps = augmentation.parse("crop+flip")
    pictures = []
    for path, file in zip(data.images.paths, data.images.files(), strict=True):
        dice = augmentation.dice_of(steps, path, 2)
        picture = steps.view(preprocessing.read_image(file), 96, preprocessing.CLIP, dice)
        pictures.append(preprocessing.array(picture))
    with torch.no_grad():
        whole = clip.visual(normalised(pictures, clip))[0]
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-5)


def test_training_features_go_through_the_views_in_turn(tmp_path):
    data, run = drawn_images.images(tmp_path, 5), drawn_images.run(tmp_path)
    views = [run.store.features(data.images, "global", "flip+cutout", v) for v in range(3)]
    draw = run.training_features(data.images, augment="flip+cutout", views=3)
    local = run.training_features(data.images, "tokens", "flip+cutout", 3)
    assert draw(torch.tensor([4, 4, 1])).dtype == torch.float32
    np.testing.assert_array_equal(
        draw(torch.tensor([4, 1, 2])), views_of(views, [2, 1, 0], [4, 1, 2])
    )
    np.testing.assert_array_equal(draw(torch.tensor([4, 4])), views_of(views, [0, 1], [4, 4]))
    for _ in range(2):
        expected = run.store.features(data.images, "tokens", "flip+cutout", _)
        np.testing.assert_array_equal(local(torch.tensor([3]))[0], expected[3])
    count = len(entries(tmp_path))
    other = drawn_images.run(tmp_path, "another unit").training_features(
        data.images, "global", "flip+cutout", 3
    )
    assert len(entries(tmp_path)) == count, "views depend on the seed"
    np.testing.assert_array_equal(other(torch.tensor([2])), views[0][[2]])


def views_of(views, numbers, rows):
    return np.stack([views[v][r] for v, r in zip(numbers, rows, strict=True)])


def test_without_an_augmentation_training_sees_the_plain_entries(tmp_path, opened):
    data, run = drawn_images.images(tmp_path, 5), drawn_images.run(tmp_path)
    rows = torch.tensor([3, 0, 3])
    features_of, pixels_of = (
        run.training_features(data.images, views=8),
        run.training_pixels(data.images),
    )
    read = len(opened)
    for _ in range(2):
        np.testing.assert_array_equal(features_of(rows), run.features(data.images)[rows.numpy()])
        found = pixels_of(rows)
        assert found.dtype == torch.uint8
        np.testing.assert_array_equal(found, run.pixels(data.images)[rows.numpy()])
    assert len(opened) == read == 5


def test_training_pixels_are_new_views_of_the_units_seed(tmp_path):
    data, run = drawn_images.images(tmp_path, 4), drawn_images.run(tmp_path)
    draw, again = (run.training_pixels(data.images, "crop+randaugment") for _ in range(2))
    rows = torch.tensor([2, 0, 2])
    first, second = draw(rows), draw(rows)
    assert first.shape == (3, 3, 96, 96) and first.dtype == torch.uint8
    assert len({p.numpy().tobytes() for p in (*first, *second)}) == 6
    steps = augmentation.parse("crop+randaugment")
    path = data.images.paths[2]
    dice = augmentation.dice_of(steps, path, 3, run.seed("augment"))  # its fourth draw
    picture = preprocessing.read_image(data.images.root / path)
    expected = preprocessing.array(steps.view(picture, 96, run.preprocess, dice))
    assert np.array_equal(second[2], expected)
    assert torch.equal(again(rows), first)
    other = drawn_images.run(tmp_path, "another unit").training_pixels(
        data.images, "crop+randaugment"
    )
    assert not torch.equal(other(rows), first)


def test_pictures_are_decoded_without_a_model(tmp_path):
    data = drawn_images.images(tmp_path, 3)
    how = preprocessing.parse("square")
    feature_cache.decode(data.images, tmp_path / "found.npy", image_loader.Loader(40, how, 2))
    found = np.load(tmp_path / "found.npy")
    expected = [how.pixels(preprocessing.read_image(f), 40) for f in data.images.files()]
    assert np.array_equal(found, expected)


def test_announced_views_are_read_ahead_and_are_the_same_ones(tmp_path, opened):
    data, run = drawn_images.images(tmp_path, 4), drawn_images.run(tmp_path)
    ahead, plain = (run.training_pixels(data.images, "crop+flip") for _ in range(2))
    batches = [torch.tensor(rows) for rows in ([2, 0], [1, 2], [3, 2])]
    expected = [plain(rows) for rows in batches]
    read = len(opened)
    for rows in batches:
        ahead.announce(rows)  # the third is one too many, and is read when it is drawn
    assert len(ahead.ahead) == 2
    for rows, pictures in zip(batches, expected, strict=True):
        assert torch.equal(ahead(rows), pictures)
    assert len(opened) == read + 6 and not ahead.ahead
    for rows in batches[:2]:
        ahead.announce(rows)
    other = torch.tensor([3, 3])  # what was announced and not drawn does not count
    assert torch.equal(ahead(other), plain(other))
    assert torch.equal(ahead(batches[0]), plain(batches[0]))


def test_training_reads_the_next_batch_ahead_and_the_next_stage_nothing_of_it(tmp_path):
    data, run = drawn_images.images(tmp_path, 6), drawn_images.run(tmp_path)
    weight = torch.nn.Parameter(torch.zeros(1))
    draw, waiting = run.training_pixels(data.images, "flip"), []

    def loss_of(indices):
        waiting.append([rows for rows, _ in draw.ahead])
        assert waiting[-1][0] == indices.tolist()
        return (weight - draw(indices).float().mean()).square().sum()

    train([weight], loss_of, 6, Recipe(2, 0.1, 2), run, "fit")
    assert [len(rows) for rows in waiting] == [2, 2, 1] * 2
    assert draw.drawn == dict.fromkeys(range(6), 2) and not draw.ahead
    train([weight], lambda indices: weight.square().sum(), 6, Recipe(1, 0.1, 2), run, "next")
    assert draw.drawn == dict.fromkeys(range(6), 2) and not draw.ahead
