"""Augmented views: what each step does, and that a view depends on its name and number alone."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import autoaugment
from torchvision.transforms.functional import InterpolationMode

from benchmark.common.errors import InputError
from benchmark.data import augmentation
from benchmark.data.augmentation import dice_of, parse
from benchmark.data.preprocessing import CLIP, Preprocessing


def noise(width=80, height=60):
    dice = np.random.default_rng(0)
    rough = dice.integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)


def view(name, image, number=0, size=48, path="a.jpg", seed=0, preprocess=CLIP):
    steps = parse(name)
    dice = dice_of(steps, path, number, seed)
    return np.asarray(steps.view(image, size, preprocess, dice)).astype(int)


@pytest.mark.parametrize(
    "name, part",
    [
        ("croop", "unknown augmentation 'croop'; did you mean 'crop'"),
        ("crop+", "unknown augmentation ''"),
        ("none+flip", "unknown augmentation 'none'"),
        ("flip+crop", "crop before all others"),
        ("flip+flip", "each step once"),
    ],
)
def test_a_wrong_name_gets_one_line(name, part):
    with pytest.raises(InputError) as caught:
        parse(name)
    assert part in str(caught.value).replace('"', "'") and "\n" not in str(caught.value)


def test_names_are_canonical():
    for name in ("none", "crop", "crop+flip", "cutout+randaugment", "crop+flip+cutout+randaugment"):
        assert parse(name).name == name


@pytest.mark.parametrize("name", ["crop", "flip", "cutout", "randaugment", "crop+flip"])
def test_a_view_depends_on_augmentation_path_number_and_seed_alone(name):
    image = noise()
    random.seed(1)
    first = [view(name, image, n) for n in range(6)]
    random.seed(2)
    assert all(np.array_equal(view(name, image, n), first[n]) for n in reversed(range(6)))
    assert len({v.tobytes() for v in first}) > 1
    for other in ({"path": "b.jpg"}, {"seed": 1}):
        assert any(not np.array_equal(view(name, image, n, **other), first[n]) for n in range(6))


def test_without_steps_the_view_is_the_preprocessings():
    image, square = noise(), Preprocessing("square")
    for how in (CLIP, square):
        assert np.array_equal(view("none", image, preprocess=how), how.picture(image, 48))
    assert not np.array_equal(view("flip", image), view("flip", image, preprocess=square))
    assert np.array_equal(view("crop", image), view("crop", image, preprocess=square))


def test_a_flip_mirrors_every_second_view():
    image = noise()
    plain, mirrored = view("none", image), view("none", image)[:, ::-1]
    flipped = [np.array_equal(view("flip", image, n), mirrored) for n in range(100)]
    kept = [np.array_equal(view("flip", image, n), plain) for n in range(100)]
    assert [not f for f in flipped] == kept and 30 < sum(flipped) < 70


def test_cutout_paints_one_rectangle_of_half_the_side():
    image = noise(48, 48)
    areas, sides = [], set()
    for n in range(60):
        changed = (view("cutout", image, n) != view("none", image)).any(2)
        rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
        high, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        painted = view("cutout", image, n)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert (painted == painted[0, 0]).all()
        assert 12 <= high <= 24 and 12 <= wide <= 24  # partly outside at the border
        areas.append(wide * high)
        sides |= {(int(rows[0]), int(columns[0]))}
    assert max(areas) == 24 * 24 and len(sides) > 30


def test_a_crop_has_the_stated_areas_and_proportions():
    """On a picture whose red grows to the right and green downwards, corners tell the part."""
    width, height = 256, 200
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    image = Image.fromarray(np.stack([x, y, 0 * x], 2).astype(np.uint8))
    shares, ratios = [], []
    for n in range(200):
        found = view("crop", image, n, size=64)
        wide = (found[32, 48, 0] - found[32, 16, 0]) * 2
        high = (found[48, 32, 1] - found[16, 32, 1]) * 2
        shares.append(wide * high / (width * height))
        ratios.append(wide / high)
    assert 0.07 < min(shares) < 0.13 and 0.85 < max(shares) < 1.02
    assert 0.7 < min(ratios) < 0.8 and 1.25 < max(ratios) < 1.42
    assert 0.4 < np.mean(shares) < 0.6


def test_a_crop_of_a_narrow_picture_is_its_middle():
    image = noise(400, 8)
    assert view("crop", image, size=16).shape == (16, 16, 3)


THEIRS = {
    "identity": "Identity", "shear x": "ShearX", "shear y": "ShearY", "translate x": "TranslateX",
    "translate y": "TranslateY", "rotate": "Rotate", "brightness": "Brightness",
    "colour": "Color", "contrast": "Contrast", "sharpness": "Sharpness", "posterize": "Posterize",
    "solarize": "Solarize", "autocontrast": "AutoContrast", "equalize": "Equalize",
}  # fmt: skip


@pytest.mark.parametrize("name", augmentation._OPERATIONS)
@pytest.mark.parametrize("bin_number", [9, 30])
def test_randaugments_operations_are_torchvisions(name, bin_number):
    image = noise(64, 64)
    space = autoaugment.RandAugment()._augmentation_space(augmentation.BINS, (64, 64))
    assert set(space) == set(THEIRS.values())
    operation, most, signed = augmentation._OPERATIONS[name]
    strengths, their_signed = space[THEIRS[name]]
    assert signed == their_signed
    theirs = strengths[bin_number].item() if strengths.ndim else 0.0
    ours = most * bin_number / (augmentation.BINS - 1)
    nearest, sides = InterpolationMode.NEAREST, set()
    for sign in (1, -1) if signed else (1,):
        expected = autoaugment._apply_op(image, THEIRS[name], sign * theirs, nearest, None)
        both = (sign * ours, -sign * ours) if signed else (ours,)
        found = [np.asarray(operation(image, s)).astype(int) for s in both]
        off = [np.mean(np.abs(f - np.asarray(expected)).max(2) > 0) for f in found]
        sides.add(int(np.argmin(off)))
        assert min(off) < 0.03, off  # rounding of sources half-way between two pixels
    assert len(sides) == 1


def test_randaugment_uses_every_operation():
    dice, seen = random.Random(0), set()
    names = list(augmentation._OPERATIONS)
    for name in names:
        augmentation._OPERATIONS[name], kept = (
            (lambda p, s, n=name: seen.add(n) or p, *augmentation._OPERATIONS[name][1:]),
            augmentation._OPERATIONS[name],
        )
        try:
            for _ in range(200):
                augmentation._randaugment(noise(8, 8), dice)
                if name in seen:
                    break
        finally:
            augmentation._OPERATIONS[name] = kept
    assert seen == set(names)


def test_global_generators_are_left_alone():
    random.seed(3)
    torch.manual_seed(3)
    before = random.getstate(), torch.get_rng_state(), np.random.get_state()[1].tolist()
    view("crop+flip+cutout+randaugment", noise())
    assert random.getstate() == before[0] and torch.equal(torch.get_rng_state(), before[1])
    assert np.random.get_state()[1].tolist() == before[2]
